"""One call to a card gateway, written down before it is made, and the only place where its answer becomes
money.

The web request, the resolver, a return from a hosted page and a webhook all end in :meth:`Attempt.settle`,
which acts once.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.conf import settings
from django.db import models, transaction
from django.db.models import Exists, F, OuterRef, Q
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import gateways, money
from billing.actions import ACTIONS
from billing.gateways import CardDetails, Gateway, NotOurGateway, Outcome, Page, PageResult, fit, reason_of
from billing.models.base import amount_field, role_sentence
from billing.models.card import Card
from billing.models.customer import Customer
from billing.models.guard import Actor, Deed, NotAllowed, NotOffered, may, outside_transaction, tell
from billing.models.meanings import MEANINGS
from billing.models.payment import Payment
from billing.statuses import FINAL, IN_FLIGHT, AttemptKind, AttemptState

if TYPE_CHECKING:
    from django.db.models.fields.related_descriptors import RelatedManager

    from billing.models.invoice import Invoice

log = logging.getLogger(__name__)

GRACE = timedelta(minutes=2)
"""How long the process that started an attempt is left alone with it before the resolver asks."""
GIVE_UP_AFTER = timedelta(days=3)
"""From then on a person must look; the attempt is still never failed by age."""
SAME_KEY_FOR = timedelta(hours=23)
"""Gateways forget keys after a day: a refund may be repeated under its key only while the gateway remembers
it.
"""
REFUND_NEVER_CAME_AFTER = timedelta(hours=25)
"""Two hours after the last moment at which anybody sends a refund, one that the gateway does not know of was
never made.
"""
PAGE_LIVES = timedelta(hours=24)
TOLD = frozenset({AttemptState.PENDING, AttemptState.NEEDS_ACTION})
UNANSWERED = Q(state__in=[AttemptState.NEEDS_ACTION, AttemptState.PENDING, AttemptState.UNKNOWN])
UNMADE_REFUND = Q(kind=AttemptKind.REFUND, state=AttemptState.NOT_CHARGED)
WAITING = sorted(IN_FLIGHT | {AttemptState.PAGE_OPEN})
"""States that are not final, as the index of what is due has them."""


class AttemptQuerySet(models.QuerySet["Attempt"]):
    def in_flight(self) -> AttemptQuerySet:
        return self.filter(state__in=IN_FLIGHT)

    def open_pages(self) -> AttemptQuerySet:
        """Attempts that wait for a customer at a hosted page, the oldest first."""
        return self.filter(state=AttemptState.PAGE_OPEN).order_by("id")

    def page_declines(self, *, since: datetime) -> AttemptQuerySet:
        """Declines on hosted pages, the earliest first."""
        declined = self.filter(state=AttemptState.DECLINED, settled_at__gt=since)
        return declined.exclude(page_ref="").order_by("settled_at", "id")

    def due(self, at: datetime) -> AttemptQuerySet:
        """Attempts that somebody should ask the gateway about now, the longest waiting first."""
        return self.filter(state__in=WAITING, due_at__lte=at).order_by("due_at", "id")

    def claim_first(self, at: datetime) -> Attempt | None:
        """The first that nobody else is claiming, with the time at which the resolver asks again put down
        before it asks: whoever else asks meanwhile, or dies asking, changes nothing about that.
        """
        with transaction.atomic(durable=True):
            attempt = self.select_for_update(skip_locked=True, of=("self",)).first()
            if attempt:
                attempt.asked += 1
                attempt.due_at = next_time(attempt.asked, at)
                attempt.save(update_fields=["asked", "due_at"])
        return attempt

    def call_up(self, at: datetime) -> int:
        """Make all that their own process was left alone with for long enough due now; how many."""
        return self.filter(state__in=WAITING, started_at__lte=at - GRACE, due_at__gt=at).update(due_at=at)

    def unanswered(self) -> AttemptQuerySet:
        """Those of which the gateway has not said how they ended, the longest waiting first."""
        return self.filter(UNANSWERED).order_by("started_at", "id")

    def unmade_refunds(self) -> AttemptQuerySet:
        """Refunds that turned out never to have been made, and that nobody has tried again or recorded since,
        the longest waiting first.
        """
        left = self.filter(UNMADE_REFUND, refund_of__refunded_amount__lt=F("refund_of__amount"))
        tried = Attempt.objects.filter(refund_of=OuterRef("refund_of"), pk__gt=OuterRef("pk"))
        back = Payment.objects.filter(refund_of=OuterRef("refund_of"), made_at__gt=OuterRef("started_at"))
        return left.exclude(Exists(tried)).exclude(Exists(back)).order_by("started_at", "id")

    def for_list(self) -> AttemptQuerySet:
        return self.select_related("invoice", "card").order_by("-started_at", "-id")


class Attempt(models.Model):
    """``amount`` is positive, in the invoice's currency, frozen with the card's token when the attempt
    starts.

    ``key`` is ours, and the gateway's promise to act once. ``page_open`` waits for a customer at a hosted
    page and blocks nobody; the other states that are not final are in flight, and an invoice has at most
    one of those. ``opened_from`` is a keyed hash of the address that asked for the page.
    """

    invoice = models.ForeignKey("billing.Invoice", models.PROTECT, related_name="attempts")
    kind = models.CharField(_("kind"), max_length=6, choices=AttemptKind)
    state = models.CharField(_("state"), max_length=12, choices=AttemptState, default=AttemptState.STARTED)
    key = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    amount = amount_field(_("amount"))
    currency = models.CharField(_("currency"), max_length=3)
    gateway = models.CharField(_("gateway"), max_length=20)
    gateway_ref = models.CharField(_("gateway reference"), max_length=255, blank=True)
    page_ref = models.CharField(_("hosted page"), max_length=255, blank=True)
    card = models.ForeignKey(Card, models.PROTECT, null=True, related_name="attempts")
    card_token = models.CharField(max_length=255, blank=True)
    refund_of = models.ForeignKey(Payment, models.PROTECT, null=True, related_name="refund_attempts")
    reason = models.CharField(_("reason"), max_length=255, blank=True)
    send_receipt = models.BooleanField(_("send a receipt"), default=False)
    remember_card = models.BooleanField(_("keep the card on file"), default=False)
    code = models.CharField(_("code"), max_length=60, blank=True)
    message = models.CharField(_("the gateway's words"), max_length=255, blank=True)
    is_hard = models.BooleanField(_("pointless to retry"), default=False)
    asked = models.PositiveIntegerField(_("times asked"), default=0)
    opened_from = models.CharField(_("opened from"), max_length=64, blank=True)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    started_at = models.DateTimeField(_("started"))
    due_at = models.DateTimeField(_("ask again"))
    settled_at = models.DateTimeField(_("settled"), null=True)

    objects = AttemptQuerySet.as_manager()

    if TYPE_CHECKING:
        invoice_id: int
        payments: RelatedManager[Payment]

    class Meta:
        default_permissions = ("view",)
        verbose_name = _("attempt")
        indexes: ClassVar = [
            models.Index(fields=["started_at", "id"], name="attempt_unanswered", condition=UNANSWERED),
            models.Index(fields=["started_at", "id"], name="attempt_unmade_refund", condition=UNMADE_REFUND),
            models.Index(fields=["page_ref"], name="attempt_by_page", condition=~Q(page_ref="")),
            models.Index(
                fields=["due_at"],
                name="attempt_due",
                condition=Q(state__in=WAITING),
            ),
            models.Index(
                fields=["opened_from", "settled_at"],
                name="attempt_by_opener",
                condition=~Q(opened_from=""),
            ),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["invoice"],
                condition=Q(state__in=sorted(IN_FLIGHT)),
                name="attempt_one_in_flight_per_invoice",
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="attempt_amount_positive"),
            models.CheckConstraint(condition=Q(state__in=AttemptState.values), name="attempt_state_known"),
            models.CheckConstraint(
                condition=Q(kind=AttemptKind.CHARGE, refund_of__isnull=True)
                | Q(kind=AttemptKind.REFUND, refund_of__isnull=False),
                name="attempt_refund_names_its_payment",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {money.show(self.amount, self.currency)}"

    @property
    def is_final(self) -> bool:
        return self.state in FINAL

    @property
    def is_in_flight(self) -> bool:
        return self.state in IN_FLIGHT

    @property
    def is_approved(self) -> bool:
        return self.state == AttemptState.APPROVED

    @property
    def can_be_cancelled(self) -> bool:
        """Whether an agent may call it off: the bank waits for the customer, and nothing has moved."""
        return self.kind == AttemptKind.CHARGE and self.state == AttemptState.NEEDS_ACTION

    @property
    def meaning(self) -> str:
        """What the state means for the money, in one sentence for staff."""
        return str(MEANINGS[AttemptKind(self.kind), AttemptState(self.state)]) % {
            "amount": money.show(self.amount, self.currency)
        }

    def is_due(self, at: datetime) -> bool:
        """Whether somebody should ask the gateway now: one of the rows that the QuerySet's ``due`` finds."""
        return self.state in WAITING and self.due_at <= at

    def needs_a_person(self, at: datetime) -> bool:
        return self.is_in_flight and at - self.started_at > GIVE_UP_AFTER

    @property
    def evidence(self) -> dict[str, str | int | None]:
        """The gateway's answer as the timeline keeps it."""
        return {
            "gateway": self.gateway,
            "gateway_ref": self.gateway_ref,
            "answer": self.state,
            "code": self.code,
            "words": self.message,
            "asked": self.asked,
        }

    # -- doing

    def run(self) -> None:
        """Make the call that this row announces, and settle what comes back. No transaction may be open.

        Whatever goes wrong after the confirmation was sent is *unknown*, never *declined*.
        """
        outside_transaction()
        try:
            gateway = self._gateway()
        except KeyError:
            log.exception("Attempt %s: its gateway is not installed", self.key)
            words = _now("The gateway “%(name)s” is not installed: nothing was sent, and no money moved.")
            outcome = Outcome(AttemptState.NOT_CHARGED, message=words % {"name": self.gateway})
            self.settle(outcome, expected_ref="")
            return
        if self.kind == AttemptKind.REFUND:
            self.settle(self._asked_safely(self._send_first_refund))
        else:
            self._charge(gateway)

    def _charge(self, gateway: Gateway) -> None:
        try:
            ref = gateway.prepare(
                key=self.key, amount=self.amount, currency=self.currency, token=self.card_token
            )
        except Exception as error:
            log.exception("Attempt %s: the gateway did not take the charge down", self.key)
            never = _now("The gateway did not answer. The card was not charged; it is safe to try again.")
            reason = reason_of(error)
            refused = Outcome(
                AttemptState.NOT_CHARGED, message=reason or never, hard=isinstance(error, ValueError)
            )
            self.settle(refused, expected_ref="")
            return
        if not self._write_down(ref):
            self.refresh_from_db(fields=["state", "message", "settled_at"])
            return
        outside_transaction()
        self.settle(self._asked_safely(lambda gateway: gateway.confirm(ref, key=self.key)))

    def _gateway(self) -> Gateway:
        return gateways.get(self.gateway)

    def _write_down(self, ref: str) -> bool:
        """Put the gateway's reference on disk before any money can move; False when the resolver closed the
        attempt.
        """
        waiting = type(self).objects.filter(pk=self.pk, state=AttemptState.STARTED, gateway_ref="")
        if not waiting.update(gateway_ref=ref):
            return False
        self.gateway_ref = ref
        return True

    def _send_first_refund(self, gateway: Gateway) -> Outcome:
        """Nobody can have sent it before: when the gateway does not know us, nothing went back."""
        try:
            return self._send_refund(gateway)
        except NotOurGateway as stranger:
            log.exception("Attempt %s: the gateway does not know us", self.key)
            return Outcome(AttemptState.NOT_CHARGED, message=str(stranger))

    def _send_refund(self, gateway: Gateway) -> Outcome:
        """Raises TimeoutError once the gateway may have forgotten the key, even to a process that slept."""
        assert self.refund_of is not None  # a constraint of the table
        if timezone.now() - self.started_at >= SAME_KEY_FOR:
            raise TimeoutError("The gateway may have forgotten this key: it could refund twice.")
        return gateway.refund(
            self.refund_of.gateway_ref, key=self.key, amount=self.amount, currency=self.currency
        )

    def _asked_safely(self, ask: Callable[[Gateway], Outcome]) -> Outcome:
        """The gateway's answer, or *unknown* for whatever kept it from answering."""
        try:
            outcome = ask(self._gateway())
        except Exception:
            log.exception("Attempt %s: the gateway gave no answer", self.key)
            return Outcome(AttemptState.UNKNOWN, ref=self.gateway_ref)
        return outcome

    # -- asking

    def ask(self, *, at: datetime) -> None:
        """Ask the gateway how this ended and settle it. Never charges again. No transaction may be open."""
        outside_transaction()
        if self.is_final:
            return
        is_open = self.state == AttemptState.PAGE_OPEN
        if is_open and (at - self.started_at > PAGE_LIVES or not self.page_ref or self._is_outdated()):
            self.close_page(at=at)
        elif is_open or (self.page_ref and not self.gateway_ref):
            self._ask_page(at, lambda gateway: gateway.page_result(self.page_ref))
        elif self.kind == AttemptKind.REFUND:
            self.settle(self._asked_safely(lambda gateway: self._ask_refund(gateway, at)), at=at)
        elif not self.gateway_ref:
            words = _now("The charge never reached the gateway. The card was not charged.")
            self.settle(Outcome(AttemptState.NOT_CHARGED, message=words), expected_ref="", at=at)
        else:
            self.settle(self._asked_safely(self._ask_charge), at=at)

    def _is_outdated(self) -> bool:
        """Whether the page asks for what is not owed any more: it could not be closed when that changed."""
        self.invoice.refresh_from_db(fields=["status", "balance"])
        return not self.invoice.is_owing or self.amount != self.invoice.balance

    def cancel(self, by: Actor, *, at: datetime) -> None:
        """Call off a charge that waits for the customer. Raises NotAllowed, NotOffered.

        The gateway's answer decides: it may say it was paid.
        """
        outside_transaction()
        if not may(by, ACTIONS["pay"].codename):
            raise NotAllowed(role_sentence(ACTIONS["pay"]))
        if not self.can_be_cancelled:
            raise NotOffered(
                _now("This attempt is “%(state)s”: only one that waits for the customer can be cancelled.")
                % {"state": self.get_state_display()}
            )
        words = _now("The card company was asked to call off the charge of %(amount)s.")
        text = words % {"amount": money.show(self.amount, self.currency)}
        tell(self.invoice, by, "cancel_charge", Deed(text, related={"attempt": self}))
        self.settle(self._asked_safely(lambda gateway: gateway.cancel(self.gateway_ref)), at=at)

    def _ask_charge(self, gateway: Gateway) -> Outcome:
        outcome = gateway.retrieve(self.gateway_ref)
        if outcome.state == AttemptState.STARTED:  # written down at the gateway, never confirmed
            return gateway.cancel(self.gateway_ref)
        return outcome

    def _ask_refund(self, gateway: Gateway, at: datetime) -> Outcome:
        assert self.refund_of is not None
        found = gateway.find_refund(self.refund_of.gateway_ref, key=self.key)
        if found:
            return found
        age = at - self.started_at
        if age < SAME_KEY_FOR:
            return self._send_refund(gateway)
        if age < REFUND_NEVER_CAME_AFTER:
            return Outcome(AttemptState.UNKNOWN)
        words = _now("The gateway knows of no such refund. No money went back; it is safe to try again.")
        return Outcome(AttemptState.NOT_CHARGED, message=words)

    # -- hosted pages

    def open_page(self, *, description: str, return_url: str, cancel_url: str) -> Page:
        """The hosted page of this attempt: a key has one page, however often it is opened.

        Raises NotOffered when there is none after all; no customer has learnt the address of one then.
        """
        outside_transaction()
        try:
            page = self._gateway().pay_page(
                key=self.key,
                amount=self.amount,
                currency=self.currency,
                description=description,
                remember=self.remember_card,
                customer=self._customer() if self.remember_card else "",
                return_url=return_url,
                cancel_url=cancel_url,
            )
        except Exception as error:
            log.exception("Attempt %s: the gateway opened no page", self.key)
            raise self._without_page(reason_of(error)) from error
        if not self._write_page_down(page):
            self._expire_unseen(page)
            raise NotOffered(_now("The invoice changed at this very moment. Please look again."))
        return page

    def _without_page(self, reason: str) -> NotOffered:
        """Close the attempt if the gateway will never open its page, unless it did before: that one stays
        where the customer has it. After no answer it stays open too: the gateway may be at work on the first
        of two clicks, and under the same key a later one is led to the same page.

        What the gateway refused, and why, is for staff; the customer cannot mend it.
        """
        if reason:
            words = _now(
                "The card company does not take this payment, so no payment page could be opened. Please get"
                " in touch with us."
            )
        else:
            words = _now(
                "The card company did not answer, so no payment page could be opened. Please try again in a"
                " few minutes."
            )
        if reason and not self.page_ref:
            self.settle(Outcome(AttemptState.NOT_CHARGED, message=reason), expected_ref="")
        if reason:
            text = _now("No payment page could be opened: %(reason)s") % {"reason": reason}
            tell(self.invoice, None, "no_page", Deed(text, related={"attempt": self}))
        return NotOffered(words)

    def _customer(self) -> str:
        return Customer.ref_of(self.invoice.contact, gateway=self.gateway)

    def _write_page_down(self, page: Page) -> bool:
        """Put the page's reference on disk before the customer learns its address; False when the attempt
        was closed meanwhile, so that money paid on the page would find nobody.
        """
        waiting = type(self).objects.open_pages().filter(pk=self.pk, page_ref__in=["", page.ref])
        if not waiting.update(page_ref=page.ref):
            return False
        self.page_ref = page.ref
        return True

    def _expire_unseen(self, page: Page) -> None:
        try:
            self._gateway().expire_page(page.ref)
        except Exception:
            log.exception("Attempt %s: the page that nobody was sent to stays open", self.key)

    def close_page(self, *, at: datetime) -> None:
        """Close the hosted page; if the customer was quicker, settle what they did. No transaction may be
        open.
        """
        outside_transaction()
        if not self.page_ref:  # it was never opened, unless it is being opened at this moment
            self.settle(Outcome(AttemptState.NOT_CHARGED), expected_ref="", at=at)
        if self.page_ref and self.state == AttemptState.PAGE_OPEN:
            self._ask_page(at, lambda gateway: gateway.expire_page(self.page_ref))

    def _ask_page(self, at: datetime, ask: Callable[[Gateway], PageResult]) -> None:
        try:
            result = ask(self._gateway())
        except Exception:
            log.exception("Attempt %s: the gateway did not say how its page stands", self.key)
            return
        self.settle_page(result, at)

    def settle_page(self, result: PageResult, at: datetime) -> None:
        """Take what a hosted page came to: money, an expiry, or nothing yet."""
        if result.outcome:
            self.settle(result.outcome, card=result.card, at=at)
        elif result.expired:
            self.settle(
                Outcome(AttemptState.NOT_CHARGED, message=_now("The payment page was closed.")), at=at
            )

    # -- settling

    def settle(
        self,
        outcome: Outcome,
        *,
        card: CardDetails | None = None,
        expected_ref: str | None = None,
        at: datetime | None = None,
    ) -> None:
        """Turn the gateway's answer into money, once, however often and from wherever it is told.

        ``expected_ref``: do nothing if a reference has changed since the answer was decided.
        """
        at = at or timezone.now()
        page_ref = self.page_ref
        with transaction.atomic(durable=True):
            invoice = self.invoice
            invoice.lock()
            self.refresh_from_db(from_queryset=type(self).objects.select_for_update(of=("self",)))
            self.invoice = invoice  # the locked one, which the caller may hold too
            outcome = self._about_this(outcome)
            refs = (self.gateway_ref, self.page_ref)
            moved_on = expected_ref is not None and refs != (expected_ref, page_ref)
            if moved_on or (self.is_final and not self._proves_wrong(outcome)):
                return
            if outcome.state in FINAL:
                self._finish(outcome, card, at)
            else:
                self._wait(outcome)

    def _about_this(self, outcome: Outcome) -> Outcome:
        """The answer, or none when it is about another charge or refund than the one on our books."""
        if not outcome.ref or self.gateway_ref in ("", outcome.ref):
            return outcome
        log.error(
            "Attempt %s: the gateway answered about %s, not %s", self.key, outcome.ref, self.gateway_ref
        )
        return Outcome(AttemptState.UNKNOWN)

    def _proves_wrong(self, outcome: Outcome) -> bool:
        """Whether the gateway moved money after it had said that it never would: booked, with an alarm.

        Payments are final: the one that says *declined* stays, and an applied one comes beside it.
        """
        wrong = self.state != AttemptState.APPROVED and outcome.state == AttemptState.APPROVED
        if wrong:
            log.error("Attempt %s: the gateway moved money after it had said that it would not", self.key)
        return wrong

    def _finish(self, outcome: Outcome, card: CardDetails | None, at: datetime) -> None:
        nobody_came = self.state == AttemptState.PAGE_OPEN and outcome.state == AttemptState.NOT_CHARGED
        self.state = outcome.state
        self.gateway_ref = outcome.ref or self.gateway_ref
        self.code, self.message, self.is_hard = fit(outcome.code, 60), fit(outcome.message, 255), outcome.hard
        self.settled_at = at
        self.save(update_fields=["state", "gateway_ref", "code", "message", "is_hard", "settled_at"])
        if not nobody_came:  # a page that was closed unused blocked nothing and is no news
            self.invoice.book(self, card=card, at=at)

    def _wait(self, outcome: Outcome) -> None:
        """Not final: the resolver asks on.

        No answer says nothing new about an attempt of which the gateway has said something before. While
        another attempt is in flight, a page goes on waiting where it is.
        """
        blocked = self.state == AttemptState.PAGE_OPEN and self.invoice.awaiting_gateway
        known = outcome.state == AttemptState.UNKNOWN and self.state in TOLD
        if blocked or known:
            return
        before = self.state
        self.state = outcome.state if outcome.state != AttemptState.STARTED else self.state
        self.gateway_ref = outcome.ref or self.gateway_ref
        self.code, self.message = fit(outcome.code, 60), fit(outcome.message, 255)
        self.save(update_fields=["state", "gateway_ref", "code", "message"])
        if self.state != before:
            self.invoice.wait_for(self)

    @classmethod
    def start(cls, invoice: Invoice, by: Actor, *, kind: AttemptKind, gateway: str, **given: Any) -> Attempt:
        """Write the attempt down, in the caller's transaction, before the gateway hears of it.

        Raises NotOffered when a customer could pay on an open page at the same time.
        """
        if kind == AttemptKind.CHARGE and cls.objects.open_pages().filter(invoice=invoice).exists():
            words = _now(
                "A payment page of %(invoice)s is open and has not been closed yet. Nothing was charged;"
                " please try again in a minute."
            )
            raise NotOffered(words % {"invoice": invoice})
        now = timezone.now()
        return cls.objects.create(
            invoice=invoice,
            kind=kind,
            gateway=gateway,
            currency=invoice.currency,
            started_by=by,
            started_at=now,
            due_at=now + GRACE,
            **given,
        )


def next_time(asked: int, at: datetime) -> datetime:
    """2, 4, 8 … minutes after ``at``, at most a day."""
    return at + timedelta(minutes=min(2 ** min(asked, 11), 24 * 60))
