"""Every way in which Stripe answers, or does not, and what the desk may conclude from it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
import stripe as library

from billing import gateways
from billing.gateways import NoAnswer, NotOurGateway, Outcome
from billing.gateways.stripe import line
from billing.gateways.stripe.amounts import amount_of, units
from billing.gateways.stripe.declines import declined
from billing.gateways.stripe.gateway import StripeGateway
from billing.gateways.stripe.reading import charge_outcome, refund_outcome
from billing.statuses import AttemptState
from tests.gateways.contract import (
    AMOUNT,
    KEY,
    OTHER_KEY,
    OTHER_REFUND_KEY,
    REFUND_KEY,
    charged,
    prepared,
)
from tests.stripe.desk import Stripe

ANYWHERE = "https://desk.example.com/"
NO_ANSWER = [
    "refused",
    "dropped_before",
    "dropped_after",
    "500_before",
    "500_kept",
    "500_after",
    "409",
    "429",
]


@pytest.fixture
def gateway(stripe: Stripe) -> gateways.Gateway:
    return gateways.get("stripe")


# -- no answer


@pytest.mark.parametrize("kind", NO_ANSWER)
def test_a_confirmation_without_an_answer_is_asked_about_and_never_repeated(
    gateway: gateways.Gateway, stripe: Stripe, kind: str
) -> None:
    ref = prepared(gateway, stripe.token("approves"))
    stripe.fault(kind, "/confirm$")
    with pytest.raises(NoAnswer):
        gateway.confirm(ref, key=KEY)
    done = kind in ("dropped_after", "500_after")
    assert gateway.retrieve(ref).state == (AttemptState.APPROVED if done else AttemptState.STARTED)
    assert len(stripe.ledger["charges"]) == int(done)


@pytest.mark.parametrize("kind", NO_ANSWER)
@pytest.mark.parametrize("call", ["prepare", "retrieve", "cancel", "refund", "find_refund", "check"])
def test_every_call_says_when_it_had_no_answer(
    gateway: gateways.Gateway, stripe: Stripe, kind: str, call: str
) -> None:
    card = stripe.token("approves")
    ref = charged(gateway, card)
    calls: dict[str, Callable[[], object]] = {
        "prepare": lambda: prepared(gateway, card, key=OTHER_KEY),
        "retrieve": lambda: gateway.retrieve(ref),
        "cancel": lambda: gateway.cancel(ref),
        "refund": lambda: gateway.refund(ref, key=REFUND_KEY, amount=AMOUNT, currency="USD"),
        "find_refund": lambda: gateway.find_refund(ref, key=REFUND_KEY),
        "check": gateway.check,
    }
    stripe.fault(kind)
    with pytest.raises(NoAnswer):
        calls[call]()


def test_an_answer_slower_than_the_time_out_is_none(
    gateway: gateways.Gateway, stripe: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    ref = prepared(gateway, stripe.token("approves"))
    monkeypatch.setattr(line, "TIMEOUT", 0.2)
    line.line.cache_clear()
    hasty = StripeGateway("sk_test_hasty", api_base=stripe.origin)
    line.line.cache_clear()
    stripe.fault("slow", "/confirm$", seconds=1)
    with pytest.raises(NoAnswer):
        hasty.confirm(ref, key=KEY)
    assert gateway.retrieve(ref).state == AttemptState.APPROVED


def test_nobody_at_the_address_is_no_answer() -> None:
    with pytest.raises(NoAnswer, match="APIConnectionError"):
        StripeGateway("sk_test_1", api_base="http://127.0.0.1:9").check()


def test_the_library_waits_twenty_seconds_and_repeats_nothing_by_itself() -> None:
    options = line.line("sk_test_1", "")._requestor._options
    assert options.max_network_retries == 0
    assert line.TIMEOUT == 20


# -- not ours


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("sk_test_wrong_1", "Stripe does not know the key that is set in STRIPE_API_KEY"),
        ("rk_test_narrow_1", "Stripe does not let the key in STRIPE_API_KEY do this"),
    ],
)
def test_a_key_that_stripe_does_not_take_is_a_sentence_without_the_key(
    stripe: Stripe, key: str, words: str
) -> None:
    with pytest.raises(NotOurGateway, match=words) as refused:
        StripeGateway(key, api_base=stripe.origin).check()
    assert "wrong_1" not in str(refused.value)
    assert "narrow_1" not in str(refused.value)


def test_what_stripe_refuses_is_told_in_its_words_without_tokens(
    gateway: gateways.Gateway, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), pytest.raises(ValueError, match="No such payment_intent") as refused:
        gateway.retrieve("pi_of_somebody_else")
    assert refused.value.__suppress_context__
    error = library.InvalidRequestError(  # type: ignore[no-untyped-call]
        "No such PaymentMethod: 'pm_1AbC' of cus_2DeF", "payment_method"
    )
    assert line.words(error) == "No such PaymentMethod: 'pm_…' of cus_…"


# -- declines


@pytest.mark.parametrize(
    ("code", "decline_code", "hard"),
    [
        ("card_declined", "insufficient_funds", False),
        ("card_declined", "do_not_honor", False),
        ("card_declined", "try_again_later", False),
        ("card_declined", "lost_card", True),
        ("card_declined", "pickup_card", True),
        ("expired_card", "", True),
        ("incorrect_cvc", "", False),
        ("processing_error", "", False),
    ],
)
def test_a_decline_keeps_the_banks_own_reason(code: str, decline_code: str, hard: bool) -> None:
    outcome = declined("pi_1", code=code, decline_code=decline_code, message="")
    assert (outcome.state, outcome.code, outcome.hard) == (
        AttemptState.DECLINED,
        decline_code or code,
        hard,
    )
    assert outcome.message


@pytest.mark.parametrize("card", ["declines", "insufficient", "expired", "stolen", "authenticates"])
def test_a_lost_decline_is_read_later_as_it_was_said(
    gateway: gateways.Gateway, stripe: Stripe, card: str
) -> None:
    ref = prepared(gateway, stripe.token(card))
    said = gateway.confirm(ref, key=KEY)
    assert gateway.retrieve(ref) == said


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("requires_payment_method", AttemptState.STARTED),
        ("requires_confirmation", AttemptState.STARTED),
        ("requires_action", AttemptState.NEEDS_ACTION),
        ("processing", AttemptState.PENDING),
        ("requires_capture", AttemptState.PENDING),
        ("canceled", AttemptState.NOT_CHARGED),
        ("succeeded", AttemptState.APPROVED),
    ],
)
def test_every_status_of_a_charge_has_its_meaning(status: str, state: AttemptState) -> None:
    intent = library.PaymentIntent.construct_from({"id": "pi_1", "status": status}, "sk_test_1")
    assert charge_outcome(intent) == Outcome(state, "pi_1")


@pytest.mark.parametrize(
    ("status", "state", "code"),
    [
        ("succeeded", AttemptState.APPROVED, ""),
        ("pending", AttemptState.PENDING, ""),
        ("requires_action", AttemptState.PENDING, ""),
        ("failed", AttemptState.DECLINED, "failed"),
        ("canceled", AttemptState.DECLINED, "canceled"),
    ],
)
def test_every_status_of_a_refund_has_its_meaning(status: str, state: AttemptState, code: str) -> None:
    refund = library.Refund.construct_from({"id": "re_1", "status": status}, "sk_test_1")
    outcome = refund_outcome(refund)
    assert (outcome.state, outcome.ref, outcome.code) == (state, "re_1", code)


def test_a_charge_of_a_card_removed_before_is_declined_for_good(
    gateway: gateways.Gateway, stripe: Stripe
) -> None:
    card = stripe.token("approves")
    gateway.detach_card(card)
    ref = prepared(gateway, card)
    assert prepared(gateway, card) == ref
    outcome = gateway.confirm(ref, key=KEY)
    assert (outcome.state, outcome.code, outcome.hard) == (AttemptState.DECLINED, "card_removed", True)
    assert gateway.retrieve(ref).state == AttemptState.NOT_CHARGED
    assert stripe.ledger["charges"] == []


def test_confirming_under_another_key_charges_no_second_time(
    gateway: gateways.Gateway, stripe: Stripe
) -> None:
    ref = charged(gateway, stripe.token("approves"))
    assert gateway.confirm(ref, key=OTHER_KEY) == Outcome(AttemptState.APPROVED, ref)
    assert len(stripe.ledger["charges"]) == 1


# -- amounts


@pytest.mark.parametrize(
    ("amount", "currency", "counted"),
    [
        ("49.00", "USD", 4900),
        ("500", "JPY", 500),
        ("1.230", "KWD", 1230),
        ("5", "ISK", 500),
        ("5", "UGX", 500),
        ("5", "MGA", 5),
        ("49.90", "HUF", 4990),
    ],
)
def test_amounts_are_counted_as_stripe_counts_them(amount: str, currency: str, counted: int) -> None:
    assert units(Decimal(amount), currency) == counted
    assert amount_of(counted, currency) == Decimal(amount)


def test_an_amount_that_stripe_cannot_say_is_refused_with_a_sentence(
    gateway: gateways.Gateway, stripe: Stripe
) -> None:
    with pytest.raises(ValueError, match=r"^Stripe takes KWD in steps of 0\.010: KWD.?1\.234 cannot be"):
        prepared(gateway, stripe.token("approves"), amount=Decimal("1.234"), currency="KWD")
    with pytest.raises(ValueError, match=r"^Stripe takes MGA in steps of 1\.00"):
        units(Decimal("1.20"), "MGA")
    for amount, currency in (("0", "USD"), ("-1", "USD"), ("NaN", "USD"), ("1.001", "USD"), ("1", "XXX")):
        with pytest.raises(ValueError, match=r"cannot be charged|is not a currency"):
            units(Decimal(amount), currency)


def test_a_refund_that_stripe_cannot_say_is_declined(gateway: gateways.Gateway, stripe: Stripe) -> None:
    ref = charged(gateway, stripe.token("approves"), amount=Decimal("1.230"), currency="KWD")
    refund = gateway.refund(ref, key=REFUND_KEY, amount=Decimal("1.001"), currency="KWD")
    assert (refund.state, refund.code) == (AttemptState.DECLINED, "amount_not_possible")
    assert refund.message.startswith("Stripe takes KWD in steps of 0.010")


# -- refunds


def test_a_refund_that_is_refused_or_fails_later_is_declined_in_stripes_words(
    gateway: gateways.Gateway, stripe: Stripe
) -> None:
    ref = charged(gateway, stripe.token("approves"))
    stripe.ask("refund_ends", payment_intent=ref, next="refused")
    refused = gateway.refund(ref, key=REFUND_KEY, amount=AMOUNT, currency="USD")
    assert (refused.state, refused.message) == (AttemptState.DECLINED, "This charge cannot be refunded.")
    stripe.ask("refund_ends", payment_intent=ref, next="pending")
    pending = gateway.refund(ref, key=OTHER_REFUND_KEY, amount=AMOUNT, currency="USD")
    assert pending.state == AttemptState.PENDING
    stripe.ask("refund_ends", refund=pending.ref, status="failed")
    failed = gateway.find_refund(ref, key=OTHER_REFUND_KEY)
    assert failed is not None
    assert (failed.state, failed.code) == (AttemptState.DECLINED, "lost_or_stolen_card")


def test_a_refund_is_found_on_a_later_page_of_many(gateway: gateways.Gateway, stripe: Stripe) -> None:
    ref = charged(gateway, stripe.token("approves"), amount=Decimal("200.00"))
    first = gateway.refund(ref, key=REFUND_KEY, amount=Decimal("1.00"), currency="USD")
    for _ in range(101):
        stripe.ask("refunds", payment_intent=ref, amount=1)
    assert gateway.find_refund(ref, key=REFUND_KEY) == first


def test_keys_of_ours_never_meet(gateway: gateways.Gateway, stripe: Stripe) -> None:
    """One key serves every call of an attempt: at Stripe each call has it under its own ending."""
    key: UUID = uuid4()
    customer = gateway.customer(key=key, name="Ada", email="")
    gateway.card_page(key=key, return_url=ANYWHERE, cancel_url=ANYWHERE, customer=customer)
    ref = charged(gateway, stripe.token("approves"), key=key)
    assert gateway.refund(ref, key=key, amount=AMOUNT, currency="USD").state == AttemptState.APPROVED
