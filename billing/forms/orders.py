"""The dialogs of an order: what each asks, and what it says will happen.

What it does is the model's method.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock, money, periods
from billing.actions import ACTIONS
from billing.forms.days import DayField
from billing.forms.fields import AmountField, PlainTextField, check_precision
from billing.forms.ordering import OrderForm, card_choices, missed_field, quantity_field, shown, tax_choices
from billing.forms.preview import Change, Preview
from billing.forms.products import OffersProducts, ProductField
from billing.models import Card, Product
from billing.models.orders.steering import Taxation, left_out_words
from billing.money import ZERO
from billing.statuses import OrderStatus, PastDue

KEPT = "kept"
"""The choice that leaves a line's tax as it is: its rate may have changed or be withdrawn since."""
MONEY_STAYS = _("No money moves.")


class EditOrderForm(OffersProducts, OrderForm):
    verb = "edit"
    product = ProductField(help_text=_("SKU or name. Leave it empty to ask for something else."))
    description = PlainTextField(
        label=_("Description"), max_length=200, error_messages={"required": _("Description is missing.")}
    )
    quantity = quantity_field()
    unit_price = AmountField(label=_("Price"), min_value=0)
    tax = forms.ChoiceField(
        label=_("Tax"),
        required=False,
        error_messages={"invalid_choice": _("Tax is “%(value)s”: it is not one of the rates offered.")},
    )
    next_charge_on = DayField(
        label=_("Next charge"), required=False, help_text=_("Moving it moves all that follow.")
    )
    missed = missed_field()
    send_invoices = forms.BooleanField(label=_("Send an e-mail with each payment"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        lines = self.order.lines.select_related("product")
        self.line = lines.order_by("position", "id").first()
        assert self.line is not None  # an order asks for something
        kept = Taxation(self.line.tax_rate_id, self.line.tax_percent)
        percent = f"{kept.percent.normalize():f}"
        self.taxes = {
            KEPT: (_now("As it is: %(percent)s %%") % {"percent": percent}, kept),
            **tax_choices(),
        }
        tax = self.fields["tax"]
        assert isinstance(tax, forms.ChoiceField)
        tax.choices = [(value, label) for value, (label, _taxation) in self.taxes.items()]
        self._offer(tax=KEPT)

    def _offer(self, **more: Any) -> None:
        assert self.line is not None
        self.fields["next_charge_on"].disabled = not self.order.next_charge_on
        offered = {
            "product": self._product_now(),
            "description": self.line.description,
            "quantity": f"{self.line.quantity.normalize():f}",
            "unit_price": money.plain(self.line.unit_price, self.order.currency),
            "next_charge_on": self.order.next_charge_on,
            "missed": self.order.missed,
            "send_invoices": self.order.send_invoices,
            **more,
        }
        for name, value in offered.items():
            self.fields[name].initial = value

    def _product_now(self) -> str:
        product, field = self.line.product if self.line else None, self.fields["product"]
        assert isinstance(field, ProductField)
        field.kept = product
        return product.sku or product.name if product else ""

    def clean_product(self) -> Product | None:
        product: Product | None = self.cleaned_data["product"]
        return product

    def clean_unit_price(self) -> Decimal:
        price: Decimal = self.cleaned_data["unit_price"]
        check_precision(_now("Price"), price, self.order.currency)
        return price

    def clean_tax(self) -> Taxation:
        return self.taxes[self.cleaned_data["tax"]][1]

    def preview(self) -> Preview:
        next_on = self.current("next_charge_on") or self.order.next_charge_on
        after = self._amount()
        return Preview(
            sentence=_now("Change what %(order)s asks for from its next payment on.") % {"order": self.order},
            deed=_now("Save changes"),
            changes=[
                Change(_now("Amount"), self.show(self.order.amount), self.show(after)),
                Change(_now("Next charge"), shown(self.order.next_charge_on), shown(next_on)),
            ],
            money=_now("No money moves now. Invoices that were asked for already stay as they are."),
            undo=_now("It can be edited again."),
        )

    def _amount(self) -> Decimal:
        """What a regular payment comes to as far as it can be read."""
        quantity, price = self.current("quantity"), self.current("unit_price")
        if quantity is None or price is None:
            return self.order.amount
        percent = self.taxes[self.current("tax") or ""][1].percent
        first = money.line_amounts(
            quantity=quantity,
            unit_price=price,
            discount=ZERO,
            tax_percent=percent,
            currency=self.order.currency,
        )
        others = self.order.regular_lines()[1:]
        return sum((line.amounts(self.order.currency).total for line in others), first.total)


class ChangeCardForm(OrderForm):
    verb = "change_card"
    card = forms.ChoiceField(
        label=_("Charge to"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Charge to is missing: choose a card, or none."),
            "invalid_choice": _("Charge to is “%(value)s”: it is not on file for this contact."),
        },
    )
    charge_now = forms.BooleanField(label=_("Charge what is past due to it now"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.cards = {str(card.pk): card for card in Card.objects.on_file(self.order.contact)}
        card = self.fields["card"]
        assert isinstance(card, forms.ChoiceField)
        card.choices = card_choices(self.cards)
        usable = (pk for pk, each in self.cards.items() if not each.has_expired)
        card.initial = next((pk for pk in usable if pk != str(self.order.card_id)), str(self.order.card_id))
        charge_now = self.fields["charge_now"]
        charge_now.disabled = not self.owed
        charge_now.initial = bool(self.owed)
        charge_now.help_text = self.owed_words or _now("Nothing is past due.")

    def clean_card(self) -> Card | None:
        return self.cards.get(self.cleaned_data["card"])

    def preview(self) -> Preview:
        card = self.cards.get(str(self.current("card")))
        now = bool(self.current("charge_now") and card and self.owed)
        none = _now("no card")
        moving = _now("Money moves: %(owed)s is charged to %(card)s within minutes.")
        words = {"order": self.order, "card": card or none, "owed": self.owed_words}
        return Preview(
            sentence=_now("Charge the payments of %(order)s to %(card)s from now on.") % words
            if card
            else _now("Let every payment of %(order)s wait until somebody pays it.") % words,
            deed=_now("Charge to %(card)s") % words if card else _now("Use no card"),
            changes=[Change(_now("Card"), str(self.order.card or none), str(card or none)), self.next_stays],
            money=moving % words if now else f"{_now('No money moves now.')} {self._retried(card)}".strip(),
            undo=_now("The card can be changed again."),
            warnings=[_now("This card has expired; its charges will probably be declined.")]
            if card and card.has_expired
            else [],
        )

    def _retried(self, card: Card | None) -> str:
        """What becomes of its invoices in Collections, whose retries go on with the order's card."""
        retried = [one for one in self.owed if one.is_in_collections and (card or one.order_id)]
        numbers = ", ".join(map(str, retried))
        if not numbers:
            return ""
        if card is None:
            return _now("The retries of %(numbers)s stop.") % {"numbers": numbers}
        words = {"numbers": numbers, "card": card}
        return _now("%(numbers)s: %(card)s is tried on the next date of the retries.") % words


class PauseForm(OrderForm):
    verb = "pause"

    def preview(self) -> Preview:
        return Preview(
            sentence=_now("Ask for nothing more on %(order)s until it is resumed.") % {"order": self.order},
            deed=_now("Pause %(order)s") % {"order": self.order},
            changes=[self.status_becomes(OrderStatus.PAUSED), self.next_becomes(_now("when resumed"))],
            money=_now("No money moves. What was asked for already stays owed."),
            undo=_now("It can be resumed; dates that fall into the pause are left out."),
        )


class ResumeForm(OrderForm):
    verb = "resume"

    def preview(self) -> Preview:
        order = self.order
        step, on = order.resumes_on(periods.day_at(clock.now(), order.here))
        left_out = step - order.next_step
        return Preview(
            sentence=_now("Go on with the payments of %(order)s.") % {"order": order},
            deed=_now("Resume %(order)s") % {"order": order},
            changes=[self.status_becomes(OrderStatus.ACTIVE), self.next_becomes(shown(on))],
            money=_now("No money moves before the next charge."),
            undo=_now("It can be paused again."),
            warnings=[left_out_words(left_out)] if left_out else [],
        )


class CancelForm(OrderForm):
    verb = "cancel"
    past_due = forms.ChoiceField(
        label=_("What is past due"),
        widget=forms.RadioSelect,
        choices=PastDue.choices,
        initial=PastDue.LEAVE,
        error_messages={
            "required": _("What is past due is missing: choose what becomes of it."),
            "invalid_choice": _("What is past due is “%(value)s”: leave or forgive it."),
        },
    )
    reason = PlainTextField(label=_("Reason"), max_length=255, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        past_due = self.fields["past_due"]
        past_due.help_text = self.owed_words or _now("Nothing is past due.")
        if not self.user.has_perm(ACTIONS["write_off"].codename):
            past_due.help_text += " " + _now("Forgiving takes a role that may write off.")

    def preview(self) -> Preview:
        forgives = self.current("past_due") == PastDue.FORGIVE
        words = {"order": self.order, "owed": self.owed_words}
        changes = [self.status_becomes(OrderStatus.CANCELLED), self.next_becomes(shown(None))]
        if self.owed:
            after = _now("forgiven") if forgives else self.owed_words
            changes.append(Change(_now("Owed"), self.owed_words, after))
        return Preview(
            sentence=_now("End %(order)s: nothing more is asked for.") % words,
            deed=_now("End %(order)s") % words,
            changes=changes,
            money=str(MONEY_STAYS),
            mails=self.told,
            undo=_now("A cancelled order cannot be revived; begin a new one instead."),
            warnings=list(self._left(forgives=forgives)),
        )

    @property
    def told(self) -> list[str]:
        to = self.order.contact.email
        return [_now("Notice of the cancellation to %(to)s") % {"to": to}] if to else []

    def _left(self, *, forgives: bool) -> list[str]:
        if not self.owed or forgives:
            return []
        return [_now("Still owed: %(owed)s. Retries of the card go on.") % {"owed": self.owed_words}]


ORDER_FORMS: dict[str, type[OrderForm]] = {
    "edit": EditOrderForm,
    "change_card": ChangeCardForm,
    "pause": PauseForm,
    "resume": ResumeForm,
    "cancel": CancelForm,
}
"""The dialog of each action of an order."""
