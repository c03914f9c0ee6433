"""What staff are asked once a contact with invoices in Collections has another card: retry them now?"""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.actions import STEPS
from billing.forms.dialog import INCOMPLETE
from billing.forms.preview import Change, Preview
from billing.models import Card, Event, Invoice
from billing.models.retrying import retry_all
from billing.money import ZERO


class RetryAllForm(forms.Form):
    """The invoices that can be retried now, each ticked; the others are listed with the reason."""

    invoices = forms.MultipleChoiceField(
        label=_("In Collections"),
        widget=forms.CheckboxSelectMultiple,
        error_messages={
            "required": _("In Collections is empty: tick what is to be charged, or cancel."),
            "invalid_choice": _("In Collections has “%(value)s”: it cannot be retried any more."),
        },
    )
    key = forms.UUIDField(
        widget=forms.HiddenInput, error_messages={"required": INCOMPLETE, "invalid": INCOMPLETE}
    )

    def __init__(self, *args: Any, card: Card, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.card, self.user = card, user
        found = Invoice.objects.in_collections_of(card.contact).select_related("contact")
        refusals = {invoice: invoice.refusal(STEPS["retry"], user) for invoice in found}
        self.ready = {str(invoice.pk): invoice for invoice, why in refusals.items() if why is None}
        invoices, key = self.fields["invoices"], self.fields["key"]
        assert isinstance(invoices, forms.MultipleChoiceField)
        invoices.choices = [(pk, f"{one}: {one.show(one.balance)}") for pk, one in self.ready.items()]
        invoices.initial, key.initial = list(self.ready), uuid.uuid4
        invoices.help_text = " ".join(str(why) for why in refusals.values() if why)

    def do(self) -> Event:
        """Raises NotOffered when none of them could be retried, and AlreadyDone."""
        chosen = [self.ready[pk] for pk in self.cleaned_data["invoices"]]
        return retry_all(self.user, chosen, card=self.card, key=self.cleaned_data["key"])

    @property
    def chosen(self) -> list[Invoice]:
        asked = self.data.getlist("invoices") if self.is_bound else list(self.ready)  # type: ignore[attr-defined]
        return [self.ready[pk] for pk in asked if pk in self.ready]

    @property
    def sums(self) -> str:
        """What is charged, per currency."""
        owed: dict[str, Any] = {}
        for invoice in self.chosen:
            owed[invoice.currency] = owed.get(invoice.currency, ZERO) + invoice.balance
        return ", ".join(money.show(amount, currency) for currency, amount in owed.items())

    def preview(self) -> Preview:
        words = {"card": self.card, "sums": self.sums or _now("nothing")}
        email = self.card.contact.email
        mail = _now("A receipt, or the news that it was declined, to %(email)s") % {"email": email}
        return Preview(
            sentence=_now("Charge %(sums)s to %(card)s, and retry that card from now on.") % words,
            deed=_now("Charge %(sums)s to %(card)s") % words,
            changes=[Change(str(invoice), self._card_of(invoice), str(self.card)) for invoice in self.chosen],
            money=_now("Money moves: %(card)s is charged %(sums)s within minutes.") % words,
            mails=[mail] if email else [],
            undo=_now("A charge can be refunded, not undone. What is declined stays in Collections."),
            warnings=[_now("This card has expired; the charge will probably be declined.")]
            if self.card.has_expired
            else [],
        )

    def _card_of(self, invoice: Invoice) -> str:
        schedule = invoice.schedule()
        return str(schedule.card) if schedule and schedule.card else _now("no card")
