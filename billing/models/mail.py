"""The outbox: a mail is a row in the transaction of its deed. Sending comes later and can fail alone.

It is sent at least once. A sender can die after the server took a mail and before that is written down, and
nobody can then tell whether it went out. It is sent again: a customer who is told twice that a payment
failed is better off than one who is never told. Both carry the same Message-ID, by which mail programs know
them for one. What is written down once per ``cause`` is sent twice for no other reason.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives
from django.db import models, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.mail import Message
from billing.models.guard import Actor
from billing.statuses import MailKind, MailState
from contacts.models import Contact

if TYPE_CHECKING:
    from billing.models.card import Card
    from billing.models.invoice import Invoice
    from billing.models.orders.order import Order

    About: TypeAlias = Invoice | Order | Card

LEASE = timedelta(minutes=10)
"""How long a sender that claimed a mail is believed to be alive."""
MOST_TRIES = 12
"""1, 2, 4 … minutes apart, at most six hours: a mail is given up after about a day and a half."""


class MailQuerySet(models.QuerySet["Mail"]):
    def due(self, at: datetime) -> MailQuerySet:
        return self.filter(state=MailState.QUEUED, next_try_at__lte=at).order_by("next_try_at", "id")

    def for_list(self) -> MailQuerySet:
        """Newest first, without the words."""
        return self.defer("text", "html").order_by("-id")

    def claim_next(self, at: datetime) -> Mail | None:
        """The mail that is due first, for the caller alone to send until the lease ends."""
        with transaction.atomic(durable=True):
            mail = self.due(at).select_for_update(skip_locked=True, of=("self",)).first()
            if mail:
                mail.tries += 1
                mail.next_try_at = at + LEASE
                mail.save(update_fields=["tries", "next_try_at"])
        return mail

    def queue(
        self,
        about: About,
        message: Message,
        *,
        kind: MailKind,
        to: str,
        by: Actor,
        at: datetime | None = None,
    ) -> Mail:
        """Write a mail down, to be sent once the transaction has committed."""
        return self.create(
            **_columns(about, message), kind=kind, to=to, made_by=by, next_try_at=at or clock.now()
        )

    def queue_once(
        self,
        about: About,
        message: Message,
        *,
        kind: MailKind,
        to: str,
        by: Actor,
        cause: str | None,
        at: datetime | None = None,
    ) -> Mail | None:
        """As ``queue``; None when this ``cause`` has had its mail, also if that is being written just now."""
        if cause is None:
            return self.queue(about, message, kind=kind, to=to, by=by, at=at)
        given = {**_columns(about, message), "kind": kind, "to": to, "made_by": by}
        mail, is_new = self.get_or_create(cause=cause, defaults={**given, "next_try_at": at or clock.now()})
        return mail if is_new else None


def _columns(about: About, message: Message) -> dict[str, Any]:
    words = {"subject": message.subject, "text": message.text, "html": message.html}
    return {str(about._meta.model_name): about, "contact_id": about.contact_id, **words}


class Mail(models.Model):
    """An e-mail about an invoice, an order or a card: exactly one of them.

    *Sent* means that the mail server took it; a failure keeps the server's words. ``contact`` is whom it is
    about, also when it goes to staff. ``cause`` names what the desk tells by itself, so that it is told once;
    a mail that somebody asked for has none.
    """

    invoice = models.ForeignKey("billing.Invoice", models.CASCADE, null=True, related_name="mails")
    order = models.ForeignKey(
        "billing.Order", models.PROTECT, null=True, related_name="mails", db_index=False
    )
    card = models.ForeignKey("billing.Card", models.PROTECT, null=True, related_name="mails", db_index=False)
    cause = models.CharField(_("cause"), max_length=300, null=True, unique=True, editable=False)
    contact = models.ForeignKey(Contact, models.PROTECT, related_name="mails")
    kind = models.CharField(_("kind"), max_length=20, choices=MailKind)
    to = models.EmailField(_("to"))
    subject = models.CharField(_("subject"), max_length=255)
    text = models.TextField(_("text"))
    html = models.TextField(_("HTML"))
    state = models.CharField(_("state"), max_length=8, choices=MailState, default=MailState.QUEUED)
    tries = models.PositiveIntegerField(_("tries"), default=0)
    error = models.CharField(_("the server's words"), max_length=500, blank=True)
    next_try_at = models.DateTimeField(_("next try"))
    sent_at = models.DateTimeField(_("sent"), null=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    made_at = models.DateTimeField(_("written"), default=clock.now, editable=False)

    objects = MailQuerySet.as_manager()

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("e-mail")
        indexes: ClassVar = [
            models.Index(fields=["next_try_at", "id"], name="mail_due", condition=Q(state=MailState.QUEUED)),
            models.Index(fields=["order", "-id"], name="mail_by_order", condition=Q(order__isnull=False)),
            models.Index(fields=["card", "-id"], name="mail_by_card", condition=Q(card__isnull=False)),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(state__in=MailState.values), name="mail_state_known"),
            models.CheckConstraint(condition=Q(kind__in=MailKind.values), name="mail_kind_known"),
            models.CheckConstraint(
                condition=Q(invoice__isnull=False, order__isnull=True, card__isnull=True)
                | Q(invoice__isnull=True, order__isnull=False, card__isnull=True)
                | Q(invoice__isnull=True, order__isnull=True, card__isnull=False),
                name="mail_about_one_record",
            ),
            models.CheckConstraint(
                condition=Q(state=MailState.SENT, sent_at__isnull=False)
                | (~Q(state=MailState.SENT) & Q(sent_at__isnull=True)),
                name="mail_sent_has_its_moment",
            ),
        ]

    def __str__(self) -> str:
        return self.subject

    @property
    def about(self) -> About:
        """What it is about; asked for together with the mail where there are several."""
        about = self.invoice or self.order or self.card
        assert about is not None  # a constraint of the table
        return about

    def message(self) -> EmailMultiAlternatives:
        """As it goes out. A mail sent twice after a crash carries the same Message-ID both times."""
        host = urlsplit(settings.BASE_URL).hostname
        headers = {
            "Message-ID": f"<mail.{self.pk}.{self.made_at:%Y%m%d%H%M%S}@{host}>",
            "Auto-Submitted": "auto-generated",  # RFC 3834: answered by no out-of-office notice
        }
        message = EmailMultiAlternatives(self.subject, self.text, to=[self.to], headers=headers)
        message.attach_alternative(self.html, "text/html")
        return message

    def mark_sent(self, at: datetime) -> None:
        """Whoever holds the lease by now: the server took it, so nobody need send it again."""
        self._end(MailState.SENT, error="", sent_at=at)

    def mark_refused(self, words: str) -> None:
        """The server will never take it: it stays failed until somebody re-sends it."""
        self._end(MailState.FAILED, error=_tidy(words), next_try_at=self.next_try_at)

    def mark_failed(self, words: str, at: datetime) -> None:
        """Try again later, at growing distance; after the last try it stays failed."""
        state = MailState.FAILED if self.tries >= MOST_TRIES else MailState.QUEUED
        later = at + timedelta(minutes=min(2 ** (self.tries - 1), 360))
        self._end(state, error=_tidy(words), next_try_at=later)

    def _end(self, state: MailState, **columns: Any) -> None:
        """Write down how this try ended, unless somebody else has claimed or re-queued the mail since."""
        mine = type(self).objects.filter(pk=self.pk, state=MailState.QUEUED)
        if state != MailState.SENT:
            mine = mine.filter(next_try_at=self.next_try_at)
        if mine.update(state=state, **columns):
            self.state = state
            for name, value in columns.items():
                setattr(self, name, value)

    def send_again(self, at: datetime) -> Mail:
        """Queue it, whatever became of it. What was sent stays sent: a copy goes out, and is returned."""
        if self.state != MailState.SENT:
            self.state, self.tries, self.next_try_at = MailState.QUEUED, 0, at
            self.save(update_fields=["state", "tries", "next_try_at"])
            return self
        words = (
            "invoice_id",
            "order_id",
            "card_id",
            "contact_id",
            "kind",
            "to",
            "subject",
            "text",
            "html",
            "made_by_id",
        )
        same = {name: getattr(self, name) for name in words}
        waiting = type(self).objects.filter(**same, state=MailState.QUEUED).first()
        return waiting or type(self).objects.create(**same, next_try_at=at)


def _tidy(words: str) -> str:
    """One line without NUL, which PostgreSQL does not store."""
    return " ".join(words.replace("\0", " ").split())[:500]
