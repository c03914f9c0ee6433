"""Stripe's test numbers (https://docs.stripe.com/testing), as far as the tests use them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Card:
    """``saves``: may be stored on a setup page. ``decline_code`` is empty where Stripe gives none."""

    number: str
    name: str
    code: str = ""
    decline_code: str = ""
    message: str = ""
    saves: bool = True
    brand: str = "visa"

    @property
    def wants_customer(self) -> bool:
        return self.code == "authentication_required"

    @property
    def error(self) -> dict[str, str]:
        """What Stripe says of a declined charge; empty for a card that works."""
        if not self.code:
            return {}
        error = {"type": "card_error", "code": self.code, "message": self.message}
        return {**error, "decline_code": self.decline_code} if self.decline_code else error


CARDS = {
    card.number: card
    for card in (
        Card("4242424242424242", "approves"),
        Card("5555555555554444", "approves too", brand="mastercard"),
        Card("4000000000000341", "declines", "card_declined", "generic_decline", "Your card was declined."),
        Card(
            "4000000000009995",
            "insufficient",
            "card_declined",
            "insufficient_funds",
            "Your card has insufficient funds.",
            saves=False,
        ),
        Card("4000000000000069", "expired", "expired_card", "", "Your card has expired.", saves=False),
        Card(
            "4000000000009979",
            "stolen",
            "card_declined",
            "stolen_card",
            "Your card was declined.",
            saves=False,
        ),
        Card(
            "4000002760003184",
            "authenticates",
            "authentication_required",
            "authentication_required",
            "Your card was declined. This transaction requires authentication.",
        ),
        Card(
            "4000000000000002",
            "refused",
            "card_declined",
            "generic_decline",
            "Your card was declined.",
            saves=False,
        ),
    )
}
NUMBERS = {card.name: card.number for card in CARDS.values()}
