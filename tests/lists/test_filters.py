"""What the address of a list asks for, and what it answers to nonsense."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.http import QueryDict

from billing.filters import InvoiceFilter, PaymentFilter, Selection, Unreadable
from billing.models import Invoice, Payment
from billing.statuses import InvoiceStatus
from tests.factories import (
    APPROVES,
    DECLINES,
    CardFactory,
    ContactFactory,
    InvoiceFactory,
    PaymentFactory,
    refund_all,
)

pytestmark = pytest.mark.django_db


def invoices(query: str) -> list[Invoice]:
    return list(InvoiceFilter(QueryDict(query)).rows)


def payments(query: str) -> list[Payment]:
    return list(PaymentFilter(QueryDict(query)).rows)


def test_an_address_without_filters_lists_everything_newest_first() -> None:
    older = InvoiceFactory.create(invoice_date=date(2026, 1, 5), due_on=date(2026, 2, 5))
    newer = InvoiceFactory.create(invoice_date=date(2026, 3, 5), due_on=date(2026, 4, 5))
    assert invoices("") == [newer, older]


def test_several_statuses_are_either_of_them() -> None:
    made = {status: InvoiceFactory.create(status=status) for status in InvoiceStatus}
    found = invoices("status=open&status=collections")
    assert set(found) == {made[InvoiceStatus.OPEN], made[InvoiceStatus.COLLECTIONS]}


def test_dates_include_both_ends() -> None:
    days = [date(2026, 3, day) for day in (1, 2, 3, 4)]
    made = [InvoiceFactory.create(invoice_date=day, due_on=date(2026, 4, 1)) for day in days]
    assert invoices("date_from=2026-03-02&date_to=2026-03-03&sort=date") == made[1:3]


def test_amounts_include_both_ends() -> None:
    made = [InvoiceFactory.create(amount=Decimal(amount)) for amount in (10, 20, 30, 40)]
    assert invoices("amount_min=20&amount_max=30.00&sort=total") == made[1:3]


def test_currency_is_typed_in_whatever_case() -> None:
    InvoiceFactory.create()
    yen = InvoiceFactory.create(currency="JPY", amount=Decimal(500))
    assert invoices("currency=jpy") == [yen]


def test_invoices_are_found_by_number_reference_name_and_email() -> None:
    contact = ContactFactory.create(name="Zoë Ångström", email="zoe@example.org")
    invoice = InvoiceFactory.create(contact=contact)
    Invoice.objects.filter(pk=invoice.pk).update(external_ref="PO-77/a")
    InvoiceFactory.create()
    assert invoice.number
    for typed in (invoice.number, invoice.number[-6:], "po-77", "zoë", "zoe@example"):
        assert invoices(f"q={typed}") == [invoice], typed


def test_wildcards_of_the_database_are_plain_characters() -> None:
    InvoiceFactory.create()
    assert invoices("q=%25") == []
    assert invoices("q=_____") == []


def test_invoices_of_one_contact() -> None:
    invoice = InvoiceFactory.create()
    InvoiceFactory.create()
    assert invoices(f"contact={invoice.contact_id}") == [invoice]


@pytest.mark.parametrize(
    ("sort", "first"),
    [
        ("number", "small"),
        ("-number", "draft"),
        ("total", "small"),
        ("-total", "large"),
        ("balance", "paid"),
        ("-balance", "large"),
        ("due", "large"),
        ("-due", "small"),
    ],
)
def test_every_column_sorts_both_ways_and_drafts_stand_where_the_next_numbers_will(
    sort: str, first: str
) -> None:
    made = {
        "small": InvoiceFactory.create(amount=Decimal(1), due_on=date(2026, 5, 1)),
        "large": InvoiceFactory.create(amount=Decimal(900), due_on=date(2026, 3, 3)),
        "paid": InvoiceFactory.create(amount=Decimal(5), status=InvoiceStatus.CLOSED),
        "draft": InvoiceFactory.create(amount=Decimal(50), status=InvoiceStatus.DRAFT),
    }
    assert invoices(f"sort={sort}")[0] == made[first]


def test_rows_of_the_same_day_keep_one_order_so_that_pages_never_overlap() -> None:
    made = [InvoiceFactory.create() for _ in range(5)]
    assert invoices("sort=date") == made
    assert invoices("sort=-date") == made[::-1]


def by_card(number: str = APPROVES) -> Payment:
    card = CardFactory.create(number=number)
    return PaymentFactory.create(card=card, invoice=InvoiceFactory.create(contact=card.contact))


def test_payments_are_found_by_last_four_and_gateway_reference() -> None:
    paid = by_card()
    PaymentFactory.create()
    for typed in (paid.card_last4, paid.gateway_ref, paid.invoice.number, paid.contact.name):
        assert payments(f"q={typed}") == [paid], typed


def test_payments_by_type_status_method_and_gateway() -> None:
    cash = PaymentFactory.create()
    refund_all(cash.invoice)
    declined = by_card(DECLINES)
    refund = Payment.objects.get(type="refund")
    assert payments("type=refund") == [refund]
    assert payments("status=declined") == [declined]
    assert set(payments("method=cash")) == {cash, refund}
    assert payments("gateway=sandbox") == [declined]


def test_a_refund_is_found_by_its_size() -> None:
    cash = PaymentFactory.create()
    refund_all(cash.invoice)
    assert len(payments("amount_min=100&amount_max=100")) == 2
    assert payments("amount_min=101") == []


NONSENSE = [
    "status=x",
    "status=open&status=%00",
    "date_from=zzz",
    "date_from=0000-00-00",
    "date_to=9999-12-31",
    "date_from=２０２６-01-01",
    "amount_min=NaN",
    "amount_min=1e999999",
    "amount_max=Infinity",
    "amount_max=٣",
    "amount_min=" + "9" * 400,
    "currency=ZZZ",
    "currency=x%00y",
    "contact=abc",
    "contact=-1",
    "contact=0",
    "contact=" + "9" * 30,
    "contact=1.5",
    "q=%00",
    "q=" + "x" * 5000,
]


@pytest.mark.parametrize("query", NONSENSE)
def test_what_cannot_be_read_lists_nothing_and_says_why(query: str) -> None:
    InvoiceFactory.create()
    asked = InvoiceFilter(QueryDict(query))
    assert list(asked.rows) == []
    assert asked.errors


def test_a_refusal_names_the_field_the_value_and_the_rule() -> None:
    asked = InvoiceFilter(QueryDict("status=x&date_from=zzz&amount_min=NaN&currency=ZZZ"))
    errors = {name: found[0] for name, found in asked.errors.items()}
    assert errors == {
        "status": "Status is “x”: choose one of the list.",
        "date_from": "Date from is “zzz”: write a day such as 2026-03-31.",
        "amount_min": "Total from is “NaN”: write a plain number such as 1234.50.",
        "currency": "Currency is “ZZZ”: write a code of ISO 4217 such as USD.",
    }


@pytest.mark.parametrize("sort", ["x", "-", "pk", "contact__password", "-date,-id", "?"])
def test_an_unknown_order_is_the_usual_one(sort: str) -> None:
    assert InvoiceFilter(QueryDict(f"sort={sort}")).sort == "-date"


def test_the_query_keeps_what_is_set_and_nothing_else() -> None:
    asked = InvoiceFilter(QueryDict("q=&status=open&status=draft&page=3&sort=total&x=1&date_to="))
    assert asked.query.urlencode() == "status=open&status=draft&sort=total"
    assert InvoiceFilter(QueryDict("sort=-date")).query.urlencode() == ""


def selection(query: str) -> Selection:
    found = Selection.read(QueryDict(query), InvoiceFilter)
    found.check()
    return found


def test_a_selection_is_the_ticked_rows_in_the_order_of_the_list() -> None:
    made = [InvoiceFactory.create() for _ in range(4)]
    ids = f"{made[0].pk},{made[2].pk}&ids={made[2].pk}"
    assert list(selection(f"ids={ids}&filter=status%3Dvoided").rows) == [made[2], made[0]]


def test_a_selection_of_everything_is_what_the_filter_finds_whatever_is_ticked() -> None:
    made = [InvoiceFactory.create() for _ in range(2)]
    draft = InvoiceFactory.create(status=InvoiceStatus.DRAFT)
    assert list(selection(f"all=1&ids={made[0].pk}&filter=status%3Ddraft").rows) == [draft]


@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ("", "Nothing is selected: tick the rows that are meant first."),
        ("ids=abc", "The selection holds “abc”, which is no record's number."),
        ("ids=1,-2", "The selection holds “-2”, which is no record's number."),
        ("ids=" + "9" * 25, f"The selection holds “{'9' * 25}”, which is no record's number."),
        ("all=1&filter=status%3Dx", "The filter cannot be read. Status is “x”: choose one of the list."),
    ],
)
def test_a_selection_that_means_nothing_is_refused_in_words(query: str, sentence: str) -> None:
    with pytest.raises(Unreadable) as refusal:
        selection(query)
    assert str(refusal.value) == sentence


def test_more_rows_ticked_than_a_database_takes_are_refused() -> None:
    with pytest.raises(Unreadable, match=r"10001 rows are selected one by one: at most 10000 can be"):
        selection("ids=" + ",".join(map(str, range(1, 10_002))))


def test_a_filter_of_absurd_length_is_cut_before_it_is_read() -> None:
    found: Any = selection("ids=1&filter=" + "q%3Dx%26" * 5000)
    assert len(found.filter.data.urlencode()) < 3000
