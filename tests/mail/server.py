"""A mail server that listens on a port, and treats a mail as its recipient's name says."""

# ruff: noqa: N802
# aiosmtpd calls its hooks by the commands of the protocol.

from __future__ import annotations

import socket
from asyncio import WriteTransport
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session

WORDS = {
    "unknown": "550 5.1.1 No such person here",
    "greylisted": "451 4.7.1 Greylisted, try again later",
}
SPAM = "554 5.7.1 This looks like spam"


class Post:
    """What arrived. ``callers`` holds the address of each connection that brought a mail."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.callers: set[Any] = set()
        self.dies = False
        self.sender_refused = False

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.sender_refused:
            return "550 5.7.1 This sender is not yours"
        envelope.mail_from = address
        return "250 OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        refusal = WORDS.get(address.partition("@")[0])
        if refusal is None:
            envelope.rcpt_tos.append(address)
        return refusal or "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes)
        mail = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        if envelope.rcpt_tos[0].startswith("spam"):
            return SPAM
        self.mails.append(mail)
        self.callers.add(session.peer)
        if self.dies:  # the mail is in its hands, and nobody will hear of it
            assert isinstance(server.transport, WriteTransport)
            server.transport.abort()
        return "250 OK"


@contextmanager
def mail_server(settings: Any) -> Iterator[Post]:
    """Runs while the block does, and the settings send to it."""
    post = Post()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    controller = Controller(post, hostname="127.0.0.1", port=port)
    controller.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    try:
        yield post
    finally:
        controller.stop()
