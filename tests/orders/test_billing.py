# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""The billing run: each period one invoice, charged to the order's card, and what becomes of the order."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils import timezone

from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Attempt, Event, Invoice, Mail, Order, Payment
from billing.models.attempts.base import GRACE
from billing.models.base import LEASE
from billing.models.guard import Stale
from billing.statuses import InvoiceStatus, Missed, OrderStatus, PaymentMethod
from billing.tasks import bill_due_orders, charge_due_invoices, resolve_attempts, tick
from tests.attempts.desk import AUTHENTICATES, CHARGED_LOST, UNCHARGED_LOST, assert_books_agree, moved
from tests.factories import APPROVES, DECLINES, NOON, CardFactory, OrderFactory, ProductFactory

pytestmark = pytest.mark.django_db
DUE = datetime(2026, 3, 31, tzinfo=UTC)
"""The moment at which the orders of the factory ask for their first payment."""


def fresh(order: Order) -> Order:
    return Order.objects.get(pk=order.pk)


def periods(order: Order) -> list[tuple[int | None, str]]:
    """Number and date of each payment that was asked for."""
    rows = order.invoices.order_by("period").values_list("period", "invoice_date")
    return [(period, str(day)) for period, day in rows]


def run(at: datetime = DUE) -> dict[str, Any]:
    """One round of the worker, with its money at this moment."""
    return tick(at)


# -- when


def test_nothing_is_asked_for_before_the_day_begins_where_the_order_is() -> None:
    order = OrderFactory.create(zone="America/New_York")
    midnight = datetime(2026, 3, 31, 4, tzinfo=UTC)
    assert not bill_due_orders(midnight - timedelta(seconds=1))
    assert bill_due_orders(midnight) == {"billed": 1}
    assert periods(order) == [(1, "2026-03-31")]


def test_a_day_keeps_beginning_at_midnight_when_the_clocks_change() -> None:
    order = OrderFactory.create(zone="Europe/London", unit="week", first_charge_on=date(2026, 3, 23))
    bill_due_orders(datetime(2026, 3, 23, tzinfo=UTC))
    now = fresh(order)
    assert now.next_charge_at == datetime(2026, 3, 29, 23, tzinfo=UTC)  # 30 March in British Summer Time


def test_months_keep_their_day_through_february() -> None:
    order = OrderFactory.create(first_charge_on=date(2026, 12, 31))
    bill_due_orders(datetime(2027, 5, 1, tzinfo=UTC))
    assert [day for _n, day in periods(order)] == [
        *("2026-12-31", "2027-01-31", "2027-02-28", "2027-03-31", "2027-04-30")
    ]
    assert fresh(order).next_charge_on == date(2027, 5, 31)


def test_a_period_is_asked_for_once_however_often_the_run_runs() -> None:
    order = OrderFactory.create()
    for _ in range(3):
        run()
    assert periods(order) == [(1, "2026-03-31")]
    assert moved() == [(30, 0)]
    assert_books_agree()


def test_a_stopped_scheduler_catches_up_oldest_first_across_orders() -> None:
    late, later = OrderFactory.create(first_charge_on=date(2026, 3, 10)), OrderFactory.create()
    bill_due_orders(datetime(2026, 5, 15, tzinfo=UTC))
    days = list(Invoice.objects.order_by("sequence").values_list("invoice_date", flat=True))
    assert days == sorted(days)
    assert (len(periods(late)), len(periods(later))) == (3, 2)


def test_an_order_may_leave_out_the_periods_that_nobody_billed() -> None:
    order = OrderFactory.create(missed=Missed.CURRENT, payments=12)
    bill_due_orders(datetime(2026, 7, 15, tzinfo=UTC))
    assert periods(order) == [(1, "2026-06-30")]
    assert fresh(order).next_charge_on == date(2026, 7, 31)
    assert fresh(order).payments_left == 12  # a plan has all of its payments, later
    assert_books_agree()


def test_a_run_stops_at_its_limit_and_the_next_one_goes_on() -> None:
    OrderFactory.create(unit="day")
    at = DUE + timedelta(days=9)
    assert [bill_due_orders(at, 4)["billed"] for _ in range(4)] == [4, 4, 2, 0]


def test_an_order_that_cannot_be_billed_keeps_no_other_waiting(caplog: pytest.LogCaptureFixture) -> None:
    broken, order = OrderFactory.create(first_charge_on=date(2026, 3, 10)), OrderFactory.create()
    broken.lines.update(unit_price=Decimal(999999999999), quantity=Decimal(1000))
    assert bill_due_orders(DUE) == {"failed": 1, "billed": 1}
    assert periods(order) == [(1, "2026-03-31")]
    assert fresh(broken).next_period == 1
    assert f"Order {broken.pk} could not be billed" in caplog.text


# -- what


def test_a_payment_is_invoiced_charged_and_receipted() -> None:
    order = OrderFactory.create()
    run()
    invoice = order.invoices.get()
    assert (invoice.status, invoice.paid, invoice.charge_due_at) == (InvoiceStatus.CLOSED, 30, None)
    assert invoice.lines.get().description == "Garden club"
    assert Mail.objects.get().kind == "receipt"
    now = fresh(order)
    assert (now.status, now.payments_made, now.next_period) == (OrderStatus.ACTIVE, 1, 2)
    assert now.next_charge_on == date(2026, 4, 30)
    told = list(Event.objects.filter(order=order).order_by("id").values_list("action", flat=True))
    assert told == ["begin", "issue", "bill", "pay", "charge_approved"]
    assert_books_agree()


def test_no_receipt_is_sent_unless_it_is_wanted() -> None:
    OrderFactory.create(send_invoices=False)
    run()
    assert not Mail.objects.exists()


def test_a_trial_of_payments_and_the_set_up_fee_come_first() -> None:
    order = OrderFactory.create(trial_payments=2, trial_price=Decimal(1), setup_fee=Decimal(10), payments=2)
    bill_due_orders(datetime(2026, 12, 1, tzinfo=UTC))
    totals = list(order.invoices.order_by("period").values_list("total", flat=True))
    assert totals == [11, 1, 30, 30]
    assert fresh(order).next_charge_on is None


def test_a_payment_of_nothing_is_closed_and_charges_nobody() -> None:
    order = OrderFactory.create(trial_payments=1)
    run()
    assert order.invoices.get().status == InvoiceStatus.CLOSED
    assert not Attempt.objects.exists()
    assert fresh(order).payments_made == 1


def test_the_last_payment_of_a_plan_completes_it() -> None:
    order = OrderFactory.create(payments=2)
    run()
    assert fresh(order).status == OrderStatus.ACTIVE
    run(datetime(2026, 4, 30, tzinfo=UTC))
    now = fresh(order)
    assert (now.status, now.payments_made, now.payments_left) == (OrderStatus.COMPLETED, 2, 0)
    assert (now.next_charge_on, now.next_charge_at) == (None, None)
    assert now.ended_at
    assert not bill_due_orders(datetime(2030, 1, 1, tzinfo=UTC))
    assert_books_agree()


def test_a_plan_whose_last_payment_is_declined_is_completed_once_it_is_settled() -> None:
    order = OrderFactory.create(payments=1, number=DECLINES)
    run()
    assert fresh(order).status == OrderStatus.PAST_DUE
    order.invoices.get().write_off(None, reason="Not worth it")
    now = fresh(order)
    assert (now.status, now.payments_made, now.payments_forgiven) == (OrderStatus.COMPLETED, 0, 1)
    assert_books_agree()


# -- what goes wrong


def test_a_declined_payment_goes_to_collections_and_the_order_is_past_due() -> None:
    order = OrderFactory.create(number=DECLINES)
    run()
    invoice = order.invoices.get()
    assert invoice.status == InvoiceStatus.COLLECTIONS
    assert invoice.charge_due_at
    assert invoice.charge_due_at > timezone.now() + timedelta(days=1)
    assert fresh(order).status == OrderStatus.PAST_DUE
    invoice.pay(None, source=PaymentMethod.CASH, amount=invoice.balance)
    assert fresh(order).status == OrderStatus.ACTIVE
    assert [each.action for each in order.events.filter(action__startswith="order_").order_by("id")] == [
        *("order_past_due", "order_active")
    ]
    assert_books_agree()


def test_a_past_due_order_goes_on_asking() -> None:
    order = OrderFactory.create(number=DECLINES)
    run()
    run(datetime(2026, 4, 30, tzinfo=UTC))
    assert [period for period, _day in periods(order)] == [1, 2]


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"number": ""}, "open", "has no card: $30.00 was not charged and stays owed."),
        ({"exp_year": 2025}, "collections", "has expired: $30.00 was not charged and stays owed."),
    ],
)
def test_without_a_card_that_could_pay_nothing_is_charged(
    given: dict[str, Any], status: str, words: str
) -> None:
    order = OrderFactory.create(**given)
    run()
    invoice = order.invoices.get()
    assert (invoice.status, invoice.charge_due_at) == (status, None)
    assert fresh(order).status == OrderStatus.PAST_DUE
    assert words in order.events.get(action="charge_not_possible").text
    assert not Attempt.objects.exists()
    assert_books_agree()


def test_without_a_card_the_contact_is_asked_to_pay() -> None:
    OrderFactory.create(number="")
    bill_due_orders(DUE)
    assert Mail.objects.get().kind == "unpaid_invoice"


def test_a_charge_that_was_certainly_not_made_is_made_again_later() -> None:
    order = OrderFactory.create(number=UNCHARGED_LOST)
    run()
    assert fresh(order).status == OrderStatus.ACTIVE  # nobody knows yet
    later = timezone.now() + GRACE + timedelta(seconds=1)
    resolve_attempts(later)
    invoice = order.invoices.get()
    assert (invoice.status, invoice.awaiting_gateway) == (InvoiceStatus.OPEN, False)
    assert invoice.charge_due_at == later + timedelta(hours=1)
    assert fresh(order).status == OrderStatus.ACTIVE
    order.card = CardFactory.create(contact=order.contact)
    order.save(update_fields=["card"])
    charge_due_invoices(later + timedelta(hours=1))
    assert moved() == [(30, 0)]
    assert_books_agree()


def test_a_charge_whose_answer_was_lost_is_not_made_again() -> None:
    order = OrderFactory.create(number=CHARGED_LOST)
    run()
    run(DUE + timedelta(days=1))
    assert moved() == [(30, 0)]
    resolve_attempts(timezone.now() + GRACE + timedelta(seconds=1))
    assert (fresh(order).payments_made, moved()) == (1, [(30, 0)])
    assert_books_agree()


def test_a_charge_that_the_customer_did_not_confirm_is_not_made_again() -> None:
    order = OrderFactory.create(number=AUTHENTICATES)
    run()
    attempt = Attempt.objects.get()
    attempt.cancel(None, at=timezone.now())
    invoice = order.invoices.get()
    assert (invoice.status, invoice.charge_due_at) == (InvoiceStatus.OPEN, None)
    assert fresh(order).status == OrderStatus.PAST_DUE
    assert_books_agree()


def test_money_that_comes_another_way_first_leaves_nothing_to_charge() -> None:
    order = OrderFactory.create()
    bill_due_orders(DUE)
    invoice = order.invoices.get()
    assert invoice.charge_due_at == DUE
    invoice.pay(None, source=PaymentMethod.CASH, amount=Decimal(30))
    assert not charge_due_invoices(DUE)
    assert not Attempt.objects.exists()
    assert_books_agree()


def test_what_is_left_of_a_partly_paid_invoice_is_charged() -> None:
    order = OrderFactory.create()
    bill_due_orders(DUE)
    order.invoices.get().pay(None, source=PaymentMethod.CASH, amount=Decimal(10))
    charge_due_invoices(DUE)
    assert moved() == [(20, 0)]
    assert_books_agree()


def test_a_charge_by_hand_takes_the_place_of_the_one_that_was_due() -> None:
    order = OrderFactory.create()
    bill_due_orders(DUE)
    invoice = order.invoices.get()
    invoice.pay(
        None, source=CardFactory.create(contact=order.contact, number=CHARGED_LOST), amount=Decimal(30)
    )
    assert Invoice.objects.get().charge_due_at is None
    assert not charge_due_invoices(DUE + timedelta(days=1))


@pytest.mark.parametrize("meanwhile", ["mark_unpaid", "part", "again"])
def test_a_worker_that_slept_after_its_claim_charges_nothing(meanwhile: str) -> None:
    OrderFactory.create(number=DECLINES)
    bill_due_orders(DUE)
    claimed = Invoice.objects.claim_charge(DUE)
    assert claimed
    other = Invoice.objects.get()
    match meanwhile:
        case "mark_unpaid":
            other.mark_unpaid(None)
        case "part":
            other.pay(None, source=PaymentMethod.CASH, amount=Decimal(10))
        case "again":
            charge_due_invoices(DUE + LEASE)
    attempts = Attempt.objects.count()
    with pytest.raises(Stale):
        claimed.charge_by_itself(at=DUE)
    assert Attempt.objects.count() == attempts
    assert_books_agree()


@pytest.mark.parametrize("deed", ["void", "write_off", "mark_unpaid"])
def test_an_invoice_that_is_ended_by_hand_is_not_charged(deed: str) -> None:
    order = OrderFactory.create()
    bill_due_orders(DUE)
    invoice = order.invoices.get()
    getattr(invoice, deed)(None, **({} if deed == "mark_unpaid" else {"reason": "Agreed"}))
    assert not charge_due_invoices(DUE)
    forgiven, status = (0, OrderStatus.PAST_DUE) if deed == "mark_unpaid" else (1, OrderStatus.ACTIVE)
    now = fresh(order)
    assert (now.payments_forgiven, now.status) == (forgiven, status)
    assert_books_agree()


def test_voiding_a_paid_payment_takes_it_back_from_those_made() -> None:
    order = OrderFactory.create()
    run()
    order.invoices.get().void(None, reason="A mistake")
    now = fresh(order)
    assert (now.payments_made, now.payments_forgiven, now.status) == (0, 1, OrderStatus.ACTIVE)
    assert_books_agree()


def test_every_period_of_a_product_stays_a_purchase_and_starts_nothing() -> None:
    product = ProductFactory.create(sold_as="subscription")
    order = OrderFactory.create()
    order.lines.update(product=product)
    run()
    assert order.invoices.get().lines.get().product == product
    assert Order.objects.count() == Payment.objects.count() == 1
    assert order.card
    assert order.card.last4 == APPROVES[-4:]
    assert NOON < DUE


def test_a_charge_for_which_the_bank_wants_the_customer_asks_them_and_is_past_due() -> None:
    order = OrderFactory.create(number=AUTHENTICATES)
    tick(DUE)
    order.refresh_from_db()
    assert order.status == OrderStatus.PAST_DUE
    assert list(Mail.objects.values_list("kind", flat=True)) == ["unpaid_invoice"]


def test_a_charge_that_the_gateway_refuses_to_be_asked_for_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuses(self: SandboxGateway, **asked: Any) -> str:
        raise ValueError("Amount must be at least $0.50.")

    monkeypatch.setattr(SandboxGateway, "prepare", refuses)
    order = OrderFactory.create()
    tick(DUE)
    order.refresh_from_db()
    invoice = order.invoices.get()
    assert (order.status, invoice.charge_due_at) == (OrderStatus.PAST_DUE, None)
    assert "Amount must be at least $0.50." in invoice.events.filter(action="charge_not_made").get().text
