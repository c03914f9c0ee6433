"""What Stripe tells: movements that were made without us, disputes, and messages that prove who sent them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing import gateways
from billing.gateways import NoticeKind, NotSigned, Outcome
from billing.gateways.stripe.gateway import StripeGateway
from billing.statuses import AttemptState, DisputeState
from tests.gateways.contract import (
    AMOUNT,
    KEY,
    REFUND_KEY,
    charged,
    pay_page,
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
        ("checkout.session.completed", {"id": "cs_1", "mode": "setup"}, NoticeKind.CARD, ""),
        ("checkout.session.completed", {"id": "cs_1", "mode": "subscription"}, NoticeKind.OTHER, ""),
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
