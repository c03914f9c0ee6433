"""The dialogs of the guarded actions: what each asks, and what it says will happen. What it does is the
model's method.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from functools import cached_property
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock, money
from billing.forms.days import DayField
from billing.forms.dialog import Dialog, Subject
from billing.forms.fields import AmountField, PlainTextField, RecipientField, check_precision
from billing.forms.preview import MOST_COMMISSIONS, Change, Earned, Preview, earned
from billing.mail import Message
from billing.models import Card, Invoice, Payment
from billing.models.earning import digest
from billing.models.partners.settling import Claim, changed
from billing.models.refunding import Share, moves
from billing.statuses import InvoiceStatus, PaymentMethod, RefundRoute

EXPIRED = _("This card has expired; the charge will probably be declined.")


def moment_words(at: datetime | None) -> str:
    """``5 Mar 2026``, or ``never``."""
    return date_format(timezone.localtime(at), "j M Y") if at else _now("never")


class ActionForm(Dialog):
    """A dialog on one invoice."""

    def __init__(self, *args: Any, invoice: Invoice, user: User, **kwargs: Any) -> None:
        super().__init__(*args, about=invoice, user=user, **kwargs)
        self.invoice = invoice

    @property
    def subject(self) -> Subject:
        return self.invoice

    def show(self, amount: Decimal) -> str:
        return self.invoice.show(amount)

    def change_to(self, status: InvoiceStatus, balance: Decimal, *more: Change) -> list[Change]:
        return [
            Change(_now("Status"), str(self.invoice.get_status_display()), str(status.label)),
            Change(_now("Balance"), self.show(self.invoice.balance), self.show(balance)),
            *more,
        ]

    def receipt_mail(self, wanted: Any, what: str) -> list[str]:
        email = self.invoice.contact.email
        return [_now("%(what)s to %(email)s") % {"what": what, "email": email}] if wanted and email else []


class AmountMixin(ActionForm):
    """A dialog that asks for an amount up to ``limit``."""

    @property
    def limit(self) -> Decimal:
        raise NotImplementedError

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        check_precision(str(self.fields["amount"].label), amount, self.invoice.currency)
        if amount <= 0:
            raise ValidationError(
                _now("Amount is %(value)s: it must be more than 0.") % {"value": f"{amount:f}"}
            )
        if amount > self.limit:
            raise ValidationError(
                _now("Amount is %(value)s: at most %(limit)s is possible.")
                % {"value": self.show(amount), "limit": self.show(self.limit)}
            )
        return amount

    def current_amount(self) -> Decimal:
        """The amount typed, held within what is possible; for the preview only."""
        amount = self.current("amount")
        return min(max(amount, Decimal(0)), self.limit) if amount is not None else self.limit

    def offer_amount(self) -> None:
        self.fields["amount"].initial = money.plain(self.limit, self.invoice.currency)

    def offer_receipt(self) -> None:
        """Without an address there is nobody to send to: the box says so and cannot be ticked."""
        field = self.fields["send_receipt"]
        email = self.invoice.contact.email
        field.disabled = not email
        field.initial = bool(email)
        field.help_text = email or _now("%(name)s has no e-mail address.") % {
            "name": self.invoice.contact.name
        }


class PayForm(AmountMixin):
    verb = "pay"
    source = forms.ChoiceField(
        label=_("Pay with"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Pay with is missing: choose a card or how the money came."),
            "invalid_choice": _("Pay with is “%(value)s”: it is not offered for this contact."),
        },
    )
    amount = AmountField(label=_("Amount"))
    reference = PlainTextField(
        label=_("Reference"), max_length=100, required=False, help_text=_("For example the cheque's number.")
    )
    received_on = DayField(label=_("Date received"), required=False)
    send_receipt = forms.BooleanField(label=_("Send a receipt"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        cards = [(f"card:{card.pk}", card.choice_label) for card in self.cards.values()]
        offline = [(m.value, m.label) for m in PaymentMethod if m != PaymentMethod.CARD]
        source = self.fields["source"]
        assert isinstance(source, forms.ChoiceField)
        source.choices = [*cards, *offline]
        usable = next((f"card:{card.pk}" for card in self.cards.values() if not card.has_expired), None)
        source.initial = usable or PaymentMethod.CHEQUE.value
        self.fields["received_on"].initial = clock.today
        self.offer_amount()
        self.offer_receipt()

    @cached_property
    def cards(self) -> dict[str, Card]:
        return {str(card.pk): card for card in Card.objects.on_file(self.invoice.contact)}

    @property
    def limit(self) -> Decimal:
        return self.invoice.balance

    def clean_source(self) -> Card | PaymentMethod:
        kind, _colon, pk = self.cleaned_data["source"].partition(":")
        return self.cards[pk] if kind == PaymentMethod.CARD else PaymentMethod(kind)

    def clean_received_on(self) -> Any:
        day = self.cleaned_data["received_on"] or clock.today()
        if day > clock.today():
            raise ValidationError(_now("Date received is %(day)s: it is in the future.") % {"day": day})
        return day

    def preview(self) -> Preview:
        amount = self.current_amount()
        left = self.invoice.balance - amount
        status = InvoiceStatus(self.invoice.status) if left else InvoiceStatus.CLOSED
        source = str(self.current("source") or "")
        card = self.cards.get(source.removeprefix("card:"))
        words = {"amount": self.show(amount), "to": card or ""}
        if card:
            deed, moving = (
                _now("Charge %(amount)s to %(to)s"),
                _now("Money moves: %(to)s is charged %(amount)s now."),
            )
            undo = _now(
                "A charge can be refunded, not undone. If it is declined, you choose what becomes"
                " of the invoice."
            )
        else:
            deed = _now("Record %(amount)s")
            moving = _now("No money is moved: %(amount)s that came another way is recorded.")
            undo = _now("A recorded payment is final; a refund can be recorded against it.")
        return Preview(
            sentence=(deed + ".") % words,
            deed=deed % words,
            changes=self.change_to(status, left),
            money=moving % words,
            mails=self._mails(is_all=not left),
            undo=undo,
            warnings=[*self._expiry(card), *self.invoice.cautions(amount, at=clock.now())],
            commissions=[] if left else earned(changed(self.invoice.commissions_if_closed())),
        )

    def _mails(self, *, is_all: bool) -> list[str]:
        """The mail that tells of a recovery takes the place of the receipt."""
        schedule = self.invoice.schedule() if is_all else None
        if schedule and schedule.mails_recovered:
            return self.receipt_mail(schedule, _now("The news that it is paid after all"))
        return self.receipt_mail(self.current("send_receipt"), _now("Receipt"))

    def _expiry(self, card: Card | None) -> Iterator[str]:
        if card and card.has_expired:
            yield str(EXPIRED)


class MailForm(ActionForm):
    """A dialog that sends a mail; ``message`` stands above the mail's own words."""

    recipient = RecipientField()
    message = PlainTextField(
        label=_("Personal message"), max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["recipient"].initial = self.invoice.contact.email or ""

    def mail(self) -> Message:
        """The mail as it would be sent now, for the dialog."""
        raise NotImplementedError

    def _preview(self, sentence: str, deed: str) -> Preview:
        to = self.current("recipient") or _now("the address above")
        return Preview(
            sentence=sentence,
            deed=deed,
            money=_now("No money moves and the invoice does not change."),
            mails=[_now("One e-mail to %(to)s") % {"to": to}],
            undo=_now("A sent e-mail cannot be called back."),
        )


class RequestPaymentForm(MailForm):
    verb = "request_payment"

    def mail(self) -> Message:
        return self.invoice.payment_request(str(self.current("message") or ""))

    def preview(self) -> Preview:
        words = {"balance": self.show(self.invoice.balance), "name": self.invoice.contact.name}
        return self._preview(
            _now("Ask %(name)s to pay %(balance)s, with links to the invoice and the pay page.") % words,
            _now("Request %(balance)s") % words,
        )


class SendReceiptForm(MailForm):
    verb = "send_receipt"

    def mail(self) -> Message:
        return self.invoice.receipt(str(self.current("message") or ""))

    def preview(self) -> Preview:
        words = {"invoice": self.invoice, "status": self.invoice.get_status_display()}
        return self._preview(
            _now("Send a receipt of %(invoice)s that states its status, %(status)s, and what was paid.")
            % words,
            _now("Send receipt"),
        )


class RefundForm(AmountMixin):
    verb = "refund"
    amount = AmountField(label=_("Amount"))
    route = forms.ChoiceField(
        label=_("How"),
        choices=RefundRoute.choices,
        widget=forms.RadioSelect,
        error_messages={
            "required": _("How is missing: choose how the money goes back."),
            "invalid_choice": _("How is “%(value)s”: it is not offered for this money."),
        },
    )
    reason = PlainTextField(label=_("Reason"), max_length=255, required=False)
    send_receipt = forms.BooleanField(label=_("Send a refund receipt"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        route = self.fields["route"]
        assert isinstance(route, forms.ChoiceField)
        routes = list(RefundRoute)
        if not any(moves(payment, RefundRoute.GATEWAY) for payment in self.payments):
            routes = [RefundRoute.RECORDED]
            route.help_text = _now("No gateway took this money, so none can return it.")
        route.choices = [(each.value, each.label) for each in routes]
        route.initial = routes[0].value
        self.offer_amount()
        self.offer_receipt()

    @cached_property
    def payments(self) -> list[Payment]:
        """The payments that the refund may take from, the latest first."""
        return list(Payment.objects.refundable().filter(invoice=self.invoice))

    @property
    def limit(self) -> Decimal:
        return sum((payment.refundable for payment in self.payments), Decimal(0))

    def shares(self) -> list[Share]:
        return self.invoice.shares_of(
            self.current_amount(), str(self.current("route") or RefundRoute.GATEWAY)
        )

    def preview(self) -> Preview:
        amount, shares = self.current_amount(), self.shares()
        kept = self.invoice.paid - amount
        status = InvoiceStatus(self.invoice.status)
        if status == InvoiceStatus.CLOSED and not kept:
            status = InvoiceStatus.REFUNDED
        balance = self.invoice.balance + amount if self.invoice.is_owing else self.invoice.balance
        moving = [share for share in shares if share.moves]
        cards = ", ".join(share.payment.method_label for share in moving)
        words = {"amount": self.show(amount), "cards": cards}
        deed = _now("Refund %(amount)s to %(cards)s") if moving else _now("Record a refund of %(amount)s")
        return Preview(
            sentence=(deed + ".") % words,
            deed=deed % words,
            changes=self.change_to(
                status, balance, Change(_now("Paid"), self.show(self.invoice.paid), self.show(kept))
            ),
            money=" ".join(self._movement(share) for share in shares),
            mails=self.receipt_mail(self.current("send_receipt"), _now("Refund receipt")),
            undo=_now("A refund is final: the customer would have to pay again."),
            commissions=earned(changed(self.invoice.commissions_if(status, returned=amount))),
        )

    def _movement(self, share: Share) -> str:
        words = {"amount": self.show(share.amount), "method": share.payment.method_label}
        if share.moves:
            return _now("Money moves: %(amount)s goes back to %(method)s.") % words
        return _now("%(amount)s of %(method)s is only recorded.") % words


class RefundPaymentForm(RefundForm):
    """The same questions about one payment."""

    def __init__(self, *args: Any, payment: Payment, **kwargs: Any) -> None:
        self.payment = payment
        super().__init__(*args, **kwargs)

    @cached_property
    def payments(self) -> list[Payment]:
        return [self.payment]

    @property
    def subject(self) -> Subject:
        return self.payment

    def shares(self) -> list[Share]:
        route = str(self.current("route") or RefundRoute.GATEWAY)
        return [Share(self.payment, self.current_amount(), moves(self.payment, route))]


class ReasonForm(ActionForm):
    reason = PlainTextField(label=_("Reason"), max_length=255, required=False)


class VoidForm(ReasonForm):
    verb = "void"

    def preview(self) -> Preview:
        return Preview(
            sentence=_now("Cancel %(invoice)s and keep its record.") % {"invoice": self.invoice},
            deed=_now("Void %(invoice)s") % {"invoice": self.invoice},
            changes=self.change_to(InvoiceStatus.VOIDED, Decimal(0)),
            money=_now("No money moves."),
            undo=_now("Voided is the end: it cannot be undone."),
            warnings=list(self._what_stays()),
            commissions=earned(changed(self.invoice.commissions_if(InvoiceStatus.VOIDED))),
        )

    def _what_stays(self) -> Iterator[str]:
        for order in self.invoice.started_orders.unended().order_by("pk"):
            yield _now("%(order)s was started by it and goes on: cancel that too if it is not meant.") % {
                "order": order
            }
        if self.invoice.paid:
            yield _now(
                "Voiding returns no money: %(paid)s stays paid. Refund it first if the customer should have"
                " it back."
            ) % {"paid": self.show(self.invoice.paid)}


class WriteOffForm(ReasonForm):
    verb = "write_off"

    def preview(self) -> Preview:
        words = {"invoice": self.invoice, "balance": self.show(self.invoice.balance)}
        return Preview(
            sentence=_now("Mark the %(balance)s owed on %(invoice)s as bad debt.") % words,
            deed=_now("Write off %(balance)s") % words,
            changes=self.change_to(
                InvoiceStatus.WRITTEN_OFF,
                Decimal(0),
                Change(_now("Written off"), self.show(Decimal(0)), self.show(self.invoice.balance)),
            ),
            money=_now("No money moves; what was paid stays paid."),
            undo=_now("A written-off invoice can only be voided."),
        )


class RerunCommissionsForm(ActionForm):
    """``shown`` stands for the outcome in the preview, so that no other one is stored."""

    verb = "rerun_commissions"
    shown = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["shown"].initial = self._digest

    @cached_property
    def claims(self) -> list[Claim]:
        return self.invoice.commissions_anew()

    def _digest(self) -> str:
        return digest(self.claims)

    def preview(self) -> Preview:
        differing = [claim for claim in self.claims if claim.difference]
        ordered = [*differing, *(claim for claim in self.claims if claim.due and not claim.difference)]
        words = {"invoice": self.invoice}
        return Preview(
            sentence=(
                _now("Work out who is due what on %(invoice)s, as its customer's referrers are now.")
                if differing
                else _now("Nothing would change: the commissions of %(invoice)s are as they are due.")
            )
            % words,
            deed=_now("Re-run commissions"),
            money=_now("No money moves. What was paid out already is taken back by a clawback only."),
            undo=_now("It can be run again: it changes nothing the second time."),
            commissions=[self._line(claim) for claim in ordered[:MOST_COMMISSIONS]],
            more_commissions=max(0, len(ordered) - MOST_COMMISSIONS),
        )

    def _line(self, claim: Claim) -> Earned:
        words = {"partner": claim.partner, "level": claim.level, "product": claim.line.description}
        return Earned(
            _now("%(partner)s, level %(level)s: %(product)s") % words,
            self.show(claim.now),
            self.show(claim.due),
            self.show(claim.difference) if claim.difference else "",
        )


class DeleteForm(ActionForm):
    verb = "discard"

    def preview(self) -> Preview:
        words = {"invoice": self.invoice, "count": self.invoice.line_count}
        return Preview(
            sentence=_now("Delete %(invoice)s and its %(count)s lines, from the purchase history too.")
            % words,
            deed=_now("Delete %(invoice)s") % words,
            money=_now("No money moves; a draft never had a number."),
            undo=_now("It cannot be undone."),
        )


class MarkUnpaidForm(ActionForm):
    verb = "mark_unpaid"

    def preview(self) -> Preview:
        return Preview(
            sentence=_now("Keep %(invoice)s Open, so that another card can be tried.")
            % {"invoice": self.invoice},
            deed=_now("Mark unpaid"),
            changes=self.change_to(InvoiceStatus.OPEN, self.invoice.balance),
            money=_now("No money moves."),
        )


class RunCollectionsForm(ActionForm):
    verb = "run_collections"

    def preview(self) -> Preview:
        now = clock.now()
        schedule = self.invoice.schedule_from(now)
        next_at = schedule.next_at(now, made=0)
        words = {"invoice": self.invoice, "outlook": self.invoice.outlook_of(schedule, next_at)}
        return Preview(
            sentence=_now("Move %(invoice)s to Collections. %(outlook)s") % words,
            deed=_now("Run collections"),
            changes=self.change_to(
                InvoiceStatus.COLLECTIONS,
                self.invoice.balance,
                Change(_now("Next charge"), _now("never"), moment_words(next_at)),
            ),
            money=_now("No money moves now."),
            undo=_now("Mark it unpaid, and nothing more is charged by itself."),
        )


class RetryForm(ActionForm):
    """Charging what is in Collections before its next date, to the same card or another one."""

    verb = "retry"
    card = forms.ChoiceField(
        label=_("Charge to"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Charge to is missing: choose a card."),
            "invalid_choice": _("Charge to is “%(value)s”: it is not on file for this contact."),
        },
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cards = {str(card.pk): card for card in Card.objects.on_file(self.invoice.contact)}
        self.schedule = self.invoice.schedule()
        card = self.fields["card"]
        assert isinstance(card, forms.ChoiceField)
        card.choices = [(pk, each.choice_label) for pk, each in self.cards.items()]
        usable = [pk for pk, each in self.cards.items() if not each.has_expired]
        tried = str(self.schedule.card_id) if self.schedule else ""
        card.initial = next((pk for pk in usable if pk != tried), tried)
        if not self.cards:
            card.help_text = _now("%(name)s has no card on file.") % {"name": self.invoice.contact.name}

    def clean_card(self) -> Card:
        return self.cards[self.cleaned_data["card"]]

    def preview(self) -> Preview:
        card = self.cards.get(str(self.current("card")))
        words = {"card": card or _now("a card"), "balance": self.show(self.invoice.balance)}
        before = self.schedule.card if self.schedule else None
        return Preview(
            sentence=_now("Charge %(balance)s to %(card)s, and retry that card from now on.") % words,
            deed=_now("Charge %(balance)s to %(card)s") % words,
            changes=[Change(_now("Card"), str(before or _now("no card")), str(card or before or ""))],
            money=_now("Money moves: %(card)s is charged %(balance)s within minutes.") % words,
            mails=list(self._mails()),
            undo=_now("A charge can be refunded, not undone. Declined, the invoice stays in Collections."),
            warnings=[str(EXPIRED)] if card and card.has_expired else [],
        )

    def _mails(self) -> Iterator[str]:
        email = self.invoice.contact.email
        if email:
            yield _now("A receipt, or the news that it was declined, to %(email)s") % {"email": email}


FORMS: dict[str, type[ActionForm]] = {
    "pay": PayForm,
    "request_payment": RequestPaymentForm,
    "send_receipt": SendReceiptForm,
    "refund": RefundForm,
    "void": VoidForm,
    "write_off": WriteOffForm,
    "rerun_commissions": RerunCommissionsForm,
    "delete": DeleteForm,
    "mark_unpaid": MarkUnpaidForm,
    "run_collections": RunCollectionsForm,
    "retry": RetryForm,
}
"""The dialog of each action that has one."""

PAYMENT_FORMS: dict[str, type[ActionForm]] = {"refund": RefundPaymentForm}
