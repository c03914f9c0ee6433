"""Checkout as the desk uses it: a page per key, asked about and never believed."""

from __future__ import annotations

import pytest

from billing import gateways
from billing.statuses import AttemptState
from tests.gateways.contract import (
    CANCEL_URL,
    KEY,
    OTHER_KEY,
    RETURN_URL,
    charged,
    pay_page,
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


def test_a_pay_page_charges_once_and_shows_the_card_without_keeping_it(
    gateway: gateways.Gateway, stripe: Stripe
) -> None:
    page = pay_page(gateway)
    assert stripe.pays(page.url) == RETURN_URL
    assert stripe.pays(page.url) == RETURN_URL
    result = gateway.page_result(page.ref)
    assert result.done
    assert result.outcome
    assert result.outcome.state == AttemptState.APPROVED
    assert result.card
    assert (result.card.token, result.card.brand, result.card.last4) == ("", "Visa", "4242")
    (charge,) = stripe.ledger["charges"]
    assert (charge["attempt"], charge["amount"], charge["id"]) == (str(KEY), 4900, result.outcome.ref)
    assert gateway.expire_page(page.ref) == result


@pytest.mark.parametrize("known", [True, False])
def test_a_remembered_card_can_be_charged_again(
    gateway: gateways.Gateway, stripe: Stripe, known: bool
) -> None:
    customer = gateway.customer(key=KEY, name="Ada", email="ada@example.com") if known else ""
    page = pay_page(gateway, remember=True, customer=customer)
    stripe.pays(page.url)
    card = gateway.page_result(page.ref).card
    assert card
    assert card.token.startswith(f"{customer}/pm_" if known else "cus_")
    charged(gateway, card.token, key=OTHER_KEY)


def test_a_decline_leaves_the_page_open_for_another_card(gateway: gateways.Gateway, stripe: Stripe) -> None:
    page = pay_page(gateway)
    assert stripe.pays(page.url, "stolen") == page.url
    assert "Your card was declined." in stripe.words(page.url)
    result = gateway.page_result(page.ref)
    assert (result.done, result.expired, result.outcome) == (False, False, None)
    assert stripe.pays(page.url) == RETURN_URL
    assert gateway.page_result(page.ref).done


@pytest.mark.parametrize(("answer", "ends"), [("approve", True), ("refuse", False)])
def test_a_bank_may_ask_on_the_page(
    gateway: gateways.Gateway, stripe: Stripe, answer: str, ends: bool
) -> None:
    page = pay_page(gateway)
    stripe.pays(page.url, "authenticates")
    assert not gateway.page_result(page.ref).done
    stripe.acts(page.url, do=answer)
    assert gateway.page_result(page.ref).done is ends


def test_an_expired_page_takes_no_money_even_after_a_decline(
    gateway: gateways.Gateway, stripe: Stripe
) -> None:
    page = pay_page(gateway)
    stripe.pays(page.url, "declines")
    result = gateway.expire_page(page.ref)
    assert (result.done, result.expired) == (False, True)
    assert result.outcome
    assert result.outcome.state == AttemptState.NOT_CHARGED
    stripe.pays(page.url)
    assert stripe.ledger["charges"] == []


def test_a_setup_page_stores_a_card_and_nothing_else(gateway: gateways.Gateway, stripe: Stripe) -> None:
    customer = gateway.customer(key=KEY, name="Ada", email="")
    page = gateway.card_page(key=KEY, return_url=RETURN_URL, cancel_url=CANCEL_URL, customer=customer)
    assert stripe.pays(page.url, "refused") == page.url
    assert stripe.pays(page.url, "declines") == RETURN_URL
    result = gateway.page_result(page.ref)
    assert result.done
    assert result.outcome is None
    assert result.card
    assert result.card.token.startswith(f"{customer}/pm_")
    assert (result.card.last4, result.card.exp_month, result.card.exp_year) == ("0341", 12, 2040)
    assert stripe.ledger["charges"] == []
