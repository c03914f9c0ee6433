"""Every way in which Stripe answers, or does not, and what the desk may conclude from it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from uuid import UUID, uuid4

import pytest
import stripe as library

from billing import gateways
from billing.gateways import NoAnswer, NoticeKind, NotOurGateway, NotSigned, Outcome
from billing.gateways.stripe import line
from billing.gateways.stripe.amounts import amount_of, units
from billing.gateways.stripe.declines import declined
from billing.gateways.stripe.gateway import StripeGateway
from billing.gateways.stripe.reading import charge_outcome, refund_outcome
from billing.statuses import AttemptState, DisputeState
from tests.gateways.contract import (
    AMOUNT,
    CANCEL_URL,
    KEY,
    OTHER_KEY,
    OTHER_REFUND_KEY,
    REFUND_KEY,
    RETURN_URL,
    charged,
    prepared,
)
from tests.stripe.desk import Stripe
from tests.stripe.signing import SECRET, signed

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


def pay_page(gateway: gateways.Gateway, *, remember: bool = False, customer: str = "") -> gateways.Page:
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


# -- pages


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


# -- what moved without us


def test_what_was_done_in_the_dashboard_is_told_without_a_key(
    gateway: gateways.Gateway, stripe: Stripe
) -> None:
    paid = stripe.ask("payments", amount=1500, currency="jpy", description="By telephone")
    made = gateway.charge_made(paid["id"])
    assert (made.ref, made.charge_ref, made.key) == (paid["id"], paid["id"], None)
    assert (made.amount, made.currency, made.description) == (Decimal(1500), "JPY", "By telephone")
    assert made.outcome == Outcome(AttemptState.APPROVED, paid["id"])
    assert made.card
    assert made.card.last4 == "4242"
    assert abs(datetime.now(UTC) - made.at).total_seconds() < 60
    assert gateway.charge_made(paid["latest_charge"]) == made
    refund = stripe.ask("refunds", payment_intent=paid["id"], amount=500)
    back = gateway.refund_made(refund["id"])
    assert (back.ref, back.charge_ref, back.key) == (refund["id"], paid["id"], None)
    assert (back.amount, back.currency, back.outcome.state) == (Decimal(500), "JPY", AttemptState.APPROVED)
    assert gateway.refund_made(refund["charge"]) == back


def test_what_we_did_is_told_with_its_key(gateway: gateways.Gateway, stripe: Stripe) -> None:
    ref = charged(gateway, stripe.token("approves"))
    assert gateway.charge_made(ref).key == KEY
    refund = gateway.refund(ref, key=REFUND_KEY, amount=Decimal("1.00"), currency="USD")
    assert gateway.refund_made(refund.ref).key == REFUND_KEY


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("needs_response", DisputeState.OPEN),
        ("under_review", DisputeState.OPEN),
        ("warning_needs_response", DisputeState.OPEN),
        ("won", DisputeState.WON),
        ("warning_closed", DisputeState.WON),
        ("lost", DisputeState.LOST),
    ],
)
def test_a_dispute_is_told_with_its_deadline_and_its_page(
    gateway: gateways.Gateway, stripe: Stripe, status: str, state: DisputeState
) -> None:
    ref = charged(gateway, stripe.token("approves"))
    opened = stripe.ask("disputes", payment_intent=ref, due_by=1_900_000_000, status=status)
    facts = gateway.dispute(opened["id"])
    assert (facts.charge_ref, facts.amount, facts.currency) == (ref, AMOUNT, "USD")
    assert (facts.state, facts.reason) == (state, "fraudulent")
    assert facts.respond_by == datetime.fromtimestamp(1_900_000_000, tz=UTC)
    assert facts.url == f"https://dashboard.stripe.com/test/disputes/{opened['id']}"


# -- messages


def test_messages_name_what_they_are_about(gateway: gateways.Gateway, stripe: Stripe) -> None:
    page = pay_page(gateway)
    stripe.pays(page.url, "declines")
    stripe.pays(page.url)
    outcome = gateway.page_result(page.ref).outcome
    assert outcome
    refund = gateway.refund(outcome.ref, key=REFUND_KEY, amount=AMOUNT, currency="USD")
    dispute = stripe.ask("disputes", payment_intent=outcome.ref)
    notices = [gateway.parse_webhook(*signed(event)) for event in stripe.events]
    assert [(one.type, one.kind, one.ref, one.key, one.page_ref) for one in notices] == [
        ("payment_intent.payment_failed", NoticeKind.CHARGE, outcome.ref, KEY, ""),
        ("payment_intent.succeeded", NoticeKind.CHARGE, outcome.ref, KEY, ""),
        ("checkout.session.completed", NoticeKind.CHARGE, outcome.ref, KEY, page.ref),
        ("refund.created", NoticeKind.REFUND, refund.ref, REFUND_KEY, ""),
        ("charge.dispute.created", NoticeKind.DISPUTE, dispute["id"], None, ""),
    ]
    assert [one.id for one in notices] == [event["id"] for event in stripe.events]


@pytest.mark.parametrize(
    ("type_", "about", "kind", "ref"),
    [
        ("charge.refunded", {"id": "ch_1"}, NoticeKind.REFUND, "ch_1"),
        (
            "charge.refunded",
            {"id": "ch_1", "refunds": {"data": [{"id": "re_1"}]}},
            NoticeKind.REFUND,
            "re_1",
        ),
        ("charge.refund.updated", {"id": "re_1"}, NoticeKind.REFUND, "re_1"),
        ("refund.failed", {"id": "re_1", "metadata": {"attempt": "none"}}, NoticeKind.REFUND, "re_1"),
        ("checkout.session.completed", {"id": "cs_1", "mode": "setup"}, NoticeKind.OTHER, ""),
        ("checkout.session.expired", {"id": "cs_1", "mode": "payment"}, NoticeKind.CHARGE, ""),
        ("customer.created", {"id": "cus_1"}, NoticeKind.OTHER, "cus_1"),
        ("payment_intent.succeeded", {"id": 7, "metadata": [1]}, NoticeKind.CHARGE, ""),
        (None, {}, NoticeKind.OTHER, ""),
    ],
)
def test_messages_of_odd_shapes_are_read_too(
    gateway: gateways.Gateway, type_: str | None, about: dict[str, object], kind: NoticeKind, ref: str
) -> None:
    event = {"id": "evt_1", "object": "event", "type": type_, "data": {"object": about}}
    notice = gateway.parse_webhook(*signed(event))
    assert (notice.kind, notice.ref, notice.key) == (kind, ref, None)


EVENT = json.dumps({"id": "evt_1", "type": "payment_intent.succeeded", "data": {"object": {"id": "pi_1"}}})


@pytest.mark.parametrize(
    "body",
    [
        "",
        "x",
        "[]",
        "null",
        "1",
        "{}",
        '{"id": "evt_1"}',
        '{"id": "evt_1", "data": []}',
        "[" * 100_000,
        "NaN",
    ],
)
def test_a_signed_message_that_is_no_event_is_refused(gateway: gateways.Gateway, body: str) -> None:
    with pytest.raises(NotSigned):
        gateway.parse_webhook(*signed(body))


@pytest.mark.parametrize(
    "header",
    [
        "",
        "t=1,v1=0",
        "t=x",
        "v1=",
        "=,=",
        "t=1,v1=ä",
        f"t={'9' * 5000},v1=0",
        f"t={'9' * 400},v1=0",
        "t=-1,v1=\udcff",
    ],
)
@pytest.mark.parametrize("body", [EVENT.encode(), b"\xff\xfe", b""])
def test_a_message_that_proves_nothing_is_refused(
    gateway: gateways.Gateway, header: str, body: bytes
) -> None:
    with pytest.raises(NotSigned):
        gateway.parse_webhook(body, {"Stripe-Signature": header})
    with pytest.raises(NotSigned):
        gateway.parse_webhook(body, {})


def test_an_old_message_and_one_under_another_secret_are_refused(gateway: gateways.Gateway) -> None:
    now = datetime.now(UTC).timestamp()
    assert gateway.parse_webhook(*signed(EVENT, at=now - 290)).ref == "pi_1"
    for message in (signed(EVENT, at=now - 310), signed(EVENT, secret="whsec_other")):
        with pytest.raises(NotSigned):
            gateway.parse_webhook(*message)


def test_without_a_secret_no_message_is_believed(stripe: Stripe) -> None:
    for secret in ("", SECRET):
        with pytest.raises(NotSigned):
            StripeGateway("sk_test_1", api_base=stripe.origin).parse_webhook(*signed(EVENT, secret=secret))


def test_header_names_are_read_whatever_their_case(gateway: gateways.Gateway) -> None:
    body, headers = signed(EVENT)
    quiet = {name.lower(): value for name, value in headers.items()}
    assert gateway.parse_webhook(body, quiet).id == "evt_1"


def test_keys_of_ours_never_meet(gateway: gateways.Gateway, stripe: Stripe) -> None:
    """One key serves every call of an attempt: at Stripe each call has it under its own ending."""
    key: UUID = uuid4()
    customer = gateway.customer(key=key, name="Ada", email="")
    gateway.card_page(key=key, return_url=ANYWHERE, cancel_url=ANYWHERE, customer=customer)
    ref = charged(gateway, stripe.token("approves"), key=key)
    assert gateway.refund(ref, key=key, amount=AMOUNT, currency="USD").state == AttemptState.APPROVED
