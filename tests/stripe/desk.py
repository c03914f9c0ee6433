"""Stripe as a test sees it: cards to charge, faults to order, books to read, and a customer at its pages."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from billing.gateways import CardDetails
from tests.stripe.cards import CARDS, NUMBERS
from tests.stripe.shim import Shim


@dataclass
class Stripe:
    """``origin`` is the address that ``STRIPE_API_BASE`` names."""

    origin: str
    shim: Shim

    def ask(self, path: str, **asked: Any) -> dict[str, Any]:
        """What people do at Stripe without us: a path under ``/_shim/``."""
        status, answer = self.shim.answer("POST", f"/_shim/{path}", asked)
        assert status == 200, answer
        return answer

    def token(self, card: str) -> str:
        """Store a card that behaves as named in ``tests.stripe.cards``."""
        return str(self.ask("cards", card=card)["token"])

    def details(self, card: str) -> CardDetails:
        number = NUMBERS[card]
        return CardDetails(self.token(card), CARDS[number].brand.capitalize(), number[-4:], 12, 2040)

    def fault(self, kind: str, path: str = ".*", **more: Any) -> None:
        self.shim.faults.order([{"kind": kind, "path": path, **more}])

    @property
    def ledger(self) -> dict[str, Any]:
        return self.shim.company.ledger()

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.shim.company.events

    def acts(self, page: str, **form: str) -> str:
        """A customer sends a hosted page's form; where the browser is led to next."""
        with self.shim.lock:
            return self.shim.checkout.act(page.rpartition("/")[2], form)

    def pays(self, page: str, card: str = "approves") -> str:
        return self.acts(page, do="pay", number=NUMBERS[card])

    def words(self, page: str) -> str:
        with self.shim.lock:
            return self.shim.checkout.page(page.rpartition("/")[2])[1]
