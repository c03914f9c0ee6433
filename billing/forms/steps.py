"""What an agent would like to happen once an invoice is saved: the four wishes of the editor, and what each
asks.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock, money
from billing.actions import named
from billing.forms.days import DayField
from billing.forms.fields import AmountField, PlainTextField, RecipientField, check_precision
from billing.models import Card, Event, Invoice
from billing.models.guard import NotAllowed
from billing.models.offering import role_sentence
from billing.statuses import PaymentMethod
from contacts.models import Contact

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

OFFLINE = [(method.value, method.label) for method in PaymentMethod if method != PaymentMethod.CARD]


class Step(forms.Form):
    """One wish. Only the chosen one is read; what was typed for the others stays on the page.

    ``needs``: the actions that it takes after saving. ``deed``: what the button says, by whether the invoice
    is new; it may hold ``%(amount)s``.
    """

    mode: ClassVar[str]
    label: ClassVar[StrOrPromise]
    needs: ClassVar[tuple[str, ...]] = ()
    deed: ClassVar[dict[bool, StrOrPromise]]

    def __init__(self, *, contact: Contact, data: QueryDict | None, chosen: bool) -> None:
        initial = {} if data is None or chosen else self._typed(data)
        super().__init__(data if chosen else None, prefix=self.mode, initial=initial)
        self.contact = contact

    @classmethod
    def _typed(cls, data: QueryDict) -> dict[str, Any]:
        values = {name: data.get(f"{cls.mode}-{name}") for name in cls.base_fields}
        return {
            name: bool(value) if isinstance(cls.base_fields[name], forms.BooleanField) else value
            for name, value in values.items()
        }

    def refusal(self, user: User) -> NotAllowed | None:
        """Why the role of ``user`` rules it out, or nothing."""
        actions = (named(name) for name in self.needs)
        missing = next((action for action in actions if not user.has_perm(action.codename)), None)
        return NotAllowed(role_sentence(missing)) if missing else None

    @property
    def impossible(self) -> str:
        """Why it cannot be done for this contact, or nothing."""
        return ""

    def amount_of(self, total: Decimal, currency: str) -> Decimal:
        """The amount that the button names."""
        return total

    def fits(self, total: Decimal, currency: str) -> bool:
        """Whether what was typed suits an invoice over ``total``; what does not is noted at its field."""
        return True

    def run(self, invoice: Invoice, by: User, key: UUID) -> Event | None:
        """Do it to the invoice that was just issued. Raises what the verb raises."""
        return None


class DraftStep(Step):
    mode = "draft"
    label = _("Save a draft")
    deed: ClassVar = {True: _("Save draft"), False: _("Save draft")}


class MoneyStep(Step):
    needs = ("issue", "pay")
    amount = AmountField(
        label=_("Amount"), required=False, help_text=_("Leave it empty to take the whole total.")
    )
    send_receipt = forms.BooleanField(label=_("Send a receipt"), required=False)

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        receipt, email = self.fields["send_receipt"], self.contact.email
        receipt.disabled, receipt.initial = not email, bool(email)
        receipt.help_text = email or _now("%(name)s has no e-mail address.") % {"name": self.contact.name}

    def amount_of(self, total: Decimal, currency: str) -> Decimal:
        typed = self["amount"].value()
        try:
            amount = self.fields["amount"].clean(typed)
        except ValidationError:
            return total
        readable = amount is not None and 0 < amount <= total and not money.is_too_fine(amount, currency)
        return amount if readable else total

    def fits(self, total: Decimal, currency: str) -> bool:
        amount = self.cleaned_data.get("amount")
        if amount is None or not total:
            return True
        try:
            check_precision(_now("Amount"), amount, currency)
        except ValidationError as error:
            self.add_error("amount", error)
            return False
        if not 0 < amount <= total:
            words = {"amount": f"{amount:f}", "total": money.show(total, currency)}
            rule = _now("Amount is %(amount)s: it must be more than 0 and at most the total, %(total)s.")
            self.add_error("amount", rule % words)
        return "amount" not in self.errors


class ChargeStep(MoneyStep):
    mode = "charge"
    label = _("Charge a card now")
    deed: ClassVar = {True: _("Create and charge %(amount)s"), False: _("Save and charge %(amount)s")}
    card = forms.ChoiceField(
        label=_("Card"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Card is missing: choose one."),
            "invalid_choice": _("Card is “%(value)s”: it is not on file for this contact."),
        },
    )
    field_order = ("card", "amount", "send_receipt")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.cards = {str(card.pk): card for card in Card.objects.on_file(self.contact)}
        card = self.fields["card"]
        assert isinstance(card, forms.ChoiceField)
        card.choices = [(pk, each.choice_label) for pk, each in self.cards.items()]
        card.initial = next((pk for pk, each in self.cards.items() if not each.has_expired), None)

    @property
    def impossible(self) -> str:
        if self.cards:
            return ""
        return _now("%(name)s has no card on file.") % {"name": self.contact.name}

    def run(self, invoice: Invoice, by: User, key: UUID) -> Event:
        asked = self.cleaned_data
        return invoice.pay(
            by,
            source=self.cards[asked["card"]],
            amount=asked["amount"] or invoice.balance,
            send_receipt=asked["send_receipt"],
            key=key,
            seen=invoice.version,
        )


class RecordStep(MoneyStep):
    mode = "record"
    label = _("Log an offline payment")
    deed: ClassVar = {True: _("Create and record %(amount)s"), False: _("Save and record %(amount)s")}
    method = forms.ChoiceField(
        label=_("Method"),
        choices=OFFLINE,
        error_messages={
            "required": _("Method is missing: choose one."),
            "invalid_choice": _("Method is “%(value)s”: it is not one of the list."),
        },
    )
    reference = PlainTextField(
        label=_("Reference"), max_length=100, required=False, help_text=_("For example the cheque's number.")
    )
    received_on = DayField(label=_("Date received"), required=False)
    field_order = ("method", "reference", "received_on", "amount", "send_receipt")

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields["received_on"].initial = clock.today
        self.fields["method"].initial = PaymentMethod.CHEQUE.value

    def clean_received_on(self) -> Any:
        today = clock.today()
        day = self.cleaned_data["received_on"] or today
        if day > today:
            raise ValidationError(_now("Date received is %(day)s: it is in the future.") % {"day": day})
        return day

    def run(self, invoice: Invoice, by: User, key: UUID) -> Event:
        asked = self.cleaned_data
        return invoice.pay(
            by,
            source=PaymentMethod(asked["method"]),
            amount=asked["amount"] or invoice.balance,
            reference=asked["reference"],
            received_on=asked["received_on"],
            send_receipt=asked["send_receipt"],
            key=key,
            seen=invoice.version,
        )


class MailStep(Step):
    recipient = RecipientField()
    message = PlainTextField(
        label=_("Personal message"), max_length=2000, required=False, widget=forms.Textarea(attrs={"rows": 3})
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields["recipient"].initial = self.contact.email

    def run(self, invoice: Invoice, by: User, key: UUID) -> Event | None:
        asked = self.cleaned_data
        return invoice.request_payment(
            by,
            recipient=asked["recipient"],
            message=asked["message"],
            key=key,
            seen=invoice.version,
        )


class RequestStep(MailStep):
    mode = "request"
    label = _("Request payment (send now)")
    needs = ("issue", "request_payment")
    deed: ClassVar = {True: _("Create and request %(amount)s"), False: _("Save and request %(amount)s")}


class SaveStep(MailStep):
    """Saving an invoice that is issued already, and sending it again if the agent wants."""

    mode = "save"
    label = _("Save changes")
    deed: ClassVar = {True: _("Save changes"), False: _("Save changes")}
    resend = forms.BooleanField(label=_("Send the changed invoice"), required=False)
    field_order = ("resend", "recipient", "message")

    def __init__(self, *, contact: Contact, data: QueryDict | None, chosen: bool) -> None:
        super().__init__(contact=contact, data=data, chosen=chosen)
        if data is not None and not data.get("save-resend"):
            self.fields["recipient"].required = False

    def refusal(self, user: User) -> NotAllowed | None:
        asked = self.is_bound and self["resend"].data
        action = named("request_payment")
        return NotAllowed(role_sentence(action)) if asked and not user.has_perm(action.codename) else None

    def run(self, invoice: Invoice, by: User, key: UUID) -> Event | None:
        return super().run(invoice, by, key) if self.cleaned_data["resend"] else None


WISHES: tuple[type[Step], ...] = (ChargeStep, RecordStep, RequestStep, DraftStep)
