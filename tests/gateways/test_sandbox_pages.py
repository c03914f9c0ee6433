from __future__ import annotations

import logging
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone
from django.views.debug import SafeExceptionReporterFilter

from billing.gateways import Page
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import Charge, HostedPage, StoredCard
from billing.gateways.sandbox.numbers import NUMBERS
from billing.statuses import AttemptState
from tests.attempts.locks import race
from tests.gateways.contract import AMOUNT, CANCEL_URL, KEY, OTHER_KEY, RETURN_URL
from tests.gateways.races import at_once

APPROVES, STOLEN, AUTHENTICATES = "4242424242424242", "4000000000009979", "4000002760003184"
CHARGED_LOST, UNCHARGED_LOST, REFUSED = "4000000000000119", "4000000000000127", "4000000000000002"


@pytest.fixture
def gateway(db: None) -> SandboxGateway:
    return SandboxGateway()


def pay_page(gateway: SandboxGateway, *, remember: bool = False, description: str = "INV-000017") -> Page:
    return gateway.pay_page(
        key=KEY,
        amount=AMOUNT,
        currency="USD",
        description=description,
        remember=remember,
        return_url=RETURN_URL,
        cancel_url=CANCEL_URL,
    )


def card_page(gateway: SandboxGateway) -> Page:
    return gateway.card_page(key=KEY, return_url=RETURN_URL, cancel_url=CANCEL_URL)


def typed(number: str, **other: str) -> dict[str, str]:
    year = str(timezone.localdate().year + 2)
    return {
        "number": number,
        "exp_month": "11",
        "exp_year": year,
        "cvc": "918",
        "holder": "Ada Lovelace",
    } | other


def test_a_card_page_stores_the_card_and_sends_the_customer_back(
    client: Client, gateway: SandboxGateway
) -> None:
    page = card_page(gateway)
    answer = client.post(page.url, typed("5555 5555 5555 4444"))
    assert (answer.status_code, answer["Location"]) == (302, RETURN_URL)
    result = gateway.page_result(page.ref)
    assert (result.done, result.outcome) == (True, None)
    assert result.card is not None
    assert (result.card.brand, result.card.last4, result.card.exp_month) == ("Mastercard", "4444", 11)
    ref = gateway.prepare(key=KEY, amount=AMOUNT, currency="USD", token=result.card.token)
    assert gateway.confirm(ref, key=KEY).state == AttemptState.APPROVED


def test_a_pay_page_charges_and_sends_the_customer_back(client: Client, gateway: SandboxGateway) -> None:
    page = pay_page(gateway)
    answer = client.post(page.url, typed(APPROVES))
    assert (answer.status_code, answer["Location"]) == (302, RETURN_URL)
    result = gateway.page_result(page.ref)
    assert (result.done, result.card) == (True, None)
    assert result.outcome is not None
    assert result.outcome.state == AttemptState.APPROVED
    assert gateway.retrieve(result.outcome.ref) == result.outcome
    assert [(line.key, line.amount, line.currency) for line in gateway.ledger()] == [(KEY, AMOUNT, "USD")]


def test_a_pay_page_shows_amount_description_and_the_way_back(
    client: Client, gateway: SandboxGateway
) -> None:
    shown = client.get(pay_page(gateway, description="INV-000017 <script>").url).content.decode()
    assert "Pay $49.00" in shown
    assert "INV-000017 &lt;script&gt;" in shown
    assert f'href="{CANCEL_URL}"' in shown
    assert "TEST – no real cards" in shown


def test_both_pages_list_every_test_number(client: Client, gateway: SandboxGateway) -> None:
    shown = client.get(card_page(gateway).url).content.decode()
    assert [number for number in NUMBERS if f"<code>{number}</code>" not in shown] == []


def test_a_remembered_card_is_stored_when_the_payment_is_made(
    client: Client, gateway: SandboxGateway
) -> None:
    page = pay_page(gateway, remember=True)
    assert "remembered" in client.get(page.url).content.decode()
    client.post(page.url, typed(APPROVES))
    card = gateway.page_result(page.ref).card
    assert card is not None
    assert card.last4 == "4242"


def test_a_declined_card_is_not_remembered(client: Client, gateway: SandboxGateway) -> None:
    page = pay_page(gateway, remember=True)
    client.post(page.url, typed(STOLEN))
    assert gateway.page_result(page.ref).card is None


def test_a_card_used_once_cannot_be_charged_again(client: Client, gateway: SandboxGateway) -> None:
    client.post(pay_page(gateway).url, typed(APPROVES))
    token = StoredCard.objects.get().token
    ref = gateway.prepare(key=OTHER_KEY, amount=AMOUNT, currency="USD", token=token)
    assert gateway.confirm(ref, key=OTHER_KEY).state == AttemptState.DECLINED


def test_a_declined_payment_ends_the_page_with_the_banks_words(
    client: Client, gateway: SandboxGateway
) -> None:
    page = pay_page(gateway)
    assert client.post(page.url, typed(STOLEN))["Location"] == RETURN_URL
    result = gateway.page_result(page.ref)
    assert result.done
    assert result.outcome is not None
    assert (result.outcome.state, result.outcome.code, result.outcome.hard) == (
        AttemptState.DECLINED,
        "stolen_card",
        True,
    )


@pytest.mark.parametrize("open_page", [card_page, pay_page])
def test_number_0002_is_refused_on_the_page_which_stays_open(
    client: Client, gateway: SandboxGateway, open_page: Any
) -> None:
    page = open_page(gateway)
    answer = client.post(page.url, typed(REFUSED))
    assert answer.status_code == 422
    assert "The bank refused this card" in answer.content.decode()
    assert not gateway.page_result(page.ref).done
    assert client.post(page.url, typed(APPROVES))["Location"] == RETURN_URL


def test_the_bank_asks_and_the_customer_approves(client: Client, gateway: SandboxGateway) -> None:
    page = pay_page(gateway, remember=True)
    shown = client.post(page.url, typed(AUTHENTICATES), follow=True).content.decode()
    assert "Your bank asks you to confirm this payment" in shown
    waiting = gateway.page_result(page.ref)
    assert (waiting.done, waiting.card, waiting.outcome, list(gateway.ledger())) == (False, None, None, [])
    assert client.post(f"{page.url}approve/")["Location"] == RETURN_URL
    result = gateway.page_result(page.ref)
    assert result.outcome is not None
    assert (result.outcome.state, result.outcome.code) == (AttemptState.APPROVED, "")
    assert result.card is not None


def test_the_bank_asks_and_the_customer_refuses(client: Client, gateway: SandboxGateway) -> None:
    page = pay_page(gateway)
    client.post(page.url, typed(AUTHENTICATES))
    assert client.post(f"{page.url}refuse/")["Location"] == RETURN_URL
    outcome = gateway.page_result(page.ref).outcome
    assert outcome is not None
    assert (outcome.state, outcome.code) == (AttemptState.DECLINED, "authentication_failed")
    client.post(f"{page.url}approve/")
    assert gateway.page_result(page.ref).outcome == outcome


def test_approving_before_a_card_was_typed_charges_nothing(client: Client, gateway: SandboxGateway) -> None:
    page = pay_page(gateway)
    assert client.post(f"{page.url}approve/")["Location"] == page.url
    assert not gateway.page_result(page.ref).done


def test_expiring_a_page_while_the_bank_asks_charges_nothing(client: Client, gateway: SandboxGateway) -> None:
    page = pay_page(gateway)
    client.post(page.url, typed(AUTHENTICATES))
    assert gateway.expire_page(page.ref).expired
    client.post(f"{page.url}approve/")
    assert list(gateway.ledger()) == []


def test_expiring_a_page_that_was_paid_answers_with_the_payment(
    client: Client, gateway: SandboxGateway
) -> None:
    page = pay_page(gateway)
    client.post(page.url, typed(APPROVES))
    result = gateway.expire_page(page.ref)
    assert (result.done, result.expired) == (True, False)
    assert result.outcome is not None
    assert result.outcome.state == AttemptState.APPROVED


def test_number_0119_charges_on_the_page_and_nobody_is_sent_back(
    client: Client, gateway: SandboxGateway
) -> None:
    page = pay_page(gateway)
    answer = client.post(page.url, typed(CHARGED_LOST))
    assert answer.status_code == 200
    assert "The answer was lost" in answer.content.decode()
    outcome = gateway.page_result(page.ref).outcome
    assert outcome is not None
    assert outcome.state == AttemptState.APPROVED
    assert "This page is finished" in client.get(page.url).content.decode()


def test_number_0127_never_arrives_and_the_page_stays_open(client: Client, gateway: SandboxGateway) -> None:
    page = pay_page(gateway)
    assert "The answer was lost" in client.post(page.url, typed(UNCHARGED_LOST)).content.decode()
    assert not gateway.page_result(page.ref).done
    assert gateway.expire_page(page.ref).expired
    assert list(gateway.ledger()) == []


@pytest.mark.parametrize("number", [CHARGED_LOST, UNCHARGED_LOST, STOLEN, AUTHENTICATES])
def test_a_card_that_fails_when_charged_can_still_be_saved(
    client: Client, gateway: SandboxGateway, number: str
) -> None:
    page = card_page(gateway)
    assert client.post(page.url, typed(number))["Location"] == RETURN_URL
    card = gateway.page_result(page.ref).card
    assert card is not None
    assert card.last4 == number[-4:]


def test_the_card_form_sent_twice_charges_once_and_goes_the_same_way(
    client: Client, gateway: SandboxGateway
) -> None:
    page = pay_page(gateway)
    answers = [client.post(page.url, typed(APPROVES)) for _ in range(2)]
    assert [answer["Location"] for answer in answers] == [RETURN_URL] * 2
    assert len(list(gateway.ledger())) == StoredCard.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_the_card_form_sent_eight_times_at_once_charges_once() -> None:
    gateway = SandboxGateway()
    page = pay_page(gateway)
    answers = at_once(lambda: Client().post(page.url, typed(APPROVES)))
    assert [answer["Location"] for answer in answers] == [RETURN_URL] * 8
    assert len(list(gateway.ledger())) == StoredCard.objects.count() == 1


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_closing_a_page_while_its_customer_pays_answers_with_the_remembered_card() -> None:
    gateway, told = SandboxGateway(), list[Any]()
    page = pay_page(gateway, remember=True)
    race(
        lambda: Client().post(page.url, typed(APPROVES)),
        lambda: told.append(gateway.expire_page(page.ref)),
        owner=Charge,
        call="ask_bank",
    )
    assert [(answer.outcome.state, answer.card.last4) for answer in told] == [("approved", "4242")]


def test_a_finished_page_says_so_with_a_link_back(client: Client, gateway: SandboxGateway) -> None:
    page = card_page(gateway)
    client.post(page.url, typed(APPROVES))
    shown = client.get(page.url).content.decode()
    assert "This page is finished" in shown
    assert f'href="{RETURN_URL}"' in shown


def test_an_expired_page_says_so_with_a_link_back_and_takes_no_card(
    client: Client, gateway: SandboxGateway
) -> None:
    page = pay_page(gateway)
    HostedPage.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    for answer in (client.get(page.url), client.post(page.url, typed(APPROVES))):
        assert "This page has expired" in answer.content.decode()
        assert f'href="{CANCEL_URL}"' in answer.content.decode()
    assert list(gateway.ledger()) == []


def test_the_query_string_leads_nowhere(client: Client, gateway: SandboxGateway) -> None:
    url = f"{card_page(gateway).url}?return_url=https://evil.example/&cancel_url=https://evil.example/"
    assert "evil.example" not in client.get(url).content.decode()
    assert client.post(url, typed(APPROVES))["Location"] == RETURN_URL


@pytest.mark.parametrize("path", ["sbx_page_0/", "sbx_page_0/approve/", "a%00b/", "☃/", "../../etc/passwd/"])
def test_an_unknown_page_is_not_found(client: Client, gateway: SandboxGateway, path: str) -> None:
    assert client.post(f"/sandbox/pages/{path}", typed(APPROVES)).status_code == 404


def test_pages_are_gone_while_the_sandbox_is_switched_off(
    client: Client, gateway: SandboxGateway, settings: Any
) -> None:
    page = card_page(gateway)
    settings.DEBUG, settings.SANDBOX_GATEWAY = False, False
    assert client.get(page.url).status_code == 404


def test_every_form_asks_for_its_csrf_token(gateway: SandboxGateway) -> None:
    page, strict = pay_page(gateway), Client(enforce_csrf_checks=True)
    for path in (page.url, f"{page.url}approve/", f"{page.url}refuse/"):
        assert strict.post(path, typed(APPROVES)).status_code == 403
    assert list(gateway.ledger()) == []


def test_the_bank_is_answered_by_post_only(client: Client, gateway: SandboxGateway) -> None:
    page = pay_page(gateway)
    assert [client.get(f"{page.url}{answer}/").status_code for answer in ("approve", "refuse")] == [405, 405]


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("number", "", "Card number is empty"),
        ("number", "4111 1111 1111 1111", "This card number is not a test number"),
        ("number", "４２４２４２４２４２４２４２４２", "only the digits 0 to 9"),
        ("number", "4" * 100, "Card number is 100 characters long"),
        ("exp_month", "", "Expiry month is empty"),
        ("exp_month", "13", "Expiry month 13 is not a month"),
        ("exp_month", "００", "Expiry month ００ is not a month"),
        ("exp_month", "1" * 9, "Expiry month is 9 characters long"),
        ("exp_year", "1999", "Expiry year 1999 is not a year"),
        ("exp_year", "２０３１", "Expiry year ２０３１ is not a year"),
        ("exp_year", "2025", "This card expired in 11/2025"),
        ("exp_year", "2099", "Expiry year 2099 is more than 20 years away"),
        ("cvc", "", "CVC is empty"),
        ("cvc", "٩١٨", "CVC must be three digits"),
        ("cvc", "91", "CVC must be three digits"),
        ("cvc", "91845", "CVC is 5 characters long"),
        ("holder", "", "Name on the card is empty"),
        ("holder", "x" * 101, "Name on the card is 101 characters long"),
        ("holder", "4242 4242 4242 4242", "Name on the card holds a card number"),
        ("holder", "a\x00b", "Null characters are not allowed"),
    ],
)
def test_bad_input_is_refused_with_a_sentence_at_its_field(
    client: Client, gateway: SandboxGateway, field: str, value: str, sentence: str
) -> None:
    page = pay_page(gateway)
    answer = client.post(page.url, typed(APPROVES) | {field: value})
    assert answer.status_code == 422
    assert sentence in " ".join(answer.context["form"].errors[field])
    assert sentence in answer.content.decode()
    assert not gateway.page_result(page.ref).done


def test_number_and_cvc_are_never_written_back_and_all_else_is(
    client: Client, gateway: SandboxGateway
) -> None:
    sent = typed("4111-1111-1111-1111", exp_month="13", holder="=HYPERLINK() 😀 <b>")
    shown = client.post(card_page(gateway).url, sent).content.decode()
    assert "4111" not in shown
    assert "918" not in shown
    assert 'value="13"' in shown
    assert f'value="{sent["exp_year"]}"' in shown
    assert 'value="=HYPERLINK() 😀 &lt;b&gt;"' in shown


@pytest.mark.parametrize("field", ["holder", "exp_month", "exp_year"])
def test_a_card_number_in_the_wrong_field_is_not_written_back(
    client: Client, gateway: SandboxGateway, field: str
) -> None:
    shown = client.post(
        card_page(gateway).url, typed(APPROVES, **{field: "4111 1111 1111 1111"})
    ).content.decode()
    assert "4111" not in shown


def test_a_report_of_a_crash_leaves_number_and_cvc_out(
    client: Client,
    gateway: SandboxGateway,
    monkeypatch: pytest.MonkeyPatch,
    settings: Any,
    caplog: pytest.LogCaptureFixture,
) -> None:
    requests: list[HttpRequest] = []

    def crash(request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        requests.append(request)
        raise ArithmeticError

    monkeypatch.setattr("billing.gateways.sandbox.views._after_card", crash)
    settings.DEBUG, settings.SANDBOX_GATEWAY = False, True
    client.raise_request_exception = False
    caplog.set_level(logging.DEBUG)
    assert client.post(pay_page(gateway).url, typed(APPROVES)).status_code == 500
    reported = SafeExceptionReporterFilter().get_post_parameters(requests[0])
    assert reported["holder"] == "Ada Lovelace"
    assert {reported["number"], reported["cvc"]} == {SafeExceptionReporterFilter.cleansed_substitute}
    assert APPROVES not in caplog.text


def test_an_amount_of_yen_shows_no_decimals(client: Client, gateway: SandboxGateway) -> None:
    page = gateway.pay_page(
        key=KEY,
        amount=Decimal(500),
        currency="JPY",
        description="",
        remember=False,
        return_url=RETURN_URL,
        cancel_url=CANCEL_URL,
    )
    assert "Pay ¥500" in client.get(page.url).content.decode()
