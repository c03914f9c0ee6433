"""The dialogs of records that are not an invoice's: unmatched money, disputes, a gateway's messages."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any, ClassVar

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock, money
from billing.forms.dialog import INCOMPLETE
from billing.forms.fields import PlainTextField
from billing.forms.preview import Change, Preview
from billing.models import Dispute, Event, GatewayEvent, Invoice, Payment, UnmatchedMoney
from billing.models.guard import Invalid
from billing.statuses import InvoiceStatus, UnmatchedKind


class RecordForm(forms.Form):
    """A dialog on one record. Its fields are what the verb takes; ``key`` rides along."""

    verb: ClassVar[str]
    key = forms.UUIDField(widget=forms.HiddenInput, required=False, error_messages={"invalid": INCOMPLETE})

    def __init__(self, *args: Any, record: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.record, self.user = record, user
        self.fields["key"].initial = uuid.uuid4

    @property
    def title(self) -> str:
        return str(self.record)

    @classmethod
    def asked(cls) -> list[str]:
        """Names of the fields that the verb takes."""
        return [name for name in cls.base_fields if name not in ("key", "seen")]

    def do(self) -> Event:
        """Call the verb with what was typed. Raises what the verb raises."""
        event: Event = getattr(self.record, self.verb)(self.user, **self.cleaned_data)
        return event

    def preview(self) -> Preview:
        raise NotImplementedError


class InvoiceField(PlainTextField):
    """An invoice by its number. A draft has none, so it cannot be named."""

    def clean(self, value: Any) -> Any:
        number = super().clean(value)
        if isinstance(value, Invoice) or not number:
            return value
        found = Invoice.objects.select_related("contact").filter(number__iexact=number.strip()).first()
        if found is None:
            raise ValidationError(
                _now("Invoice is “%(value)s”: no invoice has this number.") % {"value": number[:40]},
                code="invalid",
            )
        return found


class MatchForm(RecordForm):
    verb = "match"
    invoice = InvoiceField(
        label=_("Invoice"),
        max_length=40,
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": "INV-000017"}),
        error_messages={"required": _("Invoice is missing: type its number.")},
    )

    record: UnmatchedMoney

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.record.kind == UnmatchedKind.REFUND:
            named = Payment.objects.received().filter(
                gateway=self.record.gateway, gateway_ref=self.record.charge_ref
            )
            self.fields["invoice"].initial = named.values_list("invoice__number", flat=True).first() or ""

    def clean_invoice(self) -> Invoice:
        invoice: Invoice = self.cleaned_data["invoice"]
        try:
            self.record.check_fits(invoice)
        except Invalid as invalid:
            raise ValidationError(str(invalid)) from invalid
        return invoice

    def preview(self) -> Preview:
        invoice = self._typed()
        amount = money.show(self.record.amount, self.record.currency)
        words = {"what": self.record, "ref": self.record.ref, "amount": amount, "invoice": invoice or ""}
        return Preview(
            sentence=_now("%(what)s at the gateway, %(ref)s: recorded on the invoice that you name.") % words,
            deed=(_now("Match %(amount)s to %(invoice)s") if invoice else _now("Match %(amount)s")) % words,
            changes=self._changes(invoice) if invoice else [],
            money=_now("No money moves: the gateway has moved it already."),
            undo=_now("A recorded payment is final; what is too much can be refunded."),
            warnings=list(self._not_owed(invoice)) if invoice else [],
        )

    def _typed(self) -> Invoice | None:
        field = self.fields["invoice"]
        value = self["invoice"].data if self.is_bound else self.get_initial_for_field(field, "invoice")
        try:
            found: Invoice = field.clean(value)
            self.record.check_fits(found)
        except (ValidationError, Invalid):
            return None
        return found

    def _changes(self, invoice: Invoice) -> list[Change]:
        status, balance = invoice.get_status_display(), invoice.show(invoice.balance)
        if self.record.kind == UnmatchedKind.REFUND:
            kept = invoice.show(invoice.paid - self.record.amount)
            return [Change(_now("Paid"), invoice.show(invoice.paid), kept)]
        left = max(money.ZERO, invoice.balance - self.record.amount)
        after = InvoiceStatus.CLOSED.label if invoice.is_owing and not left else status
        return [
            Change(_now("Contact"), invoice.contact.name, invoice.contact.name),
            Change(_now("Status"), str(status), str(after)),
            Change(_now("Balance"), balance, invoice.show(left)),
        ]

    def _not_owed(self, invoice: Invoice) -> Iterator[str]:
        over = self.record.amount - invoice.balance
        if self.record.kind != UnmatchedKind.REFUND and over > 0:
            words = _now(
                "%(over)s of it is not owed: %(invoice)s will be overpaid, and refunding it is the next step."
            )
            yield words % {"over": invoice.show(over), "invoice": invoice}


class SetAsideForm(RecordForm):
    verb = "set_aside"
    reason = PlainTextField(
        label=_("Reason"),
        max_length=255,
        error_messages={"required": _("Reason is missing: say why nothing is recorded.")},
    )

    def preview(self) -> Preview:
        words = {"what": self.record, "ref": self.record.ref}
        return Preview(
            sentence=_now("%(what)s at the gateway, %(ref)s: nothing is recorded, and you say why.") % words,
            deed=_now("Set aside"),
            money=_now("No money moves, and no invoice changes."),
            undo=_now("It leaves the list for good; the reason is kept with it."),
        )


class RecordDisputeForm(RecordForm):
    verb = "record"
    seen = forms.IntegerField(
        widget=forms.HiddenInput, required=False, error_messages={"invalid": INCOMPLETE}
    )
    record: Dispute

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.record.payment:
            self.fields["seen"].initial = self.record.payment.invoice.version

    def preview(self) -> Preview:
        amount = money.show(self.record.recordable, self.record.currency)
        payment = self.record.payment
        changes = []
        if payment:
            invoice = payment.invoice
            kept = invoice.show(invoice.paid - self.record.recordable)
            changes = [Change(_now("Paid"), invoice.show(invoice.paid), kept)]
        return Preview(
            sentence=_now("Write down that the customer's bank took %(amount)s back.") % {"amount": amount},
            deed=_now("Record a refund of %(amount)s") % {"amount": amount},
            changes=changes,
            money=_now("No money moves: the bank has taken it already."),
            undo=_now("A refund is final."),
        )


class ReplayForm(RecordForm):
    verb = "replay"
    record: GatewayEvent

    def do(self) -> Event:
        return self.record.replay(self.user, at=clock.now(), **self.cleaned_data)

    def preview(self) -> Preview:
        return Preview(
            sentence=_now("Ask the gateway for the facts behind %(event)s, and book what is missing.")
            % {"event": self.record},
            deed=_now("Replay"),
            money=_now("No money moves; what has been booked is not booked twice."),
            warnings=[self.record.error] if self.record.error else [],
        )


MONEY_FORMS: dict[str, type[RecordForm]] = {"match": MatchForm, "set_aside": SetAsideForm}
DISPUTE_FORMS: dict[str, type[RecordForm]] = {"record": RecordDisputeForm}
NOTICE_FORMS: dict[str, type[RecordForm]] = {"replay": ReplayForm}
