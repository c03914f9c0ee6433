"""Invoice info and the last card: true figures, checked against sums that are done here by hand."""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from html import unescape

import pytest
from django.test import Client
from django.utils import timezone

from billing.models import Invoice, Payment
from billing.statuses import InvoiceStatus
from billing.views.paging import PER_PAGE
from contacts.models import Contact
from tests.factories import (
    DECLINES,
    CardFactory,
    ContactFactory,
    InvoiceFactory,
    PaymentFactory,
    UserFactory,
    refund_all,
)

pytestmark = pytest.mark.django_db
S = InvoiceStatus
PAIR = re.compile(r"<dt[^>]*>(.*?)</dt><dd[^>]*>(.*?)</dd>", re.DOTALL)


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Billing manager"))
    return client


@pytest.fixture
def ada() -> Contact:
    return ContactFactory.create(name="Ada Lovelace")


def block(desk: Client, contact: Contact, name: str, query: str = "") -> list[tuple[str, str]]:
    """Label and value of each line of a block of the tab, as a person reads them."""
    page = desk.get(f"/contacts/{contact.pk}/purchases/{query}").content.decode()
    inside = page.split(f'id="{name}"')[1].split("</section>")[0]
    return [(words(label), words(value)) for label, value in PAIR.findall(inside)]


def words(html: str) -> str:
    return " ".join(unescape(re.sub("<[^>]+>", " ", html)).split())


def info(desk: Client, contact: Contact, query: str = "") -> list[tuple[str, str]]:
    return block(desk, contact, "info", query)


def value(lines: list[tuple[str, str]], label: str) -> str:
    found = [value for name, value in lines if name == label]
    assert len(found) == 1, f"{label}: {found}"
    return found[0]


def test_the_figures_of_a_contact_with_an_invoice_in_every_status(desk: Client, ada: Contact) -> None:
    """Amounts are powers of two, so that each sum tells what was added."""
    days = {status: date(2026, 1, 1 + n) for n, status in enumerate(S)}
    made = {
        status: InvoiceFactory.create(
            contact=ada, status=status, amount=Decimal(2**n), invoice_date=days[status]
        )
        for n, status in enumerate(S)
    }
    PaymentFactory.create(invoice=made[S.COLLECTIONS], amount=Decimal("0.50"))
    made[S.CLOSED].refund(None, amount=Decimal(3), route="recorded", reason="", send_receipt=False)
    owed = {status: Decimal(2**n) for n, status in enumerate(S)}

    lines = info(desk, ada)

    unpaid = owed[S.OPEN] + owed[S.COLLECTIONS] - Decimal("0.50")
    spent = Decimal("0.50") + owed[S.CLOSED] - 3
    refunded = 3 + owed[S.REFUNDED]
    assert value(lines, "Total unpaid") == f"${unpaid:.2f}"
    assert value(lines, "Unpaid invoices") == "2"
    assert value(lines, "Total spent") == f"${spent:.2f}"
    assert value(lines, "Total refunded") == f"${refunded:.2f}"
    purchases = [status for status in S if status not in (S.DRAFT, S.DECLINED, S.VOIDED)]
    assert value(lines, "First purchase") == f"{min(days[s] for s in purchases):%-d %b %Y}"
    last = max(purchases, key=lambda status: days[status])
    assert value(lines, "Last purchase") == f"{days[last]:%-d %b %Y}"
    assert value(lines, "Last invoice") == made[last].number
    assert value(lines, "Last invoice total") == f"${owed[last]:.2f}"


def test_several_currencies_stand_side_by_side_and_are_never_added(desk: Client, ada: Contact) -> None:
    InvoiceFactory.create(contact=ada, amount=Decimal("10.50"))
    InvoiceFactory.create(contact=ada, amount=Decimal(1000), currency="JPY")
    InvoiceFactory.create(contact=ada, amount=Decimal("1.125"), currency="KWD", status=S.CLOSED)

    lines = info(desk, ada)

    assert [shown for label, shown in lines if label == "Total unpaid"] == ["¥1,000", "KWD0.000", "$10.50"]
    assert [shown for label, shown in lines if label == "Total spent"] == ["¥0", "KWD1.125", "$0.00"]
    assert value(lines, "Unpaid invoices") == "2"


def test_a_voided_invoice_counts_nowhere(desk: Client, ada: Contact) -> None:
    InvoiceFactory.create(contact=ada, amount=Decimal(10), invoice_date=date(2026, 2, 1))
    before = info(desk, ada)
    voided = InvoiceFactory.create(contact=ada, amount=Decimal(99), invoice_date=date(2026, 3, 1))
    PaymentFactory.create(invoice=voided, amount=Decimal(5))
    voided.void(None, reason="")
    euro = InvoiceFactory.create(contact=ada, currency="EUR", invoice_date=date(2026, 1, 1))
    euro.void(None, reason="")

    assert info(desk, ada) == before
    assert value(before, "Last charge") == "–"


@pytest.mark.parametrize("status", [S.DRAFT, S.DECLINED, S.VOIDED])
def test_what_is_no_purchase_leaves_the_block_empty(
    desk: Client, ada: Contact, status: InvoiceStatus
) -> None:
    InvoiceFactory.create(contact=ada, status=status)
    page = desk.get(f"/contacts/{ada.pk}/purchases/").content.decode()
    assert "Figures appear with the first issued invoice." in page


def test_the_last_charge_is_money_that_came_and_neither_a_decline_nor_a_refund(
    desk: Client, ada: Contact
) -> None:
    invoice = InvoiceFactory.create(contact=ada)
    PaymentFactory.create(invoice=invoice, amount=Decimal(30))
    PaymentFactory.create(invoice=invoice, amount=Decimal(20))
    invoice.refund_payment(
        None,
        payment=invoice.payments.latest("id"),
        amount=Decimal(7),
        route="recorded",
        reason="",
        send_receipt=False,
    )
    PaymentFactory.create(invoice=invoice, card=CardFactory.create(contact=ada, number=DECLINES))
    assert value(info(desk, ada), "Last charge") == "$20.00"


def test_what_another_contact_bought_counts_for_them_alone(desk: Client, ada: Contact) -> None:
    InvoiceFactory.create(contact=ada, amount=Decimal(10))
    InvoiceFactory.create(amount=Decimal(70))
    assert value(info(desk, ada), "Total unpaid") == "$10.00"


def test_the_strip_says_who_owes_what_on_how_many_invoices(desk: Client, ada: Contact) -> None:
    InvoiceFactory.create(contact=ada, amount=Decimal(10))
    InvoiceFactory.create(contact=ada, amount=Decimal(5))
    card = CardFactory.create(contact=ada, exp_month=1, exp_year=2025)
    page = desk.get(f"/contacts/{ada.pk}/purchases/").content.decode()
    facts = {words(a): words(b) for a, b in PAIR.findall(page.split('class="facts"')[1])}
    assert facts["Owes"] == "$15.00 on 2 invoices"
    assert facts["Default card"] == f"{card} expired 01/25"


# -- the last card


def last_card(desk: Client, contact: Contact) -> dict[str, str]:
    return dict(block(desk, contact, "last-card"))


def test_the_last_card_is_the_one_charged_and_not_the_default(desk: Client, ada: Contact) -> None:
    default = CardFactory.create(contact=ada)
    other = CardFactory.create(contact=ada, number="5555555555554444", exp_month=3, exp_year=2039)
    PaymentFactory.create(invoice=InvoiceFactory.create(contact=ada), card=default)
    PaymentFactory.create(invoice=InvoiceFactory.create(contact=ada), card=other)
    default.refresh_from_db()
    assert default.is_default
    shown = last_card(desk, ada)
    assert shown["Card"] == "Mastercard •• 4444"
    assert shown["Expires"] == "03/39"
    assert shown["Result"] == "Applied $100.00"
    assert shown["Last charge"] == f"{timezone.localdate():%-d %b %Y}"


def test_a_declined_charge_counts_as_a_use_with_its_reason(desk: Client, ada: Contact) -> None:
    invoice = InvoiceFactory.create(contact=ada)
    PaymentFactory.create(invoice=invoice, card=CardFactory.create(contact=ada), amount=Decimal(1))
    PaymentFactory.create(invoice=invoice, card=CardFactory.create(contact=ada, number=DECLINES))
    shown = last_card(desk, ada)
    assert shown["Card"] == "Visa •• 0341"
    assert shown["Result"].startswith("Declined $99.00")
    assert len(shown["Result"]) > len("Declined $99.00")


def test_a_card_that_has_expired_since_is_marked(desk: Client, ada: Contact) -> None:
    card = CardFactory.create(contact=ada, exp_month=1, exp_year=2025)
    PaymentFactory.create(invoice=InvoiceFactory.create(contact=ada), card=card)
    assert last_card(desk, ada)["Expires"] == "01/25 Expired"


def test_a_card_that_was_removed_since_is_still_the_last_one_used(desk: Client, ada: Contact) -> None:
    card = CardFactory.create(contact=ada)
    PaymentFactory.create(invoice=InvoiceFactory.create(contact=ada), card=card)
    card.remove(None, at=timezone.now())
    assert last_card(desk, ada)["Card"] == "Visa •• 4242"


def test_money_that_came_another_way_or_went_back_is_no_use_of_a_card(desk: Client, ada: Contact) -> None:
    card = CardFactory.create(contact=ada)
    PaymentFactory.create(invoice=InvoiceFactory.create(contact=ada), card=card)
    refund_all(Invoice.objects.get())
    PaymentFactory.create(invoice=InvoiceFactory.create(contact=ada, amount=Decimal(7)), method="cheque")
    assert last_card(desk, ada)["Result"] == "Applied $100.00"
    assert Payment.objects.count() == 3


def test_before_any_charge_the_block_says_what_to_do(desk: Client, ada: Contact) -> None:
    CardFactory.create(contact=ada)
    page = desk.get(f"/contacts/{ada.pk}/purchases/").content.decode()
    assert "No card of this contact has been charged yet. Add one, then choose Pay" in page


@pytest.mark.parametrize("query", ["", "?payments=2&invoices=2"])
def test_what_was_last_is_found_behind_a_page_of_newer_rows(desk: Client, ada: Contact, query: str) -> None:
    card = CardFactory.create(contact=ada)
    charged = InvoiceFactory.create(contact=ada, amount=Decimal(7))
    PaymentFactory.create(invoice=charged, card=card)
    InvoiceFactory.create_batch(PER_PAGE, contact=ada, status=S.DRAFT)
    voided = InvoiceFactory.create(contact=ada, invoice_date=date(2026, 1, 1))
    for _ in range(PER_PAGE):
        PaymentFactory.create(invoice=voided, amount=Decimal(1))
    voided.void(None, reason="")

    lines = info(desk, ada, query)
    assert value(lines, "Last invoice") == charged.number
    assert value(lines, "Last charge") == "$7.00"
    assert dict(block(desk, ada, "last-card", query))["Result"] == "Applied $7.00"


def test_each_row_tells_of_itself_what_the_lists_of_sales_and_charges_pick(ada: Contact) -> None:
    for status in S:
        invoice = InvoiceFactory.create(contact=ada, status=status)
        if invoice.is_owing:
            PaymentFactory.create(invoice=invoice, card=CardFactory.create(contact=ada), amount=Decimal(3))
            PaymentFactory.create(
                invoice=invoice, card=CardFactory.create(contact=ada, number=DECLINES), amount=Decimal(2)
            )
    payments = Payment.objects.of(ada).for_list()
    assert {each for each in Invoice.objects.all() if each.is_sale} == set(Invoice.objects.sales())
    charges = list(Payment.objects.of(ada).counting_as_charges())
    assert [each for each in payments if each.counts_as_charge] == charges
    assert [each for each in payments if each.is_card_charge] == list(Payment.objects.of(ada).card_charges())
