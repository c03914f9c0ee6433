"""Hosted pages: what our server asks of them and what customers do there. Each call is one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import IntegrityError, transaction
from django.urls import reverse

from billing.gateways import Page
from billing.gateways.sandbox.models import Charge, HostedPage
from billing.gateways.sandbox.models.keys import new_ref, refuse_other_use
from billing.gateways.sandbox.numbers import TypedCard

LIVES = timedelta(hours=24)
"""As long as Stripe's Checkout keeps a session open."""


@dataclass(frozen=True, slots=True)
class Order:
    """What our server asks of a page. ``price``: amount and currency, or None when it only stores a card."""

    return_url: str
    cancel_url: str
    price: tuple[Decimal, str] | None = None
    description: str = ""
    remember: bool = False


def open_page(key: UUID, order: Order, *, now: datetime) -> Page:
    """The page under this key, opened now or before. Its address is a path on whatever host serves us.

    Raises ValueError when the key was first used for something else.
    """
    with transaction.atomic(durable=True):
        page, is_new = HostedPage.objects.get_or_create(
            key=key,
            defaults={
                "ref": new_ref("page"),
                "description": order.description,
                "remember": order.remember,
                "return_url": order.return_url,
                "cancel_url": order.cancel_url,
                "expires_at": now + LIVES,
            },
        )
        if is_new and order.price is not None:
            page.charge = _charge_for(page, *order.price, now=now)
            page.save(update_fields=["charge"])
    refuse_other_use(key, first=_order_of(page), now=order)
    return Page(page.ref, reverse("sandbox:page", args=[page.ref]))


def _charge_for(page: HostedPage, amount: Decimal, currency: str, *, now: datetime) -> Charge:
    try:
        with transaction.atomic():
            return Charge.objects.create(
                ref=new_ref("charge"), key=page.key, amount=amount, currency=currency, created_at=now
            )
    except IntegrityError:
        raise ValueError(f"Key {page.key} was first used for a charge without a page.") from None


def _order_of(page: HostedPage) -> Order:
    return Order(
        return_url=page.return_url,
        cancel_url=page.cancel_url,
        price=(page.charge.amount, page.charge.currency) if page.charge else None,
        description=page.description,
        remember=page.remember,
    )


def look(ref: str, *, now: datetime) -> HostedPage:
    """The page as it stands. Raises UnknownRef, as the calls below do."""
    with transaction.atomic(durable=True):
        return HostedPage.objects.locked(ref, now=now)


def take_card(ref: str, typed: TypedCard, *, now: datetime) -> HostedPage:
    """The customer sent the card form. Sent twice, it stores or charges once."""
    with transaction.atomic(durable=True):
        page = HostedPage.objects.locked(ref, now=now)
        page.take(typed)
    return page


def approve_at_bank(ref: str, *, now: datetime) -> HostedPage:
    with transaction.atomic(durable=True):
        page = HostedPage.objects.locked(ref, now=now)
        page.bank_approves()
    return page


def refuse_at_bank(ref: str, *, now: datetime) -> HostedPage:
    with transaction.atomic(durable=True):
        page = HostedPage.objects.locked(ref, now=now)
        page.bank_refuses()
    return page


def expire(ref: str, *, now: datetime) -> HostedPage:
    with transaction.atomic(durable=True):
        page = HostedPage.objects.locked(ref, now=now)
        page.expire()
    return page
