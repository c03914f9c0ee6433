"""The rows that sales on order forms are about: a form in each currency, and for each trial a coupon of its
own, and two partners in a program of their own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction

from billing import money
from billing.models import Coupon, CouponCode, OrderForm, Partner, PartnerProgram, Product, Referral
from billing.statuses import CouponAudience, CouponKind, SoldAs
from contacts.models import Contact
from tests.crash.plan import CURRENCIES, Trial
from tests.crash.selling import MOST_OF_ONE, Item

COINS = 4000
"""What a thing costs that is sold, of the smallest coins in which the gateway takes the currency."""
PERCENT = Decimal(10)
"""What a coupon takes off, and what the nearer partner earns."""
PERCENT_ABOVE = Decimal(5)
"""What the partner earns who brought that one."""
SPRING = "SPRING"
"""What codes begin with; the trial's number follows."""
TERMS: dict[Item, dict[str, Any]] = {
    Item.LANTERN: {"sold_as": SoldAs.ONCE},
    Item.CLUB: {"sold_as": SoldAs.SUBSCRIPTION},
    Item.TRIAL: {"sold_as": SoldAs.SUBSCRIPTION, "trial_days": 14},
    Item.GIFT: {"sold_as": SoldAs.ONCE, "price": 0},
}


@dataclass(frozen=True, slots=True)
class Shop:
    """Ids: of the forms by currency, and of what is a trial's own by its number."""

    forms: Mapping[str, int]
    coupons: Mapping[int, int]
    programs: Mapping[int, int]
    coins: Mapping[str, Decimal]


def code_of(trial: Trial) -> str:
    return f"{SPRING}{_word(trial)}"


def link_of(trial: Trial) -> str:
    return f"FRIEND{_word(trial)}"


def _word(trial: Trial) -> str:
    """Trials by which the harness warms up have negative numbers."""
    return str(trial.number) if trial.number >= 0 else f"W{-trial.number}"


def opened(trials: Sequence[Trial], steps: Mapping[str, int], *, at: datetime) -> Shop:
    """``trials``: those on order forms alone."""
    coins = {currency: money.quantum(currency) * steps.get(currency, 1) for currency in CURRENCIES}
    with transaction.atomic(durable=True):
        forms = {currency: _form(currency, coins[currency]).pk for currency in CURRENCIES}
        return Shop(forms, _coupons(trials, at), _programs(trials, at), coins)


def _form(currency: str, coin: Decimal) -> OrderForm:
    form = OrderForm.objects.create(slug=currency.lower(), title="Garden shop", currency=currency)
    for place, (item, terms) in enumerate(TERMS.items(), start=1):
        given = {"name": item, "price": COINS * coin, "currency": currency}
        product = Product.objects.create(**given | terms)
        form.items.create(product=product, position=place, least=0, most=MOST_OF_ONE)
    return form


def _coupons(trials: Sequence[Trial], at: datetime) -> dict[int, int]:
    coupons = [
        Coupon(
            name=code_of(trial),
            kind=CouponKind.PERCENT,
            percent=PERCENT,
            audience=CouponAudience.GROUP,
            total_available=trial.selling.left,
        )
        for trial in trials
        if trial.selling
    ]
    Coupon.objects.bulk_create(coupons, batch_size=500)
    codes = [CouponCode(coupon=coupon, code=coupon.name, issued_at=at) for coupon in coupons]
    CouponCode.objects.bulk_create(codes, batch_size=500)
    return {trial.number: coupon.pk for trial, coupon in zip(trials, coupons, strict=True)}


def _programs(trials: Sequence[Trial], at: datetime) -> dict[int, int]:
    """In each, whoever has the link was brought by somebody who earns on it as well."""
    programs = [
        PartnerProgram(name=link_of(trial), percent_1=PERCENT, percent_2=PERCENT_ABOVE) for trial in trials
    ]
    PartnerProgram.objects.bulk_create(programs, batch_size=500)
    codes = [code for trial in trials for code in (link_of(trial), f"{link_of(trial)}-ABOVE")]
    contacts = [Contact(name=code, email=f"{code.lower()}@example.com") for code in codes]
    Contact.objects.bulk_create(contacts, batch_size=500)
    partners = [
        Partner(contact=contact, program=programs[n // 2], code=contact.name, enrolled_at=at)
        for n, contact in enumerate(contacts)
    ]
    Partner.objects.bulk_create(partners, batch_size=500)
    Referral.objects.bulk_create(
        [
            Referral(
                contact=near.contact, program=near.program, first=above, last=above, first_at=at, last_at=at
            )
            for near, above in zip(partners[::2], partners[1::2], strict=True)
        ],
        batch_size=500,
    )
    return {trial.number: program.pk for trial, program in zip(trials, programs, strict=True)}
