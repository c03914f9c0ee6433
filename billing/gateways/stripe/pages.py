"""What Stripe's Checkout is asked to show: one page per key, entered by redirect.

A session lives for 24 hours unless told otherwise. It is not told: the answer to a key is the same only while
every word of the question is, and a moment would change from one click to the next.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from billing.gateways.stripe.amounts import units
from billing.gateways.stripe.reading import ATTEMPT

if TYPE_CHECKING:
    from decimal import Decimal

    from stripe.params.checkout import SessionCreateParams

EXPAND = ["payment_intent.payment_method", "setup_intent.payment_method"]


def card_order(key: UUID, *, return_url: str, cancel_url: str, customer: str) -> SessionCreateParams:
    """A page that stores a card for off-session charges."""
    order = _order(key, return_url, cancel_url)
    order["mode"] = "setup"
    _store_to(order, customer)
    return order


def pay_order(
    key: UUID,
    *,
    amount: Decimal,
    currency: str,
    description: str,
    remember: bool,
    return_url: str,
    cancel_url: str,
    customer: str,
) -> SessionCreateParams:
    """A page that charges ``amount`` once. Raises ValueError for one that Stripe does not take."""
    order = _order(key, return_url, cancel_url)
    order["mode"] = "payment"
    order["adaptive_pricing"] = {"enabled": False}  # an invoice is paid in its own currency
    order["line_items"] = [
        {
            "quantity": 1,
            "price_data": {
                "currency": currency.lower(),
                "unit_amount": units(amount, currency),
                "product_data": {"name": description},
            },
        }
    ]
    order["payment_intent_data"] = {"metadata": {ATTEMPT: str(key)}, "description": description}
    if remember:
        order["payment_intent_data"]["setup_future_usage"] = "off_session"
        _store_to(order, customer)
    return order


def _order(key: UUID, return_url: str, cancel_url: str) -> SessionCreateParams:
    return {
        "allowed_payment_method_types": ["card"],
        "client_reference_id": str(key),
        "metadata": {ATTEMPT: str(key)},
        "success_url": return_url,
        "cancel_url": cancel_url,
    }


def _store_to(order: SessionCreateParams, customer: str) -> None:
    if customer:
        order["customer"] = customer
    else:
        order["customer_creation"] = "always"
