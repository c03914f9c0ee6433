"""The one list of what needs a person: what stands on it, its next steps, and who may take them."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from billing.gateways.sandbox import dashboard
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import Charge
from billing.models import Attempt, Dispute, Event, GatewayEvent, Invoice, Payment, UnmatchedMoney
from billing.statuses import DisputeState, InvoiceStatus, NoticeState, RefundRoute
from tests.attempts.desk import (
    AUTHENTICATES,
    CHARGED_LOST,
    assert_books_agree,
    fresh,
    give_back,
    no_answer,
    owing,
    pay,
)
from tests.factories import InvoiceFactory, UserFactory
from tests.notices.desk import charged_here, charged_there, deliver, tell

pytestmark = pytest.mark.django_db
MOST_QUERIES = 20
KINDS = ("attempts", "disputes", "unmatched", "overpaid", "refused", "notices")


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Billing manager"))
    return client


def read(desk: Client, query: str = "") -> str:
    response = desk.get(f"/attention/{query}")
    assert response.status_code == 200
    return response.content.decode()


def part(page: str, name: str) -> str:
    return page.split(f'<section class="card" id="{name}"')[1].split("</section>", maxsplit=1)[0]


def count(page: str, name: str) -> int:
    found = re.search(r'class="count">(\d+)<', part(page, name))
    assert found, name
    return int(found[1])


def unknown() -> Attempt:
    return pay(*owing(CHARGED_LOST))


def unmatched(amount: int = 70) -> UnmatchedMoney:
    tell("charge.succeeded", charged_there(amount).ref)
    return UnmatchedMoney.objects.latest("pk")


def overpaid() -> Invoice:
    invoice = InvoiceFactory.create(status=InvoiceStatus.CLOSED)
    unmatched().match(None, invoice=invoice)
    return fresh(invoice)


def disputed(state: DisputeState | None = None) -> Dispute:
    opened = dashboard.dispute(charged_here().gateway_ref, amount=None, now=timezone.now())
    if state:
        dashboard.close_dispute(opened.ref, state, now=timezone.now())
    deliver()
    return Dispute.objects.latest("pk")


def refused() -> Payment:
    payment = charged_here()
    Charge.objects.filter(ref=payment.gateway_ref).update(refuses_refunds=True)
    give_back(payment, 40)
    return Payment.objects.filter(type="refund").latest("pk")


def given_up() -> GatewayEvent:
    return GatewayEvent.objects.create(
        gateway="sandbox",
        event_id=str(uuid4()),
        type="charge.succeeded",
        kind="charge",
        ref="sbx_charge_gone",
        state=NoticeState.FAILED,
        error="UnknownRef: never",
        tries=10,
        received_at=timezone.now(),
        due_at=None,
    )


def one_of_each() -> None:
    for make in (unknown, unmatched, overpaid, disputed, refused, given_up):
        make()


def test_without_anything_it_says_so(desk: Client) -> None:
    assert "Nothing needs a person" in read(desk)


def test_everything_of_each_kind_is_counted_and_listed(desk: Client) -> None:
    one_of_each()
    page = read(desk)
    assert {kind: count(page, kind) for kind in KINDS} == dict.fromkeys(KINDS, 1)
    assert [page.index(f'id="{kind}"') for kind in KINDS] == sorted(
        page.index(f'id="{kind}"') for kind in KINDS
    )


def test_each_row_has_its_next_step(desk: Client) -> None:
    one_of_each()
    page = read(desk)
    payment = Payment.objects.filter(refunds__status="declined").get()
    excess = Payment.objects.get(excess__gt=0)
    assert f"/attempts/{Attempt.objects.earliest('pk').pk}/ask/" in part(page, "attempts")
    assert f"/unmatched/{UnmatchedMoney.objects.open().get().pk}/match/" in part(page, "unmatched")
    assert f"/unmatched/{UnmatchedMoney.objects.open().get().pk}/set-aside/" in part(page, "unmatched")
    assert f"/payments/{excess.pk}/refund/?amount=70.00" in part(page, "overpaid")
    assert "/admin/sandbox/dispute/" in part(page, "disputes")
    assert f"/payments/{payment.pk}/refund/?amount=40.00&amp;next" in part(page, "refused")
    assert "route=recorded" in part(page, "refused")


def test_what_has_waited_for_days_comes_first_and_says_so(desk: Client) -> None:
    young, old = unknown(), unknown()
    Attempt.objects.filter(pk=old.pk).update(started_at=timezone.now() - timedelta(days=4))
    listed = part(read(desk), "attempts")
    assert listed.index(str(old.invoice)) < listed.index(str(young.invoice))
    assert listed.count("No answer for days") == 1


def test_a_settled_attempt_leaves_the_list(desk: Client) -> None:
    attempt = unknown()
    assert desk.post(f"/attempts/{attempt.pk}/ask/").status_code == 302
    assert "Nothing needs a person" in read(desk)


def test_an_overpaid_invoice_leaves_the_list_once_the_excess_has_gone_back(desk: Client) -> None:
    invoice = overpaid()
    excess = invoice.payments.get(excess__gt=0)
    give_back(excess, 70)
    assert "Nothing needs a person" in read(desk)


@pytest.mark.parametrize("route", RefundRoute)
def test_a_refused_refund_leaves_the_list_once_it_was_made_or_recorded(desk: Client, route: str) -> None:
    refund = refused()
    assert refund.refund_of
    Charge.objects.update(refuses_refunds=False)
    give_back(Payment.objects.get(pk=refund.refund_of.pk), 40, route)
    assert "Nothing needs a person" in read(desk)


def test_a_refund_that_was_refused_twice_is_listed_once(desk: Client) -> None:
    refund = refused()
    assert refund.refund_of
    give_back(Payment.objects.get(pk=refund.refund_of.pk), 30)
    assert count(read(desk), "refused") == 1


def test_a_lost_dispute_is_recorded_from_the_list(desk: Client) -> None:
    dispute = disputed(DisputeState.LOST)
    dialog = desk.get(f"/disputes/{dispute.pk}/record/").content.decode()
    assert "Record a refund of $100.00" in dialog
    answer = desk.post(f"/disputes/{dispute.pk}/record/", {"key": str(uuid4())})
    assert answer.headers["Location"] == "/attention/"
    assert "Nothing needs a person" in read(desk)
    assert_books_agree()


def test_a_won_dispute_needs_nobody(desk: Client) -> None:
    disputed(DisputeState.WON)
    assert "Nothing needs a person" in read(desk)


def test_a_failed_message_that_is_tried_again_by_itself_needs_nobody(desk: Client) -> None:
    event = given_up()
    GatewayEvent.objects.filter(pk=event.pk).update(due_at=timezone.now())
    assert "Nothing needs a person" in read(desk)


# -- matching from the list


def test_money_is_matched_from_the_list_by_the_number_of_an_invoice(desk: Client) -> None:
    row, invoice = unmatched(), InvoiceFactory.create()
    url = f"/unmatched/{row.pk}/match/"
    preview = desk.get(
        url, {"invoice": str(invoice)}, headers={"HX-Request": "true", "HX-Target": "preview"}
    ).content.decode()
    assert f"Match $70.00 to {invoice}" in preview
    assert "$30.00" in preview
    assert desk.post(url, {"invoice": str(invoice).lower(), "key": str(uuid4())}).status_code == 302
    assert fresh(invoice).paid == Decimal(70)


def test_the_dialog_says_beforehand_what_will_be_overpaid(desk: Client) -> None:
    row, invoice = unmatched(), InvoiceFactory.create(amount=Decimal(50))
    page = desk.get(
        f"/unmatched/{row.pk}/match/",
        {"invoice": str(invoice)},
        headers={"HX-Request": "true", "HX-Target": "preview"},
    ).content.decode()
    assert f"$20.00 of it is not owed: {invoice} will be overpaid" in page


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("", "Invoice is missing: type its number."),
        ("INV-999999", "Invoice is “INV-999999”: no invoice has this number."),
        ("x" * 60, "Invoice has 60 characters: at most 40 are possible."),
        ("INV\0", "Invoice holds the control character"),
    ],
)
def test_a_number_that_is_none_is_refused_at_its_field(desk: Client, typed: str, words: str) -> None:
    row = unmatched()
    response = desk.post(f"/unmatched/{row.pk}/match/", {"invoice": typed, "key": str(uuid4())})
    assert response.status_code == 422
    assert words in response.content.decode()


def test_an_invoice_in_another_currency_is_refused_at_its_field(desk: Client) -> None:
    row, invoice = unmatched(), InvoiceFactory.create(currency="EUR")
    response = desk.post(f"/unmatched/{row.pk}/match/", {"invoice": invoice.number, "key": str(uuid4())})
    assert response.status_code == 422
    assert "Invoice is in EUR: money in USD cannot be matched to it." in response.content.decode()


def test_two_tabs_match_once_and_the_second_is_told(desk: Client) -> None:
    row, invoice = unmatched(), InvoiceFactory.create()
    url, asked = f"/unmatched/{row.pk}/match/", {"invoice": invoice.number}
    assert desk.post(url, {**asked, "key": str(uuid4())}).status_code == 302
    second = desk.post(url, {**asked, "key": str(uuid4())})
    assert second.status_code == 409
    assert "is “Matched”: it cannot be matched any more." in second.content.decode()
    assert Payment.objects.count() == 1


def test_a_double_click_shows_the_first_result(desk: Client) -> None:
    row, invoice = unmatched(), InvoiceFactory.create()
    url, asked = f"/unmatched/{row.pk}/match/", {"invoice": invoice.number, "key": str(uuid4())}
    assert [desk.post(url, asked).status_code for _ in range(2)] == [302, 302]
    assert Payment.objects.count() == 1


def test_money_is_set_aside_from_the_list(desk: Client) -> None:
    row = unmatched()
    url = f"/unmatched/{row.pk}/set-aside/"
    refused = desk.post(url, {"key": str(uuid4())})
    assert refused.status_code == 422
    assert "Reason is missing: say why nothing is recorded." in refused.content.decode()
    assert desk.post(url, {"reason": "Not ours", "key": str(uuid4())}).status_code == 302
    assert "Nothing needs a person" in read(desk)


def test_a_dispute_dialog_that_is_stale_is_shown_again(desk: Client) -> None:
    dispute = disputed(DisputeState.LOST)
    assert dispute.payment
    seen = dispute.payment.invoice.version
    give_back(Payment.objects.get(), 10, RefundRoute.RECORDED)
    response = desk.post(f"/disputes/{dispute.pk}/record/", {"key": str(uuid4()), "seen": str(seen)})
    assert response.status_code == 409
    assert "has changed since you opened it" in response.content.decode()
    assert "Record a refund of $90.00" in response.content.decode()


# -- who may


def test_a_viewer_sees_the_list_without_a_button(client: Client) -> None:
    one_of_each()
    disputed(DisputeState.LOST)
    client.force_login(UserFactory.create(role="Viewer"))
    page = read(client)
    for kind in ("attempts", "unmatched", "overpaid", "refused", "notices"):
        assert 'class="button small"' not in part(page, kind).split("<tbody>")[1], kind
    assert "/record/" not in page


@pytest.mark.parametrize(
    ("role", "may"),
    [("Viewer", set()), ("Support", {"ask"}), ("Billing manager", {"ask", "match", "record"})],
)
def test_each_role_is_offered_what_it_may_do(client: Client, role: str, may: set[str]) -> None:
    one_of_each()
    disputed(DisputeState.LOST)
    client.force_login(UserFactory.create(role=role))
    page = read(client)
    assert {step for step in ("ask", "match", "record", "replay") if f"/{step}/" in page} == may


def test_only_an_administrator_replays(client: Client) -> None:
    event = given_up()
    for role, status in (("Billing manager", 403), ("Administrator", 302)):
        client.force_login(UserFactory.create(role=role))
        response = client.post(f"/notices/{event.pk}/replay/", {"key": str(uuid4())})
        assert response.status_code == status
    assert Event.objects.filter(action="replay").count() == 1
    event.refresh_from_db()
    assert (event.state, event.tries) == (NoticeState.FAILED, 1)
    assert event.due_at


@pytest.mark.parametrize("verb", ["match", "set-aside"])
def test_support_is_refused_with_a_sentence(client: Client, verb: str) -> None:
    row = unmatched()
    client.force_login(UserFactory.create(role="Support"))
    for response in (client.get(f"/unmatched/{row.pk}/{verb}/"), client.post(f"/unmatched/{row.pk}/{verb}/")):
        assert response.status_code == 403
        assert "it takes Billing manager or Administrator" in response.content.decode()


def test_the_bar_leads_there_for_whoever_may_look(client: Client) -> None:
    client.force_login(UserFactory.create(role="Viewer"))
    assert 'href="/attention/"' in client.get("/contacts/").content.decode()


# -- many


def queries_of(desk: Client, path: str) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert desk.get(path).status_code == 200
    return len(captured)


def test_many_of_each_take_as_many_queries_as_one(desk: Client) -> None:
    one_of_each()
    read(desk)  # the session notes once a minute that somebody is there
    first = queries_of(desk, "/attention/")
    for _ in range(3):
        one_of_each()
    assert queries_of(desk, "/attention/") == first <= MOST_QUERIES


def test_a_kind_has_pages_of_its_own(desk: Client) -> None:
    for _ in range(27):
        given_up()
    unmatched()
    page = read(desk)
    assert count(page, "notices") == 27
    assert part(page, "notices").split("<tbody>")[1].count("<tr>") == 25
    second = read(desk, "?notices=2")
    assert part(second, "notices").split("<tbody>")[1].count("<tr>") == 2
    assert count(second, "unmatched") == 1


@pytest.mark.parametrize("query", ["?notices=x", "?notices=-3", "?notices=99999999999999999999", "?nobody=1"])
def test_a_page_that_does_not_exist_is_the_nearest_that_does(desk: Client, query: str) -> None:
    given_up()
    assert count(read(desk, query), "notices") == 1


@pytest.mark.postgres
def test_each_question_has_an_index_of_its_own() -> None:
    """On a table of any size the planner reads the partial index, whose rows are only those that wait."""
    questions: dict[str, Any] = {
        "attempt_unanswered": Attempt.objects.unanswered(),
        "dispute_for_a_person": Dispute.objects.for_a_person(),
        "unmatched_open": UnmatchedMoney.objects.open(),
        "invoice_overpaid": Invoice.objects.overpaid(),
        "payment_refused_refund": Payment.objects.refused_refunds(),
        "gateway_event_given_up": GatewayEvent.objects.given_up(),
    }
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
    for index, question in questions.items():
        assert index in question.explain(), question.explain()


def test_a_charge_that_waits_for_the_customer_stands_on_the_list(desk: Client) -> None:
    attempt = pay(*owing(AUTHENTICATES))
    assert str(attempt.invoice) in part(read(desk), "attempts")


def test_a_refund_that_was_never_made_stands_on_the_list_until_it_is_made(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    payment = charged_here()
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "refund", no_answer)
        give_back(payment, 100)
    Attempt.objects.get(kind="refund").ask(at=timezone.now() + timedelta(hours=26))
    shown = part(read(desk), "unmade")
    assert str(payment.invoice) in shown
    assert f"/payments/{payment.pk}/refund/?amount=100.00" in shown
    give_back(Payment.objects.get(pk=payment.pk), 100)
    assert 'id="unmade"' not in read(desk)
