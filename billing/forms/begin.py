"""New subscription or plan: what staff are asked to begin an order without an invoice."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import islice
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock, money
from billing.forms.days import DayField
from billing.forms.fields import AmountField, NumberField, PlainTextField, check_precision
from billing.forms.ordering import OrderForm, card_choices, missed_field, quantity_field, shown, tax_choices
from billing.forms.preview import Preview
from billing.forms.products import OffersProducts, ProductField
from billing.models import Card, Event, LineInput, Order, Product, RechargeSettings
from billing.models.orders.steering import Taxation
from billing.models.terms import MOST_PAYMENTS, OrderTerms, rhythm_of
from billing.money import ZERO
from billing.periods import MOST_EVERY, Interval
from billing.statuses import Missed, OrderKind, Unit
from contacts.models import Contact

AS_THE_PRODUCT = _("As the product says")
FIRST_DATES = 3


def whole(label: Any, *, least: int, most: int, help_text: Any = "") -> NumberField:
    return NumberField(
        label=label,
        min_value=least,
        max_value=most,
        decimal_places=0,
        required=False,
        help_text=help_text,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )


def one_of(label: Any, choices: list[tuple[str, Any]]) -> forms.ChoiceField:
    wrong = _("%(label)s is “%%(value)s”: choose one of the list.") % {"label": label}
    return forms.ChoiceField(
        label=label,
        required=False,
        choices=[("", AS_THE_PRODUCT), *choices],
        error_messages={"invalid_choice": wrong},
    )


class BeginForm(OffersProducts, OrderForm):
    """What is left empty is the product's; without a product the terms must be said."""

    verb = "begin"
    rarely = frozenset({"trial_payments", "trial_price", "setup_fee", "zone", "missed"})
    product = ProductField(help_text=_("SKU or name. Leave it empty to sell something else."))
    description = PlainTextField(label=_("Description"), max_length=200, required=False)
    unit_price = AmountField(label=_("Price"), min_value=0, required=False)
    quantity = quantity_field(initial="1")
    tax = forms.ChoiceField(
        label=_("Tax"),
        required=False,
        error_messages={"invalid_choice": _("Tax is “%(value)s”: it is not one of the rates offered.")},
    )
    currency = PlainTextField(label=_("Currency"), max_length=3, required=False)
    kind = one_of(_("Kind"), list(OrderKind.choices))
    every = whole(_("Every"), least=1, most=MOST_EVERY)
    unit = one_of(_("Unit"), list(Unit.choices))
    payments = whole(_("Number of payments"), least=1, most=MOST_PAYMENTS, help_text=_("Of a payment plan."))
    trial_payments = whole(_("Payments of a trial before"), least=0, most=MOST_PAYMENTS)
    trial_price = AmountField(label=_("Price of the trial"), min_value=0, required=False)
    setup_fee = AmountField(
        label=_("Set-up fee"), min_value=0, required=False, help_text=_("Asked with the first payment.")
    )
    next_charge_on = DayField(
        label=_("First charge"), required=False, help_text=_("Today, unless the product waits.")
    )
    zone = PlainTextField(label=_("Time zone"), max_length=64, help_text=_("In which its days begin."))
    card = forms.ChoiceField(
        label=_("Charge to"),
        widget=forms.RadioSelect,
        error_messages={
            "required": _("Charge to is missing: choose a card, or none."),
            "invalid_choice": _("Charge to is “%(value)s”: it is not on file for this contact."),
        },
    )
    send_invoices = forms.BooleanField(
        label=_("Send an e-mail with each payment"), required=False, initial=True
    )
    missed = missed_field()

    def __init__(self, *args: Any, contact: Contact, user: User, **kwargs: Any) -> None:
        super().__init__(*args, order=Order(contact=contact), user=user, **kwargs)
        self.contact = contact
        self.cards = {str(card.pk): card for card in Card.objects.on_file(contact)}
        self.taxes = tax_choices()
        card, tax = self.fields["card"], self.fields["tax"]
        assert isinstance(card, forms.ChoiceField)
        assert isinstance(tax, forms.ChoiceField)
        card.choices = card_choices(self.cards)
        card.initial = next((pk for pk, each in self.cards.items() if not each.has_expired), "none")
        rates = [(value or "none", label) for value, (label, _taxation) in self.taxes.items()]
        tax.choices = [("", AS_THE_PRODUCT), *rates]
        self.fields["every"].widget.attrs["placeholder"] = "1"
        self.fields["currency"].widget.attrs["placeholder"] = settings.DEFAULT_CURRENCY
        self.fields["zone"].initial = timezone.get_default_timezone_name()
        self.fields["missed"].initial = Missed.EVERY
        self.sold: Product | None = None

    @property
    def title(self) -> str:
        return self.contact.name

    # -- reading what was typed, and the product for the rest

    def clean_card(self) -> Card | None:
        return self.cards.get(self.cleaned_data["card"])

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        self.sold = given.get("product")
        self._fill(given)
        if given.get("currency") not in money.EXPONENTS:
            rule = _now("Currency is “%(value)s”: write a code of ISO 4217 such as USD.")
            self.add_error("currency", rule % {"value": given.get("currency")})
        else:
            self._check_amounts(given)
        for name in ("description", "unit_price", "kind", "unit"):
            if name not in self.errors and given.get(name) in (None, ""):
                rule = _now("%(label)s is missing: say it, or choose a product.")
                self.add_error(name, rule % {"label": self.fields[name].label})
        if "payments" not in self.errors:
            self._check_payments(given)
        return given

    def _fill(self, given: dict[str, Any]) -> None:
        """Put the product's values where nothing was typed."""
        preset: dict[str, Any] = {
            "currency": settings.DEFAULT_CURRENCY,
            "every": 1,
            "trial_payments": 0,
            "trial_price": ZERO,
            "setup_fee": ZERO,
            "next_charge_on": clock.today(),
        }
        sold = self.sold
        if sold:
            names = ("currency", "every", "unit", "payments", "trial_payments", "trial_price", "setup_fee")
            days = timedelta(days=sold.trial_days + sold.delay_days)
            preset |= {name: getattr(sold, name) for name in names}
            preset |= {"description": sold.name, "unit_price": sold.price}
            preset |= {
                "kind": sold.sold_as if sold.recurs else "",
                "next_charge_on": clock.today() + days,
            }
        for name, value in preset.items():
            if name in given and given[name] in (None, ""):
                given[name] = value
        given["currency"] = str(given.get("currency") or "").upper()
        if given.get("kind") == OrderKind.SUBSCRIPTION and not self["payments"].data:
            given["payments"] = None

    def _check_amounts(self, given: dict[str, Any]) -> None:
        for name in ("unit_price", "trial_price", "setup_fee"):
            try:
                check_precision(str(self.fields[name].label), given.get(name), given["currency"])
            except ValidationError as error:
                self.add_error(name, error)

    def _check_payments(self, given: dict[str, Any]) -> None:
        payments, kind = given.get("payments"), given.get("kind")
        if kind == OrderKind.PLAN and not payments:
            self.add_error("payments", _now("Number of payments is missing: a payment plan has one."))
        if kind == OrderKind.SUBSCRIPTION and payments:
            rule = _now("Number of payments is %(value)s: a subscription has none.")
            self.add_error("payments", rule % {"value": payments})

    # -- doing

    def do(self) -> Event:
        given = self.cleaned_data
        return Order.begin(
            self.user,
            contact=self.contact,
            currency=given["currency"],
            terms=self._terms(),
            lines=[self._line()],
            first_charge_on=given["next_charge_on"],
            zone=given["zone"],
            at=clock.now(),
            card=given["card"],
            send_invoices=given["send_invoices"],
            missed=given["missed"],
            key=given["key"],
        )

    def _terms(self) -> OrderTerms:
        given = self.cleaned_data
        return OrderTerms(
            kind=OrderKind(given["kind"]),
            every=int(given["every"]),
            unit=given["unit"],
            payments=int(given["payments"]) if given["payments"] else None,
            trial_payments=int(given["trial_payments"]),
            trial_price=given["trial_price"],
            setup_fee=given["setup_fee"],
        )

    def _line(self) -> LineInput:
        given, sold = self.cleaned_data, self.sold
        tax = self._taxation(given["tax"])
        return LineInput(
            description=given["description"],
            quantity=given["quantity"],
            unit_price=given["unit_price"],
            sku=sold.sku if sold else "",
            product_id=sold.pk if sold else None,
            tax_rate_id=tax.rate_id,
            tax_percent=tax.percent,
        )

    def _taxation(self, chosen: str) -> Taxation:
        rate = self.sold.tax_rate if self.sold else None
        if not chosen and rate:
            return Taxation(rate.pk, rate.percent)
        return self.taxes["" if chosen == "none" else chosen][1]

    def preview(self) -> Preview:
        if not self.is_bound or not self.is_valid():
            return Preview(
                sentence=_now("Ask %(name)s for payments that come again, from a day that you choose.")
                % {"name": self.contact.name},
                deed=_now("Begin"),
                money=_now("No money moves before the first charge."),
            )
        terms, given = self._terms(), self.cleaned_data
        total = self._line().amounts(given["currency"]).total
        words = {
            "name": self.contact.name,
            "amount": money.show(total, given["currency"]),
            "rhythm": rhythm_of(terms.every, terms.unit),
            "days": ", ".join(map(shown, self._first_dates(terms))),
        }
        return Preview(
            sentence=_now("Ask %(name)s for %(amount)s %(rhythm)s: %(days)s …") % words,
            deed=_now("Begin: %(amount)s %(rhythm)s") % words,
            money=self._moving(given["card"], given["next_charge_on"]),
            mails=self._mails(given),
            undo=_now("It can be edited, paused and cancelled."),
        )

    def _first_dates(self, terms: OrderTerms) -> list[date]:
        interval, first = Interval(terms.every, terms.unit), self.cleaned_data["next_charge_on"]
        most = min(FIRST_DATES, terms.payments_total or FIRST_DATES)
        return list(islice(interval.dates(first), most))

    def _moving(self, card: Card | None, on: date) -> str:
        if card is None:
            return _now("No money moves: each payment waits until somebody pays it.")
        words = {"card": card, "on": shown(on), "retried": RechargeSettings.current().words}
        moving = _now("Money moves: %(card)s is charged on %(on)s and each time after.")
        declined = _now("If it is declined, the invoice goes to Collections: %(retried)s.")
        return f"{moving} {declined}" % words

    def _mails(self, given: dict[str, Any]) -> list[str]:
        email = self.contact.email
        if not given["send_invoices"] or not email:
            return []
        what = _now("A receipt for each payment") if given["card"] else _now("A request for each payment")
        return [_now("%(what)s to %(email)s") % {"what": what, "email": email}]
