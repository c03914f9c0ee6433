"""The invoice editor: header, lines and what follows, for a new invoice, a draft, or an open one."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.db.models import Q
from django.http import QueryDict
from django.utils.translation import gettext as _now

from billing import clock, money
from billing.forms.header import HeaderForm
from billing.forms.lines import Lines
from billing.forms.steps import WISHES, ChargeStep, DraftStep, SaveStep, Step
from billing.forms.taxes import Taxes
from billing.models import Attempt, Event, Invoice
from billing.models.coupons.discount import Discount
from billing.models.editing import totals_of
from billing.models.guard import AlreadyDone, Invalid, OneTimeKey, Refused
from billing.money import ZERO
from billing.statuses import InvoiceStatus
from contacts.models import Contact


class Ticket(forms.Form):
    """What makes a second click harmless (``key``) and notices that somebody else was quicker (``seen``)."""

    key = forms.UUIDField()
    seen = forms.IntegerField(min_value=0, max_value=2**31)


@dataclass(frozen=True, slots=True)
class Totals:
    """What the lines come to, in words for the page; ``missing`` tells what could not be counted."""

    total: Decimal
    currency: str
    subtotal: str
    tax: str
    shipping: str
    shown: str
    coupon: str
    coupon_off: str
    lines: list[str]
    coupons: list[str]
    terms: list[str]
    missing: list[str]

    @property
    def seen(self) -> str:
        """The total for machines, to notice that the agent looked at another one."""
        return f"{self.currency} {money.plain(self.total, self.currency)}"


@dataclass(slots=True)
class Saved:
    """What became of it: the invoice, one sentence per thing that was done, and what could not be done."""

    invoice: Invoice
    done: list[str] = field(default_factory=list)
    problem: str = ""
    attempt: Attempt | None = None


class Editor:
    """``data``: what was posted, or None to show what is stored."""

    def __init__(
        self, user: User, *, contact: Contact, invoice: Invoice | None = None, data: QueryDict | None = None
    ) -> None:
        self.user, self.contact, self.invoice, self.data = user, contact, invoice, data
        self.header = HeaderForm(data, initial=HeaderForm.asked_of(invoice))
        taxes = Taxes(invoice)
        self.lines = Lines.of(invoice, taxes) if data is None else Lines.typed(data, taxes)
        ticket = Ticket(data)
        readable = ticket.cleaned_data if ticket.is_valid() or ticket.is_bound else {}
        self.key: uuid.UUID | None = readable.get("key") or (uuid.uuid4() if data is None else None)
        self.seen: int | None = invoice.version if invoice and data is None else readable.get("seen")
        self.steps = self._steps()
        self.problems: list[str] = []
        self.discount: Discount | None = None
        self.coupon_problem = ""

    @property
    def one_time_key(self) -> OneTimeKey:
        if self.invoice is None:
            return OneTimeKey(self.key, self.user, "create", Q(contact=self.contact))
        return self.invoice.one_time_key(self.key, self.user, "edit")

    # -- what the agent may wish

    @property
    def is_issued(self) -> bool:
        return self.invoice is not None and self.invoice.status != InvoiceStatus.DRAFT

    def _steps(self) -> dict[str, Step]:
        kinds: tuple[type[Step], ...] = (SaveStep,) if self.is_issued else WISHES
        self.mode = SaveStep.mode if self.is_issued else self._posted("mode")
        steps = {
            kind.mode: kind(contact=self.contact, data=self.data, chosen=self.mode == kind.mode)
            for kind in kinds
        }
        if self.data is None and not self.is_issued:
            self.mode = self._first_wish(steps)
        return steps

    def _posted(self, name: str) -> str:
        return self.data.get(name, "") if self.data is not None else ""

    def _first_wish(self, steps: dict[str, Step]) -> str:
        """Drafts stay drafts unless somebody says otherwise; a new invoice wants what is most use."""
        if self.invoice:
            return DraftStep.mode
        ready = (mode for mode, step in steps.items() if not step.impossible and not step.refusal(self.user))
        return next((mode for mode in ready if mode != "record" and self._can_reach(mode)), DraftStep.mode)

    def _can_reach(self, mode: str) -> bool:
        return mode != "request" or bool(self.contact.email)

    @property
    def step(self) -> Step:
        """The chosen wish. Raises KeyError for one that is not offered."""
        return self.steps[self.mode]

    @property
    def offered(self) -> list[Step]:
        """The wishes that the agent's role includes."""
        return [step for step in self.steps.values() if not step.refusal(self.user)]

    @property
    def may_send(self) -> bool:
        return self.user.has_perm("billing.request_payment_invoice")

    # -- reading what was typed

    def read(self) -> None:
        """Read header and lines, noting errors where they are."""
        given = self._given()
        self.lines.clean(given.get("currency"))
        self._read_coupon(given.get("coupon", ""), given.get("currency", ""))

    def _read_coupon(self, typed: str, currency: str) -> None:
        """See what the coupon takes off these lines. One that cannot be used counts for nothing."""
        self.discount, self.coupon_problem = None, ""
        if not typed or not currency:
            return
        invoice = self.invoice or Invoice(contact=self.contact)
        try:
            self.discount = invoice.discount_for(typed, self.lines.inputs, currency=currency)
        except Invalid as invalid:
            self.coupon_problem = str(invalid)
            if self.header.is_bound and not self.header.has_error("coupon"):
                self.header.add_error("coupon", self.coupon_problem)

    def _given(self) -> dict[str, Any]:
        """The header as far as it can be read, or as it is stored when nothing was typed."""
        self.header.is_valid()
        return self.header.cleaned_data if self.header.is_bound else HeaderForm.asked_of(self.invoice)

    def is_valid(self) -> bool:
        """Whether all of it can be saved. Raises NotAllowed for a wish that the role rules out."""
        self.read()
        if self.mode not in self.steps:
            self.problems.append(
                _now("What you would like to do is “%(value)s”: choose one.") % {"value": self.mode[:40]}
            )
        elif refusal := self.step.refusal(self.user):
            raise refusal
        if self.key is None or (self.invoice and self.seen is None):
            self.problems.append(_now("The page came back incomplete: load it again."))
        valid = self.header.is_valid() and self.lines.is_valid() and not self.problems
        return self._is_step_valid() and valid

    def sentences(self) -> Iterator[str]:
        """Everything that is wrong, for the head of the page; each stands at its field too."""
        forms_read = [self.header, *([self.step] if self.mode in self.steps else [])]
        yield from self.problems
        for each in forms_read:
            for errors in each.errors.values():
                yield from (str(error) for error in errors)
        yield from self.lines.sentences()

    def _is_step_valid(self) -> bool:
        if self.mode not in self.steps:
            return False
        if self.step.impossible:
            self.problems.append(self.step.impossible)
            return False
        if not self.step.is_valid() or not self.header.is_valid() or not self.lines.is_valid():
            return False
        if self.mode != DraftStep.mode and not self.lines.inputs:
            self.problems.append(
                _now("Lines are missing: an invoice needs at least one before it is issued.")
            )
            return False
        totals = self.totals()
        assert totals  # the header is valid
        return self.step.fits(totals.total, totals.currency) and self._looked_at(totals)

    def _looked_at(self, totals: Totals) -> bool:
        """Whether the amount that will be charged is the one that the button said."""
        seen = self._posted("shown")
        if self.mode != ChargeStep.mode or self.step.cleaned_data["amount"] or seen in ("", totals.seen):
            return True
        words = {"now": totals.shown}
        self.problems.append(
            _now(
                "The total has become %(now)s since the button was shown: nothing was charged. Look at it and"
                " press again."
            )
            % words
        )
        return False

    def totals(self) -> Totals | None:
        """What the lines come to once they were :meth:`read`; None while the currency is none."""
        given = self._given()
        currency, shipping = given.get("currency"), Decimal(given.get("shipping") or 0)
        if not currency:
            return None
        discount = self.discount
        sums = totals_of(self.lines.inputs, shipping=shipping, currency=currency, discount=discount)
        if discount:
            self.lines.take_off(sums["coupons"], sums["lines"], currency)
        return Totals(
            total=sums["total"],
            currency=currency,
            subtotal=money.show(sums["subtotal"], currency),
            tax=money.show(sums["tax"], currency),
            shipping=money.show(sums["shipping"], currency),
            shown=money.show(sums["total"], currency),
            coupon=discount.words if discount else "",
            coupon_off=money.show(-sums["coupon"], currency),
            lines=[row.amount for row in self.lines.rows],
            coupons=[row.coupon for row in self.lines.rows],
            terms=[row.terms for row in self.lines.rows],
            missing=[*self.lines.uncounted(), *self._uncounted()],
        )

    def _uncounted(self) -> Iterator[str]:
        yield from map(str, self.header.errors.get("shipping", []))
        if self.coupon_problem:
            yield self.coupon_problem

    def deeds(self) -> Iterator[tuple[Step, str]]:
        """What the button of each wish says now."""
        totals = self.totals()
        closes = totals is not None and not totals.total and self.lines.inputs
        for step in self.offered:
            if closes and step.needs:
                yield step, _now("Create and close: nothing to pay")
                continue
            amount = step.amount_of(totals.total, totals.currency) if totals else ZERO
            shown = money.show(amount, totals.currency) if totals else ""
            yield step, str(step.deed[self.invoice is None]) % {"amount": shown}

    # -- saving

    def save(self) -> Saved:
        """Save, then do what was wished, each under a key of its own made from the page's.

        Raises what saving raises; what goes wrong after it is in the answer, since the invoice exists then.
        """
        event = self._store()
        assert event.invoice is not None
        assert self.key is not None
        saved = Saved(event.invoice, [event.text])
        try:
            for each in self._follow(saved.invoice, self.key):
                saved.done.append(each.text)
                saved.attempt = each.attempt or saved.attempt
        except Refused as refusal:
            saved.problem = str(refusal)
        except AlreadyDone as already:
            saved.attempt = already.event.attempt
        return saved

    def _store(self) -> Event:
        given: dict[str, Any] = {"header": self.header.header(), "lines": self.lines.inputs, "key": self.key}
        if self.invoice is None:
            return Invoice.draft(self.user, contact=self.contact, **given)
        return self.invoice.edit(self.user, seen=self.seen, **given)

    def _follow(self, invoice: Invoice, key: uuid.UUID) -> Iterator[Event]:
        if not self.is_issued:
            if self.mode == DraftStep.mode:
                return
            yield invoice.issue(self.user, at=clock.now(), key=uuid.uuid5(key, "issue"), seen=invoice.version)
            if not invoice.is_owing:  # it asks for nothing
                return
        event = self.step.run(
            invoice, self.user, uuid.uuid5(key, "send" if self.step.mode in SENDING else "pay")
        )
        if event:
            yield event

    def refuse(self, invalid: Invalid) -> None:
        """Note at its field what the model refused."""
        if invalid.field in self.header.fields:
            self.header.add_error(invalid.field, str(invalid))
        else:
            self.problems.append(str(invalid))

    def refresh(self) -> None:
        """Read the stored invoice again, if there is one: the next save is on purpose."""
        self.key = uuid.uuid4()
        if self.invoice:
            self.invoice.refresh_from_db()
            self.seen, self.steps = self.invoice.version, self._steps()


SENDING = ("request", "save")
