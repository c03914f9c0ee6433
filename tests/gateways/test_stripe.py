"""The contract kept by Stripe: by the one of the tests, and by Stripe's test mode when a key is given."""

from __future__ import annotations

import os
from decimal import Decimal
from typing import ClassVar
from uuid import uuid4

import pytest
import stripe as library

from billing import gateways
from billing.gateways.stripe.gateway import StripeGateway
from tests.gateways import contract
from tests.gateways.contract import GatewayContract, Token
from tests.stripe.desk import Stripe

FINEST = {"JPY": Decimal(500), "KWD": Decimal("1.230")}
STRIPE_TEST_KEY = os.environ.get("STRIPE_TEST_KEY", "")


class TestStripe(GatewayContract):
    finest: ClassVar = FINEST

    @pytest.fixture
    def gateway(self, stripe: Stripe) -> gateways.Gateway:
        return gateways.get("stripe")

    @pytest.fixture
    def token(self, stripe: Stripe) -> Token:
        return stripe.token


@pytest.mark.skipif(not STRIPE_TEST_KEY, reason="STRIPE_TEST_KEY names no key of Stripe's test mode")
class TestStripeTestMode(GatewayContract):
    finest: ClassVar = FINEST
    stored: ClassVar = {
        "approves": "pm_card_visa",
        "declines": "pm_card_chargeCustomerFail",
        "authenticates": "pm_card_authenticationRequired",
    }
    never_stored: ClassVar = {
        "insufficient": "pm_card_visa_chargeDeclinedInsufficientFunds",
        "expired": "pm_card_chargeDeclinedExpiredCard",
        "stolen": "pm_card_visa_chargeDeclinedStolenCard",
    }

    @pytest.fixture(autouse=True)
    def _new_keys(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stripe remembers keys for a day, whichever test has used them."""
        for name in ("KEY", "OTHER_KEY", "REFUND_KEY", "OTHER_REFUND_KEY"):
            monkeypatch.setattr(contract, name, uuid4())

    @pytest.fixture
    def gateway(self) -> gateways.Gateway:
        assert STRIPE_TEST_KEY.startswith(("sk_test_", "rk_test_"))
        return StripeGateway(STRIPE_TEST_KEY)

    @pytest.fixture
    def token(self) -> Token:
        return self._token

    def _token(self, behaviour: str) -> str:
        if behaviour in self.never_stored:  # Stripe stores no card of these, and charges them all the same
            return f"/{self.never_stored[behaviour]}"
        client = library.StripeClient(STRIPE_TEST_KEY).v1
        customer = client.customers.create({"name": "Counterfoil's tests"}).id
        method = client.payment_methods.attach(self.stored[behaviour], {"customer": customer})
        return f"{customer}/{method.id}"
