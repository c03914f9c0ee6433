"""What every card gateway must keep, whoever runs it. A gateway's own tests subclass ``GatewayContract``.

The subclass gives two fixtures: ``gateway``, and ``token``, which stores a card that behaves as named
(``approves``, ``declines``, ``insufficient``, ``expired``, ``stolen``, ``authenticates``).
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

import pytest

from billing.gateways import Gateway, Page
from billing.statuses import AttemptState

KEY = UUID("11111111-1111-4111-8111-111111111111")
OTHER_KEY = UUID("22222222-2222-4222-8222-222222222222")
REFUND_KEY = UUID("33333333-3333-4333-8333-333333333333")
OTHER_REFUND_KEY = UUID("44444444-4444-4444-8444-444444444444")
AMOUNT = Decimal("49.00")
RETURN_URL = "https://desk.example.com/came-back/"
CANCEL_URL = "https://desk.example.com/gave-up/"
ELSEWHERE = "https://desk.example.com/elsewhere/"

Token = Callable[[str], str]


def prepared(
    gateway: Gateway, token: str, *, key: UUID | None = None, amount: Decimal = AMOUNT, currency: str = "USD"
) -> str:
    return gateway.prepare(key=key or KEY, amount=amount, currency=currency, token=token)


def charged(
    gateway: Gateway, token: str, *, key: UUID | None = None, amount: Decimal = AMOUNT, currency: str = "USD"
) -> str:
    ref = prepared(gateway, token, key=key, amount=amount, currency=currency)
    assert gateway.confirm(ref, key=key or KEY).state == AttemptState.APPROVED
    return ref


def pay_page(gateway: Gateway, *, remember: bool = False, customer: str = "") -> Page:
    return gateway.pay_page(
        key=KEY,
        amount=AMOUNT,
        currency="USD",
        description="INV-000017",
        remember=remember,
        return_url=RETURN_URL,
        cancel_url=CANCEL_URL,
        customer=customer,
    )


class GatewayContract:
    """``finest`` holds amounts that the gateway must take, as fine as it takes them."""

    finest: ClassVar = {"JPY": Decimal(500), "KWD": Decimal("1.234")}

    def test_it_answers_and_knows_us(self, gateway: Gateway) -> None:
        gateway.check()

    def test_one_key_opens_one_file_for_a_customer(self, gateway: Gateway) -> None:
        first = gateway.customer(key=KEY, name="Ada Lovelace", email="ada@example.com")
        assert gateway.customer(key=KEY, name="Ada Lovelace", email="ada@example.com") == first

    def test_a_page_is_opened_for_a_customer(self, gateway: Gateway) -> None:
        customer = gateway.customer(key=KEY, name="Ada Lovelace", email="")
        page = gateway.card_page(key=KEY, return_url=RETURN_URL, cancel_url=CANCEL_URL, customer=customer)
        assert page.url
        assert not gateway.page_result(page.ref).done

    def test_a_prepared_charge_is_written_down_and_not_charged(self, gateway: Gateway, token: Token) -> None:
        assert gateway.retrieve(prepared(gateway, token("approves"))).state == AttemptState.STARTED

    def test_a_confirmed_charge_is_approved(self, gateway: Gateway, token: Token) -> None:
        ref = prepared(gateway, token("approves"))
        outcome = gateway.confirm(ref, key=KEY)
        assert (outcome.state, outcome.ref) == (AttemptState.APPROVED, ref)
        assert gateway.retrieve(ref) == outcome

    def test_preparing_twice_under_one_key_writes_one_charge(self, gateway: Gateway, token: Token) -> None:
        card = token("approves")
        assert prepared(gateway, card) == prepared(gateway, card)

    def test_another_key_is_another_charge(self, gateway: Gateway, token: Token) -> None:
        card = token("approves")
        assert prepared(gateway, card) != prepared(gateway, card, key=OTHER_KEY)

    def test_confirming_twice_gives_the_first_answer(self, gateway: Gateway, token: Token) -> None:
        ref = prepared(gateway, token("approves"))
        assert gateway.confirm(ref, key=KEY) == gateway.confirm(ref, key=KEY)

    def test_a_key_reused_for_another_amount_is_our_fault(self, gateway: Gateway, token: Token) -> None:
        card = token("approves")
        prepared(gateway, card)
        with pytest.raises(ValueError, match=str(KEY)):
            prepared(gateway, card, amount=Decimal("49.01"))

    @pytest.mark.parametrize(
        ("behaviour", "code", "hard"),
        [
            ("declines", "generic_decline", False),
            ("insufficient", "insufficient_funds", False),
            ("expired", "expired_card", True),
            ("stolen", "stolen_card", True),
        ],
    )
    def test_a_declined_charge_says_why_and_whether_trying_again_helps(
        self, gateway: Gateway, token: Token, behaviour: str, code: str, hard: bool
    ) -> None:
        outcome = gateway.confirm(prepared(gateway, token(behaviour)), key=KEY)
        assert (outcome.state, outcome.code, outcome.hard) == (AttemptState.DECLINED, code, hard)
        assert outcome.message

    def test_a_card_whose_bank_wants_the_customer_needs_action(self, gateway: Gateway, token: Token) -> None:
        ref = prepared(gateway, token("authenticates"))
        assert gateway.confirm(ref, key=KEY).state == AttemptState.NEEDS_ACTION
        assert gateway.retrieve(ref).state == AttemptState.NEEDS_ACTION

    def test_a_charge_that_needs_action_can_be_cancelled(self, gateway: Gateway, token: Token) -> None:
        ref = prepared(gateway, token("authenticates"))
        gateway.confirm(ref, key=KEY)
        assert gateway.cancel(ref).state == AttemptState.NOT_CHARGED

    def test_a_cancelled_charge_is_never_charged(self, gateway: Gateway, token: Token) -> None:
        ref = prepared(gateway, token("approves"))
        assert gateway.cancel(ref).state == AttemptState.NOT_CHARGED
        assert gateway.confirm(ref, key=KEY).state == AttemptState.NOT_CHARGED
        assert gateway.retrieve(ref).state == AttemptState.NOT_CHARGED

    def test_cancelling_what_was_charged_answers_approved(self, gateway: Gateway, token: Token) -> None:
        assert gateway.cancel(charged(gateway, token("approves"))).state == AttemptState.APPROVED

    def test_cancelling_twice_is_no_error(self, gateway: Gateway, token: Token) -> None:
        ref = prepared(gateway, token("approves"))
        assert gateway.cancel(ref) == gateway.cancel(ref)

    def test_a_refund_returns_money_once_per_key(self, gateway: Gateway, token: Token) -> None:
        ref = charged(gateway, token("approves"))
        first = gateway.refund(ref, key=REFUND_KEY, amount=AMOUNT, currency="USD")
        assert first.state == AttemptState.APPROVED
        assert gateway.refund(ref, key=REFUND_KEY, amount=AMOUNT, currency="USD") == first

    def test_partial_refunds_add_up_to_the_charge_and_no_further(
        self, gateway: Gateway, token: Token
    ) -> None:
        ref = charged(gateway, token("approves"))
        gateway.refund(ref, key=REFUND_KEY, amount=Decimal("48.99"), currency="USD")
        too_much = gateway.refund(ref, key=OTHER_REFUND_KEY, amount=Decimal("0.02"), currency="USD")
        assert too_much.state == AttemptState.DECLINED
        assert too_much.message
        rest = gateway.refund(ref, key=OTHER_KEY, amount=Decimal("0.01"), currency="USD")
        assert rest.state == AttemptState.APPROVED

    def test_a_refund_key_reused_for_another_amount_is_our_fault(
        self, gateway: Gateway, token: Token
    ) -> None:
        ref = charged(gateway, token("approves"))
        gateway.refund(ref, key=REFUND_KEY, amount=Decimal("1.00"), currency="USD")
        with pytest.raises(ValueError, match=str(REFUND_KEY)):
            gateway.refund(ref, key=REFUND_KEY, amount=Decimal("2.00"), currency="USD")

    def test_a_refund_is_found_by_its_key(self, gateway: Gateway, token: Token) -> None:
        ref = charged(gateway, token("approves"))
        refunded = gateway.refund(ref, key=REFUND_KEY, amount=AMOUNT, currency="USD")
        assert gateway.find_refund(ref, key=REFUND_KEY) == refunded
        assert gateway.find_refund(ref, key=OTHER_REFUND_KEY) is None

    def test_a_charge_that_was_declined_cannot_be_refunded(self, gateway: Gateway, token: Token) -> None:
        ref = prepared(gateway, token("stolen"))
        gateway.confirm(ref, key=KEY)
        refund = gateway.refund(ref, key=REFUND_KEY, amount=AMOUNT, currency="USD")
        assert refund.state == AttemptState.DECLINED

    @pytest.mark.parametrize("currency", ["JPY", "KWD"])
    def test_currencies_keep_their_own_decimals(self, gateway: Gateway, token: Token, currency: str) -> None:
        amount = self.finest[currency]
        ref = charged(gateway, token("approves"), amount=amount, currency=currency)
        refund = gateway.refund(ref, key=REFUND_KEY, amount=amount, currency=currency)
        assert refund.state == AttemptState.APPROVED

    def test_a_card_can_be_forgotten_twice_and_is_then_declined_for_good(
        self, gateway: Gateway, token: Token
    ) -> None:
        card = token("approves")
        ref = prepared(gateway, card)
        gateway.detach_card(card)
        gateway.detach_card(card)
        outcome = gateway.confirm(ref, key=KEY)
        assert (outcome.state, outcome.hard) == (AttemptState.DECLINED, True)

    def test_a_page_is_opened_once_per_key_and_waits_for_its_customer(self, gateway: Gateway) -> None:
        first = gateway.card_page(key=KEY, return_url=RETURN_URL, cancel_url=CANCEL_URL)
        assert gateway.card_page(key=KEY, return_url=RETURN_URL, cancel_url=CANCEL_URL) == first
        result = gateway.page_result(first.ref)
        assert (result.done, result.expired, result.card, result.outcome) == (False, False, None, None)

    def test_a_page_key_reused_for_another_address_is_our_fault(self, gateway: Gateway) -> None:
        gateway.card_page(key=KEY, return_url=RETURN_URL, cancel_url=CANCEL_URL)
        with pytest.raises(ValueError, match=str(KEY)):
            gateway.card_page(key=KEY, return_url=ELSEWHERE, cancel_url=CANCEL_URL)

    def test_a_pay_page_can_be_expired_before_its_customer_comes(self, gateway: Gateway) -> None:
        page = pay_page(gateway)
        result = gateway.expire_page(page.ref)
        assert (result.done, result.expired) == (False, True)
        assert gateway.expire_page(page.ref) == gateway.page_result(page.ref) == result
