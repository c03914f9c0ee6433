"""What an order form asks of its visitor. It says nothing about who is known here, and refuses no e-mail."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.text import capfirst
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.forms.fields import NumberField, PlainTextField
from billing.models import OrderForm, Submission
from billing.models.coupons.discount import Discount
from billing.models.guard import Invalid
from billing.models.selling.buyer import DETAILS
from billing.models.selling.form import Basket, Offer
from billing.models.spelling import LONGEST
from contacts.forms import TextField, sentences
from contacts.models import Contact

ADDRESS = ("street", "street_2", "postal_code", "city", "region", "country")
NEEDED = frozenset({"name", "email", "street", "city", "country"})
AUTOCOMPLETE = {
    "name": "name",
    "email": "email",
    "phone": "tel",
    "company": "organization",
    "street": "address-line1",
    "street_2": "address-line2",
    "postal_code": "postal-code",
    "city": "address-level2",
    "region": "address-level1",
    "country": "country",
}
INPUT_TYPES = {"email": "email", "phone": "tel"}


class CheckoutForm(forms.Form):
    """``visit`` is the page's one-time key; ``seen`` the total and the terms that stood on it when sent."""

    coupon_problem = ""
    """Why the coupon code takes nothing off, once the basket has been looked at."""

    visit = forms.UUIDField(widget=forms.HiddenInput)
    seen = forms.Field(widget=forms.HiddenInput, required=False)
    website = forms.CharField(
        label=_("Leave this empty"),
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off", "tabindex": "-1"}),
    )

    def __init__(
        self,
        order_form: OrderForm,
        offers: Sequence[Offer],
        *,
        data: Mapping[str, Any] | None = None,
        typed: Mapping[str, str] | None = None,
        visit: uuid.UUID | None = None,
    ) -> None:
        """``typed``: what the fields hold at first, as it was sent before; of a page that is still being
        filled in, its ``visit`` too.
        """
        first = {"visit": uuid.uuid4(), **(typed or {}), **({"visit": visit} if visit else {})}
        super().__init__(data, initial=first)
        self.order_form, self.offers = order_form, offers
        for name in DETAILS:
            if order_form.asks_address or name not in ADDRESS:
                self.fields[name] = detail_field(name)
        for offer in offers:
            if not offer.item.is_fixed:
                self.fields[offer.item.field] = quantity_field(offer)
        if order_form.asks_coupon:
            self.fields["coupon"] = PlainTextField(
                label=_("Coupon code"),
                max_length=LONGEST,
                required=False,
                widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters"}),
            )
        if order_form.terms:
            self.fields["agreed"] = forms.BooleanField(
                label=_("I agree to the terms"),
                error_messages={"required": _("Your agreement is missing: nothing is ordered without it.")},
            )

    @property
    def details(self) -> list[forms.BoundField]:
        return [self[name] for name in DETAILS if name in self.fields and name not in ADDRESS]

    @property
    def address(self) -> list[forms.BoundField]:
        return [self[name] for name in ADDRESS if name in self.fields]

    def clean_website(self) -> str:
        if self.cleaned_data["website"]:
            raise ValidationError(_now("This field is for machines: leave it empty."), code="machine")
        return ""

    @property
    def can_change(self) -> bool:
        """Whether the total depends on what is typed."""
        return self.order_form.asks_coupon or any(not offer.item.is_fixed for offer in self.offers)

    # -- what is ordered

    @cached_property
    def basket(self) -> Basket | None:
        """What is ordered, whatever is wrong elsewhere; None when that cannot be said."""
        try:
            basket = self.order_form.basket(self.offers, self._quantities())
        except (Invalid, ValidationError):
            return None
        try:
            return replace(basket, discount=self._discount(basket))
        except (Invalid, ValidationError) as refusal:
            self.coupon_problem = " ".join(getattr(refusal, "messages", [str(refusal)]))
            return basket

    def _discount(self, basket: Basket) -> Discount | None:
        if "coupon" not in self.fields:
            return None
        typed = self.fields["coupon"].clean(self["coupon"].value())
        visit, email = self["visit"].value(), str(self["email"].value() or "").strip()
        try:
            known: uuid.UUID | None = self.fields["visit"].clean(visit)
        except ValidationError:
            known = None
        return Submission.discount(
            self.order_form, known, coupon=typed, email=email.replace("\0", ""), lines=basket.lines
        )

    def _quantities(self) -> dict[int, int]:
        """By item. Raises ValidationError."""
        return {offer.item.pk: self._quantity(offer) for offer in self.offers}

    def _quantity(self, offer: Offer) -> int:
        if offer.item.is_fixed:
            return offer.item.quantity
        bound = self[offer.item.field]
        return int(bound.field.clean(bound.value()) or 0)

    def clean(self) -> dict[str, Any]:
        given = self.cleaned_data
        if all(offer.item.is_fixed or offer.item.field in given for offer in self.offers):
            try:
                self.order_form.basket(self.offers, self._quantities())
            except Invalid as invalid:
                self.refuse(invalid)
        if self.basket and self.coupon_problem and "coupon" in given:
            self.add_error("coupon", self.coupon_problem)
        return given

    def refuse(self, invalid: Invalid) -> None:
        """Put the refusal at its field."""
        self.add_error(invalid.field if invalid.field in self.fields else None, str(invalid))

    @property
    def rows(self) -> list[dict[str, Any]]:
        """Each thing that can be ordered, for the page."""
        return [self._row(offer) for offer in self.offers]

    def _row(self, offer: Offer) -> dict[str, Any]:
        product, item = offer.product, offer.item
        return {
            "product": product,
            "quantity": item.quantity,
            "field": None if item.is_fixed else self[item.field],
            "price": money.show(product.first_price, product.currency),
            "terms": product.terms,
        }

    @property
    def to_be_seen(self) -> str:
        """The total and the terms for machines, to notice that the visitor looked at others."""
        basket = self.basket
        if not basket:
            return ""
        terms = json.dumps([basket.terms, self.order_form.terms], sort_keys=True).encode()
        total = money.plain(basket.total, basket.currency)
        return f"{basket.currency} {total} {hashlib.sha256(terms).hexdigest()[:16]}"

    @property
    def is_what_was_seen(self) -> bool:
        return bool(self.cleaned_data.get("seen") == self.to_be_seen)

    @property
    def typed(self) -> dict[str, str]:
        """What was sent, as text: enough to fill the form again."""
        left_out = ("visit", "seen", "website")
        sent = {name: value for name, value in self.cleaned_data.items() if name not in left_out}
        return {name: _text(value) for name, value in sent.items()}


def _text(value: Any) -> str:
    return "on" if value is True else str(value)


def detail_field(name: str) -> forms.Field:
    """As the desk asks for it, with the same rules, and with what a browser can fill in by itself."""
    other: dict[str, Any] = {} if name in ("email", "country") else {"form_class": TextField}
    column: Any = Contact._meta.get_field(name)
    field: forms.Field = column.formfield(**other)
    field.validators += [each for each in column.validators if each not in field.validators]
    missing = _now("%(field)s is missing.") % {"field": capfirst(str(field.label))}
    field.error_messages |= {**sentences(field.label), "required": missing}
    field.required = name in NEEDED
    field.widget.attrs.pop("maxlength", None)  # a browser would cut pasted text off without a word
    field.widget.attrs["autocomplete"] = AUTOCOMPLETE[name]
    if name in INPUT_TYPES:
        field.widget.input_type = INPUT_TYPES[name]
    return field


def quantity_field(offer: Offer) -> NumberField:
    return NumberField(
        label=_now("Quantity of “%(product)s”") % {"product": offer.product.name},
        min_value=offer.item.least,
        max_value=offer.item.most,
        decimal_places=0,
        initial=offer.item.quantity,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "off"}),
    )
