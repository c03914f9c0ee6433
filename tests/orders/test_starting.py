# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""Issuing an invoice starts an order for each line that sells one, by the rule of ``models.terms``."""

from __future__ import annotations

import html
import json
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.utils import timezone

from billing.models import Invoice, LineInput, Order, Product
from billing.models.guard import Invalid
from billing.periods import begins_at
from billing.statuses import InvoiceStatus, OrderStatus, PaymentMethod
from billing.tasks import bill_due_orders
from tests.attempts.desk import assert_books_agree
from tests.editor.typing_in import typed
from tests.factories import NOON, CardFactory, InvoiceFactory, ProductFactory, UserFactory

pytestmark = pytest.mark.django_db
ISSUED_ON = date(2026, 3, 2)


def club(**terms: Any) -> Product:
    product: Product = ProductFactory.create(
        **{"name": "Garden club", "sku": "CLUB", "price": Decimal(30), "sold_as": "subscription", **terms}
    )
    return product


def line(product: Product, price: Decimal | None = None, **more: Any) -> LineInput:
    asked = product.first_price if price is None else price
    return LineInput(product.name, Decimal(1), asked, sku=product.sku, product_id=product.pk, **more)


def sold(*lines: LineInput, **given: Any) -> Invoice:
    """An invoice over these lines, issued at noon on 2 March 2026."""
    invoice: Invoice = InvoiceFactory.create(lines=list(lines), **given)
    return invoice


def plan_of(order: Order) -> tuple[int, date | None, int | None]:
    return order.next_period, order.next_charge_on, order.payments_total


def test_a_plain_subscription_takes_its_invoice_for_its_first_payment() -> None:
    invoice = sold(line(club()))
    order = invoice.started_orders.get()
    assert (order.status, order.kind, order.amount) == (OrderStatus.ACTIVE, "subscription", 30)
    assert plan_of(order) == (2, date(2026, 4, 2), None)
    assert order.payments_made == 0
    invoice.pay(None, source=PaymentMethod.CASH, amount=invoice.balance)
    order.refresh_from_db()
    assert order.payments_made == 1
    assert_books_agree()


def test_a_plan_counts_its_invoice_among_its_payments() -> None:
    order = sold(line(club(sold_as="plan", payments=3))).started_orders.get()
    assert plan_of(order) == (2, date(2026, 4, 2), 3)
    bill_due_orders(NOON + timedelta(days=365))
    assert list(order.invoices.order_by("period").values_list("period", flat=True)) == [2, 3]
    assert_books_agree()


def test_a_plan_of_one_payment_is_completed_when_its_invoice_is_paid() -> None:
    invoice = sold(line(club(sold_as="plan", payments=1)))
    invoice.pay(None, source=PaymentMethod.CASH, amount=invoice.balance)
    assert invoice.started_orders.get().status == OrderStatus.COMPLETED
    assert_books_agree()


def test_trial_days_are_asked_for_on_the_invoice_and_put_the_first_payment_off() -> None:
    product = club(sold_as="plan", payments=2, trial_days=14, trial_price=Decimal(1))
    invoice = sold(line(product))
    order = invoice.started_orders.get()
    assert invoice.total == 1
    assert plan_of(order) == (1, date(2026, 3, 16), 2)
    invoice.pay(None, source=PaymentMethod.CASH, amount=invoice.balance)
    bill_due_orders(NOON + timedelta(days=365))
    asked = [
        (n, day, total)
        for n, day, total in order.invoices.order_by("period").values_list("period", "invoice_date", "total")
    ]
    assert asked == [(1, date(2026, 3, 16), 30), (2, date(2026, 4, 16), 30)]
    assert Order.objects.get().payments_made == 0  # the trial is none of the payments
    assert_books_agree()


def test_a_trial_of_payments_begins_with_the_invoice() -> None:
    product = club(sold_as="plan", payments=2, trial_payments=2, trial_price=Decimal(5))
    invoice = sold(line(product))
    order = invoice.started_orders.get()
    assert invoice.total == 5
    assert plan_of(order) == (2, date(2026, 4, 2), 4)
    bill_due_orders(NOON + timedelta(days=365))
    assert list(order.invoices.order_by("period").values_list("total", flat=True)) == [5, 30, 30]
    assert_books_agree()


def test_a_delay_asks_for_nothing_now() -> None:
    invoice = sold(line(club(delay_days=30)))
    assert invoice.status == InvoiceStatus.CLOSED  # it asks for nothing
    assert plan_of(invoice.started_orders.get()) == (1, date(2026, 4, 1), None)
    assert_books_agree()


def test_the_price_of_the_line_is_the_price_of_the_payments() -> None:
    order = sold(line(club(), Decimal(25), discount=Decimal(5))).started_orders.get()
    assert order.amount == 25


def test_the_price_of_a_trial_is_not() -> None:
    order = sold(line(club(trial_days=7), Decimal(3))).started_orders.get()
    assert order.amount == 30


def test_each_line_starts_an_order_and_plain_ones_start_none() -> None:
    plan = club(name="Tools", sku="T", sold_as="plan", payments=6, unit="week")
    invoice = sold(line(club()), LineInput("Lantern", Decimal(1), Decimal(9)), line(plan))
    assert [order.summary for order in invoice.started_orders.order_by("pk")] == ["Garden club", "Tools"]


def test_the_default_card_is_charged_until_another_pays_the_invoice() -> None:
    product, card = club(), CardFactory.create()
    invoice = sold(line(product), contact=card.contact)
    assert invoice.started_orders.get().card == card
    other = CardFactory.create(contact=card.contact)
    invoice.pay(None, source=other, amount=invoice.balance)
    order = invoice.started_orders.get()
    assert order.card == other
    assert "is charged from now on" in order.events.get(action="change_card").text


def test_a_draft_starts_nothing() -> None:
    InvoiceFactory.create(lines=[line(club())], status=InvoiceStatus.DRAFT)
    assert not Order.objects.exists()


def test_later_payments_in_another_currency_are_refused() -> None:
    product = club(trial_days=7, currency="EUR")
    with pytest.raises(Invalid, match="its later payments are priced in EUR"):
        sold(line(product))
    assert not Order.objects.exists()
    assert Invoice.objects.get().status == InvoiceStatus.DRAFT


def test_an_invoice_that_started_an_order_and_is_voided_leaves_it_consistent(client: Client) -> None:
    client.force_login(UserFactory.create(role="Billing manager"))
    invoice = sold(line(club()))
    order = invoice.started_orders.get()
    page = client.get(f"/invoices/{invoice.pk}/void/").content.decode()
    assert f"{order} was started by it and goes on" in page
    invoice.void(None, reason="A mistake")
    order.refresh_from_db()
    assert (order.status, order.payments_forgiven) == (OrderStatus.ACTIVE, 1)
    assert_books_agree()


def test_one_period_cannot_be_invoiced_twice_whoever_writes_it() -> None:
    order = sold(line(club())).started_orders.get()
    bill_due_orders(NOON + timedelta(days=90))
    first, second, *_rest = order.invoices.order_by("period")
    with pytest.raises(IntegrityError), transaction.atomic():
        Invoice.objects.filter(pk=second.pk).update(period=first.period)
    with pytest.raises(IntegrityError), transaction.atomic():
        Invoice.objects.filter(pk=second.pk).update(period=None)
    with pytest.raises(IntegrityError), transaction.atomic():
        Invoice.objects.filter(pk=second.pk).update(order=None, period=None)  # its charge is due


def test_terms_that_contradict_themselves_are_refused_by_the_database() -> None:
    for terms in ({"sold_as": "plan"}, {"payments": 3}, {"every": 0}, {"trial_days": 1, "trial_payments": 1}):
        with pytest.raises(IntegrityError), transaction.atomic():
            club(**{"sku": "", **terms})


# -- in the editor


def test_the_editor_shows_the_terms_of_a_line_and_starts_its_order(client: Client) -> None:
    client.force_login(UserFactory.create(role="Support"))
    card, product = CardFactory.create(), club(sold_as="plan", payments=12, setup_fee=Decimal(10))
    found = client.get("/products/", {"q": "club", "currency": "USD"}).content.decode()
    own, fee = json.loads(html.unescape(found.split('data-fill="')[1].split('"')[0]))
    assert (own["unit_price"], fee["unit_price"]) == ("30.00", "10.00")
    assert fee["description"] == "Set-up fee: Garden club"
    assert "$30.00 every month, 12 payments; set-up fee $10.00" in found

    lines = [{"quantity": "1", "discount": "", "product": "", "sku": "", **each} for each in (own, fee)]
    given = typed(*lines, mode="charge", **{"charge-card": str(card.pk), "charge-amount": ""})
    sums = client.post(f"/totals/?contact={card.contact_id}", given).content.decode()
    assert "12 payments" in html.unescape(sums)
    response = client.post(f"/contacts/{card.contact_id}/invoices/new/", given)
    assert response.status_code == 302, response.content.decode()
    invoice, order = Invoice.objects.get(), Order.objects.get()
    assert (invoice.total, invoice.status) == (40, InvoiceStatus.CLOSED)
    assert order.payments_made == 1
    assert order.lines.get().product == product
    page = client.get(f"/invoices/{invoice.pk}/").content.decode()
    assert f'<a href="/orders/{order.pk}/">Payment plan {order.pk}</a>: every month, Active' in page
    assert order.next_charge_on
    assert order.next_charge_at == begins_at(order.next_charge_on, order.here) > timezone.now()
