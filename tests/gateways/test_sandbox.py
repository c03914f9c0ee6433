from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from django.core.checks import run_checks
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing import gateways
from billing.gateways import CardRefused, NoAnswer, Page
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import Charge, HostedPage, StoredCard
from billing.gateways.sandbox.models.charge import ChargeQuerySet
from billing.gateways.sandbox.numbers import NUMBERS
from billing.statuses import AttemptState
from tests.gateways.contract import (
    AMOUNT,
    CANCEL_URL,
    KEY,
    OTHER_KEY,
    OTHER_REFUND_KEY,
    REFUND_KEY,
    RETURN_URL,
    GatewayContract,
    Token,
    charged,
    prepared,
)
from tests.gateways.races import at_once

TODAY = date(2030, 6, 15)


@pytest.fixture
def gateway(db: None) -> SandboxGateway:
    return SandboxGateway()


@pytest.fixture
def token(gateway: SandboxGateway) -> Token:
    numbers = {test.behaviour.name: number for number, test in NUMBERS.items()}
    return lambda behaviour: stored(gateway, numbers[behaviour])


def stored(gateway: SandboxGateway, number: str) -> str:
    return gateway.store_card(number, exp_month=12, exp_year=2031, today=TODAY).token


def pay_page(gateway: SandboxGateway, *, key: UUID = KEY) -> Page:
    return gateway.pay_page(
        key=key,
        amount=AMOUNT,
        currency="USD",
        description="INV-000017",
        remember=False,
        return_url=RETURN_URL,
        cancel_url=CANCEL_URL,
    )


class TestSandbox(GatewayContract):
    """The contract, kept by the sandbox."""


def test_the_sandbox_is_installed_under_its_name() -> None:
    assert gateways.get("sandbox").name == "sandbox"


def test_there_are_nine_behaviours_over_ten_numbers() -> None:
    assert len(NUMBERS) == 10
    assert len({test.behaviour.name for test in NUMBERS.values()}) == 9


@pytest.mark.parametrize(
    ("number", "state", "code"),
    [
        ("4242424242424242", AttemptState.APPROVED, ""),
        ("5555555555554444", AttemptState.APPROVED, ""),
        ("4000000000000341", AttemptState.DECLINED, "generic_decline"),
        ("4000000000009995", AttemptState.DECLINED, "insufficient_funds"),
        ("4000000000000069", AttemptState.DECLINED, "expired_card"),
        ("4000000000009979", AttemptState.DECLINED, "stolen_card"),
        ("4000002760003184", AttemptState.NEEDS_ACTION, "authentication_required"),
    ],
)
def test_a_number_behaves_as_listed(
    gateway: SandboxGateway, number: str, state: AttemptState, code: str
) -> None:
    outcome = gateway.confirm(prepared(gateway, stored(gateway, number)), key=KEY)
    assert (outcome.state, outcome.code) == (state, code)


def test_number_0119_charges_and_its_answer_is_lost_however_often_it_is_asked(
    gateway: SandboxGateway, token: Token
) -> None:
    ref = prepared(gateway, token("charged-lost"))
    for _ in range(2):
        with pytest.raises(NoAnswer):
            gateway.confirm(ref, key=KEY)
    assert gateway.retrieve(ref).state == AttemptState.APPROVED
    assert gateway.cancel(ref).state == AttemptState.APPROVED
    assert [line.amount for line in gateway.ledger()] == [AMOUNT]


def test_number_0127_does_not_charge_and_its_answer_is_lost(gateway: SandboxGateway, token: Token) -> None:
    ref = prepared(gateway, token("uncharged-lost"))
    for _ in range(2):
        with pytest.raises(NoAnswer):
            gateway.confirm(ref, key=KEY)
    assert gateway.retrieve(ref).state == AttemptState.STARTED
    assert gateway.cancel(ref).state == AttemptState.NOT_CHARGED
    assert gateway.confirm(ref, key=KEY).state == AttemptState.NOT_CHARGED
    assert list(gateway.ledger()) == []


def test_number_0002_is_refused_when_saving(gateway: SandboxGateway) -> None:
    with pytest.raises(CardRefused, match="refused this card"):
        stored(gateway, "4000000000000002")
    assert not StoredCard.objects.exists()


@pytest.mark.parametrize(
    "typed",
    ["4242 4242 4242 4242", "4242-4242-4242-4242", " 4242\u00a04242–4242 42-42 "],
    ids=["spaces", "dashes", "both"],
)
def test_spaces_and_dashes_in_a_number_are_tolerated(gateway: SandboxGateway, typed: str) -> None:
    card = gateway.store_card(typed, exp_month=6, exp_year=2030, today=TODAY)
    assert (card.brand, card.last4, card.exp_month, card.exp_year) == ("Visa", "4242", 6, 2030)


@pytest.mark.parametrize(
    "typed",
    [
        "4111111111111111",
        "424242424242424",
        "42424242424242420",
        "４２４２４２４２４２４２４２４２",
        "٤٢٤٢٤٢٤٢٤٢٤٢٤٢٤٢",
        "4242/4242/4242/4242",
        "4242\x004242424242424",
        "=4242424242424242",
        "---",
        "",
    ],
)
def test_any_other_number_is_refused_with_a_sentence_that_does_not_hold_it(
    gateway: SandboxGateway, typed: str
) -> None:
    with pytest.raises(CardRefused) as refusal:
        stored(gateway, typed)
    assert str(refusal.value).endswith(".")
    assert not typed or typed not in str(refusal.value)
    assert not StoredCard.objects.exists()


def test_an_expired_card_is_refused_and_this_month_is_not_expired(gateway: SandboxGateway) -> None:
    gateway.store_card("4242424242424242", exp_month=6, exp_year=2030, today=TODAY)
    with pytest.raises(CardRefused, match="05/2030"):
        gateway.store_card("4242424242424242", exp_month=5, exp_year=2030, today=TODAY)


def test_only_behaviour_and_last_four_digits_of_a_number_are_kept(gateway: SandboxGateway) -> None:
    card = StoredCard.objects.get(token=stored(gateway, "4000000000009995"))
    assert card.token.startswith("sbx_insufficient_9995_")
    assert not any("400000000000" in str(getattr(card, field.name)) for field in StoredCard._meta.fields)


def test_one_card_gives_a_new_token_each_time(gateway: SandboxGateway, token: Token) -> None:
    assert token("approves") != token("approves")


def test_a_charge_that_is_told_to_refuse_refunds_declines_them_under_new_keys_only(
    gateway: SandboxGateway, token: Token
) -> None:
    ref = charged(gateway, token("approves"))
    first = gateway.refund(ref, key=REFUND_KEY, amount=Decimal("9.00"), currency="USD")
    Charge.objects.filter(ref=ref).update(refuses_refunds=True)
    refused = gateway.refund(ref, key=OTHER_REFUND_KEY, amount=Decimal("9.00"), currency="USD")
    assert (refused.state, refused.code) == (AttemptState.DECLINED, "refund_refused")
    assert gateway.find_refund(ref, key=OTHER_REFUND_KEY) == refused
    assert gateway.refund(ref, key=REFUND_KEY, amount=Decimal("9.00"), currency="USD") == first
    assert [line.refunded for line in gateway.ledger()] == [Decimal("9.00")]


def test_the_ledger_lists_money_that_moved_and_nothing_else(gateway: SandboxGateway, token: Token) -> None:
    ref = charged(gateway, token("approves"))
    gateway.refund(ref, key=REFUND_KEY, amount=Decimal("9.00"), currency="USD")
    gateway.confirm(prepared(gateway, token("stolen"), key=OTHER_KEY), key=OTHER_KEY)
    prepared(gateway, token("approves"), key=OTHER_REFUND_KEY)
    [line] = gateway.ledger()
    assert (line.key, line.amount, line.currency, line.refunded) == (KEY, AMOUNT, "USD", Decimal("9.00"))


@pytest.mark.parametrize(
    ("amount", "currency"),
    [
        ("0", "USD"),
        ("-1", "USD"),
        ("NaN", "USD"),
        ("Infinity", "USD"),
        ("1.001", "USD"),
        ("1.5", "JPY"),
        ("1", "XXX"),
        ("1E15", "USD"),
    ],
)
def test_an_amount_that_cannot_be_is_our_fault(
    gateway: SandboxGateway, token: Token, amount: str, currency: str
) -> None:
    with pytest.raises(ValueError, match=r"cannot be charged|not a currency"):
        prepared(gateway, token("approves"), amount=Decimal(amount), currency=currency)


def test_references_that_were_never_given_out_are_our_fault(gateway: SandboxGateway) -> None:
    calls: list[Callable[[], object]] = [
        lambda: gateway.retrieve("sbx_charge_0"),
        lambda: gateway.cancel("sbx_charge_0"),
        lambda: gateway.confirm("sbx_charge_0", key=KEY),
        lambda: gateway.page_result("sbx_page_0"),
        lambda: prepared(gateway, "sbx_approves_4242_0"),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="never gave out"):
            call()


def test_one_confirmation_key_serves_one_charge(gateway: SandboxGateway, token: Token) -> None:
    charged(gateway, token("approves"))
    other = prepared(gateway, token("approves"), key=OTHER_KEY)
    with pytest.raises(ValueError, match=str(KEY)):
        gateway.confirm(other, key=KEY)
    assert gateway.retrieve(other).state == AttemptState.STARTED


def test_a_refund_in_another_currency_is_our_fault(gateway: SandboxGateway, token: Token) -> None:
    ref = charged(gateway, token("approves"))
    with pytest.raises(ValueError, match="in USD"):
        gateway.refund(ref, key=REFUND_KEY, amount=Decimal("1.00"), currency="EUR")


def test_a_key_serves_a_page_or_a_charge_but_not_both(gateway: SandboxGateway, token: Token) -> None:
    pay_page(gateway)
    prepared(gateway, token("approves"), key=OTHER_KEY)
    with pytest.raises(ValueError, match=str(KEY)):
        prepared(gateway, token("approves"))
    with pytest.raises(ValueError, match=str(OTHER_KEY)):
        pay_page(gateway, key=OTHER_KEY)
    assert HostedPage.objects.count() == 1


def test_the_charge_of_a_page_is_confirmed_by_its_customer_alone(gateway: SandboxGateway) -> None:
    page = pay_page(gateway)
    ref = HostedPage.objects.get(ref=page.ref).charge.ref  # type: ignore[union-attr]
    with pytest.raises(ValueError, match="hosted page"):
        gateway.confirm(ref, key=KEY)
    assert gateway.cancel(ref).state == AttemptState.NOT_CHARGED
    assert gateway.page_result(page.ref).expired


def test_a_page_expires_after_a_day(gateway: SandboxGateway) -> None:
    page = pay_page(gateway)
    assert not gateway.page_result(page.ref).expired
    HostedPage.objects.filter(ref=page.ref).update(expires_at=timezone.now() - timedelta(seconds=1))
    result = gateway.page_result(page.ref)
    assert result.expired
    assert result.outcome is not None
    assert result.outcome.state == AttemptState.NOT_CHARGED


@pytest.mark.django_db(transaction=True)
def test_a_call_inside_a_transaction_of_ours_is_refused() -> None:
    gateway = SandboxGateway()
    ref = prepared(gateway, stored(gateway, "4242424242424242"))
    with transaction.atomic(), pytest.raises(RuntimeError, match="durable"):
        gateway.confirm(ref, key=KEY)
    assert gateway.retrieve(ref).state == AttemptState.STARTED


@pytest.mark.django_db(transaction=True)
def test_eight_confirmations_at_once_charge_once() -> None:
    gateway = SandboxGateway()
    ref = prepared(gateway, stored(gateway, "4242424242424242"))
    outcomes = at_once(lambda: gateway.confirm(ref, key=KEY))
    assert [outcome.state for outcome in outcomes] == [AttemptState.APPROVED] * 8
    assert [line.amount for line in gateway.ledger()] == [AMOUNT]


@pytest.mark.django_db(transaction=True)
def test_eight_preparations_at_once_under_one_key_write_one_charge() -> None:
    gateway = SandboxGateway()
    card = stored(gateway, "4242424242424242")
    assert len(set(at_once(lambda: prepared(gateway, card)))) == 1
    assert Charge.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_eight_pages_at_once_under_one_key_are_one_page() -> None:
    gateway = SandboxGateway()
    assert len(set(at_once(lambda: pay_page(gateway)))) == 1
    assert (HostedPage.objects.count(), Charge.objects.count()) == (1, 1)


@pytest.mark.django_db(transaction=True)
def test_eight_refunds_at_once_under_one_key_return_the_money_once() -> None:
    gateway = SandboxGateway()
    ref = charged(gateway, stored(gateway, "4242424242424242"))
    answers = at_once(lambda: gateway.refund(ref, key=REFUND_KEY, amount=Decimal("9.00"), currency="USD"))
    assert len(set(answers)) == 1
    assert [line.refunded for line in gateway.ledger()] == [Decimal("9.00")]


def test_a_preparation_that_another_one_overtook_answers_with_the_charge_of_the_other(
    gateway: SandboxGateway, token: Token, monkeypatch: pytest.MonkeyPatch
) -> None:
    card = token("approves")
    first = prepared(gateway, card)
    look, looks = ChargeQuerySet.get, []

    def blind_at_first(charges: ChargeQuerySet, *args: Any, **kwargs: Any) -> Charge:
        looks.append(kwargs)
        if len(looks) == 1:
            raise Charge.DoesNotExist
        return look(charges, *args, **kwargs)

    monkeypatch.setattr(ChargeQuerySet, "get", blind_at_first)
    assert prepared(gateway, card) == first
    assert len(looks) == 2


@pytest.mark.postgres
def test_charges_and_pages_are_locked_before_they_are_judged(gateway: SandboxGateway, token: Token) -> None:
    ref, page = charged(gateway, token("approves")), pay_page(gateway, key=OTHER_KEY)
    calls: list[Callable[[], object]] = [
        lambda: gateway.confirm(ref, key=KEY),
        lambda: gateway.cancel(ref),
        lambda: gateway.refund(ref, key=REFUND_KEY, amount=AMOUNT, currency="USD"),
        lambda: gateway.expire_page(page.ref),
    ]
    for call in calls:
        with CaptureQueriesContext(connection) as queries:
            call()
        selects = [query["sql"] for query in queries if query["sql"].startswith("SELECT")]
        assert "FOR UPDATE" in selects[0]


@pytest.mark.parametrize(
    ("debug", "allowed", "gateway_name", "ids"),
    [
        (False, False, "sandbox", ["sandbox.E001"]),
        (False, True, "sandbox", []),
        (True, False, "sandbox", []),
        (False, False, "stripe", []),
    ],
)
def test_the_sandbox_does_not_start_unmeant(
    settings: Any, debug: bool, allowed: bool, gateway_name: str, ids: list[str]
) -> None:
    settings.DEBUG, settings.SANDBOX_GATEWAY, settings.GATEWAY = debug, allowed, gateway_name
    assert [message.id for message in run_checks() if str(message.id).startswith("sandbox")] == ids


def test_the_sandbox_is_not_to_be_had_while_it_is_switched_off(settings: Any) -> None:
    settings.DEBUG, settings.SANDBOX_GATEWAY = False, False
    with pytest.raises(KeyError, match="switched off"):
        gateways.get("sandbox")
