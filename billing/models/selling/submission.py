"""What a visitor sent on an order form, until the gateway has said what became of it.

The sequence is that of every charge (an attempt on disk before the gateway hears of it, settled once from
wherever its end is told), on an invoice that stays a draft meanwhile:

* paid: the draft is issued, closed by its payment, and its orders begin with the card that paid;
* the card is refused: the draft becomes Declined, and the next try makes an invoice of its own;
* the visitor never comes back: the gateway's message, or the desk's own question, settles it all the same;
* the page ends unpaid: the draft becomes Declined once it is a day old, for attempts are never deleted, and
  money that arrives later still finds them.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django.conf import settings
from django.db import IntegrityError, models, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import time_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.models.attempt import Attempt
from billing.models.attempts.base import GRACE, PAGE_LIVES
from billing.models.card import Card
from billing.models.card_page import GIVEN_UP_AFTER as CARDS_GIVEN_UP_AFTER
from billing.models.card_page import CardPage
from billing.models.coupons.code import CouponCode
from billing.models.coupons.discount import Discount
from billing.models.guard import Invalid, NotOffered, outside_transaction
from billing.models.invoice import Invoice
from billing.models.line import LineInput
from billing.models.partners.referring import record_referral
from billing.models.selling.buyer import contact_of, fill_in
from billing.models.selling.form import Basket, OrderForm
from billing.models.selling.throttle import too_many_declines
from billing.models.spelling import spelt
from billing.models.visiting import HOUR, ComeBackLater
from billing.statuses import FINAL, AttemptKind, AttemptState, InvoiceStatus
from contacts.models import Contact

if TYPE_CHECKING:
    from billing.models.attempts.base import AttemptQuerySet

log = logging.getLogger(__name__)

GIVEN_UP_AFTER = PAGE_LIVES + HOUR
"""A hosted page is closed by then, and the desk has been told how it ended."""
FORGOTTEN_AFTER = timedelta(days=30)
"""What was typed is kept so long beyond its end, for whoever asks what the customer wrote."""
UNFINISHED = Q(finished_at__isnull=True)
MOST_ORDERS = 30
"""Orders an hour from one address, paid or not: nobody orders so often, and each makes a contact."""
MOST_FROM_NOWHERE = 300
"""The same on one form by all visitors together whose addresses are not known."""


class TooManyOrders(ComeBackLater):
    """Somebody seems to fill the desk with orders."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What a visitor sends: ``typed`` is what the fields held, valid and as text, and ``basket`` what that
    comes to.
    """

    typed: dict[str, str]
    basket: Basket
    at: datetime
    opened_from: str = ""
    referrals: list[list[str]] = field(default_factory=list)

    @property
    def mark(self) -> str:
        """Another one for every other order."""
        return repr((sorted(self.typed.items()), self.basket.terms, self.basket.lines))

    def order(self) -> dict[str, Any]:
        """What the invoice is made of. Makes the contact, in the caller's transaction."""
        return {
            "contact": contact_of(self.typed),
            "lines": self.basket.lines,
            "coupon": self.typed.get("coupon", ""),
            "at": self.at,
        }


class SubmissionQuerySet(models.QuerySet["Submission"]):
    def unfinished(self) -> SubmissionQuerySet:
        """Those whose invoice is still a draft, the oldest first."""
        return self.filter(UNFINISHED).order_by("id")

    def due(self, at: datetime) -> SubmissionQuerySet:
        """Those that the desk should look after: a card may have been typed, or nobody can pay any more."""
        card = Q(card_page__isnull=False, sent_at__lte=at - GRACE)
        return self.unfinished().filter(card | Q(sent_at__lte=at - GIVEN_UP_AFTER)).with_invoice()

    def with_invoice(self) -> SubmissionQuerySet:
        return self.select_related("invoice__contact", "form", "card_page__contact")

    def too_many(self, form: OrderForm, *, opened_from: str, at: datetime) -> TooManyOrders | None:
        """Why nothing more can be ordered from there now, or None. One query."""
        lately = self.filter(opened_from=opened_from, sent_at__gt=at - HOUR)
        if not opened_from:
            lately = lately.filter(form=form)
        most = MOST_ORDERS if opened_from else MOST_FROM_NOWHERE
        sent = list(lately.order_by("-sent_at").values_list("sent_at", flat=True)[:most])
        if len(sent) < most:
            return None
        until = sent[-1] + HOUR
        words = {"time": time_format(timezone.localtime(until), "H:i e")}
        sentence = _now("So many orders came from here within an hour that no more is taken before %(time)s.")
        return TooManyOrders(sentence % words, until=until)

    def forget(self, at: datetime) -> int:
        """Drop what was typed where it has ended long ago; of how many."""
        old = self.filter(finished_at__lt=at - FORGOTTEN_AFTER).exclude(typed={})
        return old.update(typed={})


class Submission(models.Model):
    """``visit`` is the one-time key of the page that was sent, and the secret under which its visitor alone
    is told what became of it. ``typed``: what the fields held. ``terms``: what was agreed to for each
    product, by its number; empty for an order that is older than this column. ``referrals``: the first and
    the last partner's link that led here, each a code and when it was opened. ``opened_from`` is a keyed
    hash of the address.
    """

    visit = models.UUIDField(unique=True)
    form = models.ForeignKey(OrderForm, models.PROTECT, related_name="submissions", verbose_name=_("form"))
    invoice = models.OneToOneField(
        Invoice, models.PROTECT, related_name="submission", verbose_name=_("invoice")
    )
    card_page = models.OneToOneField(CardPage, models.PROTECT, null=True, related_name="submission")
    typed = models.JSONField(_("what was typed"), default=dict)
    terms = models.JSONField(_("terms"), default=dict)
    referrals = models.JSONField(_("partners' links"), default=list)
    recurs = models.BooleanField(_("is charged again later"), default=False)
    opened_from = models.CharField(max_length=64, blank=True)
    sent_at = models.DateTimeField(_("sent"))
    finished_at = models.DateTimeField(_("finished"), null=True)

    objects = SubmissionQuerySet.as_manager()

    if TYPE_CHECKING:
        form_id: int
        invoice_id: int

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("order from a form")
        verbose_name_plural = _("orders from forms")
        indexes: ClassVar = [
            models.Index(fields=["id"], name="submission_unfinished", condition=UNFINISHED),
            models.Index(fields=["opened_from", "sent_at"], name="submission_by_opener"),
        ]

    def __str__(self) -> str:
        return _now("Order on “%(form)s”") % {"form": self.form}

    # -- sending

    @classmethod
    def send(cls, form: OrderForm, visit: UUID, sent: Sent) -> Submission:
        """Write down what a visitor ordered. Sent twice it is the first one; changed before it was paid, it
        is that one changed.

        No transaction may be open. Raises NotOffered, TooManyDeclines, TooManyOrders, Invalid.
        """
        found = cls.of(form, visit)
        if found is None:
            try:
                return cls._begin(form, visit, sent)
            except (IntegrityError, Invalid) as refusal:
                found = cls.of(form, visit)  # the first of two clicks was quicker, and took the last coupon
                if found is None:
                    if isinstance(refusal, Invalid):
                        raise
                    log.exception("An order on the form %s could not be written down", form.slug)
                    raise NotOffered(_now("Nothing was ordered. Please open the page again.")) from None
        is_same = found.was_made_of(sent)
        if found.was_refused and not is_same:  # changed on a page that the browser had kept
            return cls.send(form, uuid.uuid5(visit, sent.mark), sent)
        if found.finished_at or (is_same and found.goes_on()):
            return found
        return found.change(sent)

    @classmethod
    def of(cls, form: OrderForm, visit: UUID) -> Submission | None:
        return cls.objects.with_invoice().filter(form=form, visit=visit).first()

    @classmethod
    def discount(
        cls, form: OrderForm, visit: UUID | None, *, coupon: str, email: str, lines: Sequence[LineInput]
    ) -> Discount | None:
        """What the typed code takes off, None for no code. One that this visit holds stays usable; any other
        is asked for by whoever has the e-mail address that is typed now.

        Somebody who is not known yet is answered as one to whom a personal code was not issued: otherwise the
        answer would tell who is. Raises Invalid.
        """
        found = cls.of(form, visit) if visit and coupon else None
        if found and found.invoice.coupon == spelt(coupon):
            return found.invoice.discount_for(coupon, lines, currency=form.currency)
        if not spelt(coupon):
            return None
        known = Contact.objects.by_email(email).first()
        return CouponCode.accept(
            coupon,
            contact=known or (Contact() if email else None),
            products=[line.product_id for line in lines],
            currency=form.currency,
            today=clock.today(),
        )

    @classmethod
    def _begin(cls, form: OrderForm, visit: UUID, sent: Sent) -> Submission:
        cls._require(form, sent)
        with transaction.atomic(durable=True):
            submission = cls.objects.create(
                visit=visit,
                form=form,
                invoice=Invoice.ordered(form, **sent.order()),
                typed=sent.typed,
                terms=sent.basket.terms,
                referrals=sent.referrals,
                recurs=sent.basket.recurs,
                opened_from=sent.opened_from,
                sent_at=sent.at,
            )
            submission.ask_for_money(sent.at)
        return submission

    @classmethod
    def refusal(cls, form: OrderForm, *, email: str, opened_from: str, at: datetime) -> ComeBackLater | None:
        """Why this visitor can order nothing now, or None. Three queries."""
        declines = too_many_declines(form, email=email, opened_from=opened_from, at=at)
        return declines or cls.objects.too_many(form, opened_from=opened_from, at=at)

    @classmethod
    def _require(cls, form: OrderForm, sent: Sent) -> None:
        refusal = cls.refusal(form, email=sent.typed["email"], opened_from=sent.opened_from, at=sent.at)
        if refusal:
            raise refusal

    def was_made_of(self, sent: Sent) -> bool:
        """Whether it would be the same order, at the same prices and on the same terms."""
        if (self.typed, self.terms) != (sent.typed, sent.basket.terms):
            return False
        return [line.given for line in self.invoice.lines.all()] == list(sent.basket.lines)

    def change(self, sent: Sent) -> Submission:
        """The order as it is sent now, on the same draft; unless what was sent before is paid already."""
        self._require(self.form, sent)
        for attempt in self._attempts().open_pages():
            attempt.invoice = self.invoice
            attempt.close_page(at=sent.at)
        with transaction.atomic(durable=True):
            self.invoice.lock()
            self.refresh_from_db(fields=["finished_at", "card_page"])
            if not self.invoice.is_being_ordered:
                return self
            if self.invoice.awaiting_gateway:
                raise NotOffered(_now("Your payment is being processed. Please look again in a few minutes."))
            self._take(sent)
        return self

    def _take(self, sent: Sent) -> None:
        self.typed, self.terms, self.recurs = sent.typed, sent.basket.terms, sent.basket.recurs
        self.sent_at, self.card_page, self.opened_from = sent.at, None, sent.opened_from
        self.referrals = sent.referrals or self.referrals
        names = ("typed", "terms", "recurs", "sent_at", "card_page", "opened_from", "referrals")
        self.invoice.order_otherwise(self.form, **sent.order())
        self.save(update_fields=names)  # once the coupon is locked, as by whoever sends it for the first time
        self.ask_for_money(sent.at)

    def ask_for_money(self, at: datetime) -> None:
        """What must be on disk before the gateway hears of the order, in the caller's transaction.

        What costs nothing and never will is accepted at once. Raises NotOffered while a page of what was sent
        before could not be closed.
        """
        if self.invoice.total:
            Attempt.start(
                self.invoice,
                None,
                kind=AttemptKind.CHARGE,
                gateway=settings.GATEWAY,
                state=AttemptState.PAGE_OPEN,
                amount=self.invoice.total,
                remember_card=self.recurs,
                send_receipt=True,
                opened_from=self.opened_from,
            )
            return
        Attempt.refuse_open_page(self.invoice)
        if not self.recurs:
            self._accept_for_nothing(at)

    def _accept_for_nothing(self, at: datetime) -> None:
        self.invoice.lock()
        self.invoice.accept_order(at=at)
        self.invoice.queue_receipt(None)
        self.refresh_from_db(fields=["finished_at"])

    # -- at the gateway

    def lead_on(self, *, back: str, at: datetime) -> str:
        """The address of the page on which the visitor goes on; empty when there is nothing left to do there.

        ``back``: where the gateway sends them afterwards. No transaction may be open. Raises NotOffered.
        """
        outside_transaction()
        if self.finished_at:
            return ""
        attempt = self._attempts().open_pages().last()
        if attempt:
            attempt.invoice = self.invoice
            return attempt.open_page(description=self.form.title, return_url=back, cancel_url=back).url
        if self.invoice.total:
            return ""
        return self._open_card_page(back, at)

    def _open_card_page(self, back: str, at: datetime) -> str:
        """Where a card is typed that nothing is charged to now."""
        contact = self.invoice.contact
        try:
            page, url = CardPage.open(
                None,
                contact=contact,
                key=uuid.uuid5(self.visit, f"card {contact.pk}"),
                return_url=back,
                cancel_url=back,
                at=at,
            )
        except Exception as error:
            log.exception("The gateway opened no page for the card of an order")
            words = _now("No page for your card could be opened. Please try again in a few minutes.")
            raise NotOffered(words) from error
        self.card_page = page
        self.save(update_fields=["card_page"])
        return url

    def look(self, *, at: datetime) -> bool:
        """Ask the gateway what has become of it; whether it has said if a card was left.

        No transaction may be open.
        """
        outside_transaction()
        if self.finished_at:
            return True
        for attempt in self._waiting():
            attempt.invoice = self.invoice
            attempt.ask(at=at)
        has_said = self._take_card(self.card_page, at) if self.card_page else True
        self.refresh_from_db(fields=["finished_at"])
        self.invoice.refresh_from_db()
        return has_said

    def _take_card(self, page: CardPage, at: datetime) -> bool:
        try:
            card = page.take(at=at)
        except Exception:
            log.exception("The card of an order could not be taken over")
            return False
        if card:
            self.take_card(card, at=at)
        return True

    def take_card(self, card: Card, *, at: datetime) -> None:
        """Accept what costs nothing now, and let what it begins be charged to the card. Twice is once.

        Not to one that was typed for another contact, before the visitor changed the e-mail address.
        """
        with transaction.atomic(durable=True):
            self.invoice.lock()
            is_waiting = self.invoice.is_being_ordered and not self.invoice.total
            if is_waiting and card.contact_id == self.invoice.contact_id:
                self.invoice.accept_order(at=at)
                self.invoice.started_orders.charge_to(card)
                self.invoice.queue_receipt(None)

    # -- its end

    def finish(self, *, at: datetime, is_accepted: bool) -> None:
        """What follows from the order, paid or not, in the transaction that ends it.

        Who led a customer here is not changed by an order for which neither money nor a card was given:
        a partner could otherwise type the addresses of other people's customers, and earn on what they buy
        next.
        """
        is_earnest = is_accepted and bool(self.invoice.total or self.recurs)
        self.finished_at = at
        self.save(update_fields=["finished_at"])
        fill_in(self.invoice, self.typed)
        if not is_earnest and Invoice.objects.of(self.invoice.contact).sales().exists():
            return
        for code, opened_at in self.referrals:
            record_referral(self.invoice.contact, code, datetime.fromisoformat(opened_at))

    def look_after(self, *, at: datetime) -> None:
        """Find out how it ended, and decline what nobody has paid and nobody can any more.

        A gateway that does not answer may have yet to tell of a card: it is waited for, though not for ever.
        """
        has_said = self.look(at=at)
        if at - self.sent_at < (GIVEN_UP_AFTER if has_said else CARDS_GIVEN_UP_AFTER):
            return
        with transaction.atomic(durable=True):
            self.invoice.lock()
            if self.invoice.is_being_ordered and not self._waiting():
                self.invoice.refuse_order(at=at, why=_now("The payment page was closed before it was paid."))
        self.refresh_from_db(fields=["finished_at"])

    # -- questions

    def _attempts(self) -> AttemptQuerySet:
        return Attempt.objects.filter(invoice_id=self.invoice_id)

    def _waiting(self) -> list[Attempt]:
        """Its charges of which it is not known how they ended."""
        return list(self._attempts().exclude(state__in=sorted(FINAL)).order_by("id"))

    def goes_on(self) -> bool:
        """Whether there is a page on which its visitor can go on, or an answer to wait for."""
        return not self.invoice.total or bool(self._waiting())

    @property
    def is_finished(self) -> bool:
        return self.finished_at is not None

    @property
    def is_accepted(self) -> bool:
        return self.is_finished and not self.was_refused

    @property
    def was_refused(self) -> bool:
        """Whether its card was refused, or it was never paid."""
        return self.is_finished and self.invoice.status == InvoiceStatus.DECLINED

    def last_attempt(self) -> Attempt | None:
        return self._attempts().order_by("id").last()
