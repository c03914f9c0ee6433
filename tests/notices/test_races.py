# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""The same message, or the same click, several times in the same moment."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from threading import Barrier
from typing import Any

import pytest
from django.db import IntegrityError, connection
from django.utils import timezone

from billing.gateways.sandbox import dashboard, messages
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Dispute, Event, GatewayEvent, Invoice, Payment, UnmatchedMoney
from billing.models.base import InvoiceQuerySet
from billing.models.guard import Refused
from billing.models.matching import Matching
from billing.statuses import DisputeState, NoticeState
from billing.tasks import act_on_notices
from tests.attempts.desk import CHARGED_LOST, assert_books_agree, fresh, owing, pay
from tests.factories import InvoiceFactory
from tests.gateways.races import at_once
from tests.notices.desk import charged_here, charged_there, post, told

pytestmark = pytest.mark.django_db(transaction=True)


def all_at_once(body: bytes) -> None:
    assert set(at_once(lambda: post(body)[0])) == {200}
    assert GatewayEvent.objects.get().state == NoticeState.PROCESSED


def test_one_message_eight_times_at_once_settles_a_charge_once() -> None:
    invoice, card = owing(CHARGED_LOST)
    attempt = pay(invoice, card)
    all_at_once(told("charge.succeeded", attempt.gateway_ref))
    assert (Payment.objects.count(), fresh(invoice).paid) == (1, 100)
    assert Event.objects.filter(action="charge_approved").count() == 1
    assert_books_agree()


def test_one_message_eight_times_at_once_books_a_refund_once() -> None:
    payment = charged_here()
    made = dashboard.refund(payment.gateway_ref, amount=Decimal(30), now=timezone.now())
    all_at_once(told("refund.created", made.ref))
    assert Payment.objects.filter(type="refund").count() == 1
    assert Event.objects.filter(action="refunded_at_gateway").count() == 1
    assert not UnmatchedMoney.objects.exists()
    assert_books_agree()


def test_one_message_eight_times_at_once_lists_a_payment_once() -> None:
    all_at_once(told("charge.succeeded", charged_there().ref))
    assert UnmatchedMoney.objects.count() == 1


def test_one_message_eight_times_at_once_tells_a_dispute_once() -> None:
    opened = dashboard.dispute(charged_here().gateway_ref, amount=None, now=timezone.now())
    all_at_once(told("dispute.opened", opened.ref))
    assert Dispute.objects.count() == 1
    assert Event.objects.filter(action="dispute_open").count() == 1


def test_different_messages_about_one_refund_book_it_once() -> None:
    payment = charged_here()
    made = dashboard.refund(payment.gateway_ref, amount=Decimal(30), now=timezone.now())
    at_once(lambda: post(told("refund.created", made.ref)))
    assert Payment.objects.filter(type="refund").count() == 1
    assert_books_agree()


def test_eight_ticks_act_on_each_event_once() -> None:
    gateway, now = SandboxGateway(), timezone.now()
    for _ in range(4):
        charge = charged_there()
        notice = gateway.parse_webhook(*signed(told("charge.succeeded", charge.ref)))
        GatewayEvent.objects.write_down("sandbox", notice, at=now)
    at = max(event.due_at for event in GatewayEvent.objects.all() if event.due_at)
    counts = at_once(lambda: act_on_notices(at))
    assert sum(each["processed"] for each in counts) == 4
    assert UnmatchedMoney.objects.count() == 4


def signed(body: bytes) -> tuple[bytes, dict[str, str]]:
    return body, messages.sign(body, now=timezone.now())


def test_a_dispute_is_recorded_while_the_gateway_tells_of_it() -> None:
    opened = dashboard.dispute(charged_here().gateway_ref, amount=None, now=timezone.now())
    dashboard.close_dispute(opened.ref, DisputeState.LOST, now=timezone.now())
    post(told("dispute.closed", opened.ref))

    def records() -> str:
        post(told("dispute.closed", opened.ref))
        try:
            Dispute.objects.get().record(None)
        except Refused:
            return "refused"
        return "done"

    assert sorted(at_once(records)) == ["done", *["refused"] * 7]
    assert Payment.objects.filter(type="refund").count() == 1
    assert_books_agree()


def test_eight_clicks_match_money_once() -> None:
    post(told("charge.succeeded", charged_there().ref))
    invoices = [InvoiceFactory.create() for _ in range(2)]

    def matches() -> str:
        row = UnmatchedMoney.objects.get()
        try:
            row.match(None, invoice=Invoice.objects.get(pk=invoices[row.pk % 2].pk))
        except Refused:
            return "refused"
        return "done"

    assert sorted(at_once(matches)) == ["done", *["refused"] * 7]
    assert Payment.objects.count() == 1
    assert_books_agree()


# -- what keeps the races above from being lost


def two_at_once(do: Callable[[], Any]) -> list[Any]:
    def one() -> Any:
        try:
            return do()
        except IntegrityError as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        return [request.result() for request in [pool.submit(one) for _ in range(2)]]


@pytest.mark.postgres
def test_without_the_lock_two_messages_meet_and_only_the_database_stops_the_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment = charged_here()
    made = dashboard.refund(payment.gateway_ref, amount=Decimal(30), now=timezone.now())
    movement = SandboxGateway().refund_made(made.ref)
    without_locks(monkeypatch)
    results = two_at_once(lambda: taken(payment, movement))
    assert sorted(type(each).__name__ for each in results) == ["Decimal", "IntegrityError"]
    assert Payment.objects.filter(type="refund").count() == 1


@pytest.mark.postgres
def test_without_lock_and_constraint_one_refund_would_be_booked_twice(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    payment = charged_here()
    made = dashboard.refund(payment.gateway_ref, amount=Decimal(30), now=timezone.now())
    movement = SandboxGateway().refund_made(made.ref)
    without_locks(monkeypatch)
    constraint = next(
        each for each in Payment._meta.constraints if each.name == "payment_one_per_refund_of_a_gateway"
    )
    with connection.schema_editor() as editor:
        editor.remove_constraint(Payment, constraint)
    try:
        two_at_once(lambda: taken(payment, movement))
        assert Payment.objects.filter(type="refund", gateway_ref=made.ref).count() == 2
        with pytest.raises(AssertionError):
            assert_books_agree()
    finally:
        Event.objects.all().delete()
        Payment.objects.all()._raw_delete(using="default")
        with connection.schema_editor() as editor:
            editor.add_constraint(Payment, constraint)


def taken(payment: Payment, movement: Any) -> Decimal:
    invoice = Invoice.objects.get(pk=payment.invoice_id)
    return invoice.take_refund(payment, movement, at=timezone.now())


def without_locks(patch: pytest.MonkeyPatch) -> None:
    """Take the locks out, and hold two requests back until each has seen that the refund is not booked."""
    patch.setattr(InvoiceQuerySet, "locked", lambda self: self.all())
    patch.setattr("billing.models.payment.PaymentQuerySet.select_for_update", lambda self, **_: self)
    barrier, book = Barrier(2, timeout=20), Matching._returned_elsewhere

    def meets(self: Matching, *args: Any, **kwargs: Any) -> Payment:
        barrier.wait()
        return book(self, *args, **kwargs)

    patch.setattr(Matching, "_returned_elsewhere", meets)
