"""Mails that nobody asked for: written down beside a deed, which they never stop."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _now

from billing.mail import Letter
from billing.models.guard import Actor, Deed, Record, tell
from billing.models.mail import Mail
from billing.models.wording import on_paper
from billing.statuses import MailKind

if TYPE_CHECKING:
    from billing.models.mail import About

log = logging.getLogger(__name__)


def post(
    record: Record,
    about: About,
    by: Actor,
    kind: MailKind,
    write: Callable[[], Letter],
    *,
    to: str | None,
    cause: str | None = None,
) -> Mail | None:
    """Queue a mail in the caller's transaction; None when there is no address, when its ``cause`` has had its
    mail, or when the words cannot be found.

    What was done stays done even so: the timeline of ``record`` says that the mail is missing.
    """
    if not to:
        return None
    try:
        with transaction.atomic():
            return Mail.objects.queue_once(about, on_paper(write()), kind=kind, to=to, by=by, cause=cause)
    except Exception:
        log.exception("The %s of %s could not be written", kind, record)
        text = _now("The e-mail “%(kind)s” could not be written; send it again by hand.")
        tell(record, by, "mail_not_written", Deed(text % {"kind": kind.label}))
        return None
