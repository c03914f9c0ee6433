# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""The coupon code in the editor: totals as one types, refusals at the field, and nothing typed is lost."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client

from billing.models import Coupon, Header, Invoice, LineInput, Product
from billing.statuses import InvoiceStatus
from contacts.models import Contact
from tests.attempts.desk import assert_books_agree, fresh
from tests.editor.typing_in import edit_url, lantern, new_url, typed
from tests.factories import ContactFactory, CouponFactory, InvoiceFactory, ProductFactory, UserFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Contact:
    return ContactFactory.create(name="Ada Lovelace")


@pytest.fixture
def desk(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Support"))
    return client


@pytest.fixture
def product() -> Product:
    return ProductFactory.create()


def test_the_totals_show_the_share_of_each_line_and_what_the_coupon_says(
    desk: Client, ada: Contact, product: Product
) -> None:
    CouponFactory.create(code="SPRING", percent=Decimal(15), products=(product,))
    lines = lantern(product=str(product.pk)), lantern(unit_price="10.00")
    page = desk.post(f"/totals/?contact={ada.pk}", typed(*lines, coupon="spring")).content.decode()
    assert "SPRING: 15 % off" in page
    assert "[&quot;coupon -$7.35&quot;, &quot;&quot;]" in page
    assert "[&quot;$41.65&quot;, &quot;$10.00&quot;]" in page
    assert "USD 51.65" in page


def test_a_code_that_cannot_be_used_counts_for_nothing_and_the_totals_say_why(
    desk: Client, ada: Contact
) -> None:
    page = desk.post(f"/totals/?contact={ada.pk}", typed(lantern(), coupon="nothing")).content.decode()
    assert "Coupon code is “NOTHING”: there is no such code." in page
    assert "USD 49.00" in page


def test_saving_keeps_the_code_and_the_discount(desk: Client, ada: Contact) -> None:
    CouponFactory.create(code="SPRING", amount=Decimal(9))
    desk.post(new_url(ada), typed(lantern(), coupon="Spring"))
    invoice = Invoice.objects.get()
    assert (invoice.total, invoice.coupon) == (40, "SPRING")
    page = desk.get(edit_url(invoice)).content.decode()
    assert 'value="SPRING"' in page
    assert "coupon -$9.00" in page


def test_a_refusal_stands_at_the_field_with_everything_that_was_typed(desk: Client, ada: Contact) -> None:
    CouponFactory.create(code="HERS", contact=ContactFactory.create())
    answer = desk.post(new_url(ada), typed(lantern(), coupon="hers", note="By Friday"))
    page = answer.content.decode()
    assert answer.status_code == 422
    assert (
        page.count("Coupon code is “HERS”: it was issued to somebody else.") == 2
    )  # head of the page, field
    assert "By Friday" in page
    assert 'value="hers"' in page
    assert not Invoice.objects.exists()


def test_a_coupon_that_is_used_up_between_draft_and_issue_leaves_the_draft(
    desk: Client, ada: Contact
) -> None:
    CouponFactory.create(code="LAST", total_available=1)
    draft = InvoiceFactory.create(contact=ada, coupon="LAST", status=InvoiceStatus.DRAFT)
    InvoiceFactory.create(coupon="LAST")
    data = typed(
        lantern(), coupon="LAST", mode="request", seen=str(draft.version), request__recipient="a@b.example"
    )
    answer = desk.post(edit_url(draft), data)
    assert answer.status_code == 422
    assert "all 1 that there were have been redeemed" in answer.content.decode()
    assert fresh(draft).status == InvoiceStatus.DRAFT
    assert_books_agree()


def test_a_whole_coupon_says_that_there_is_nothing_to_pay(desk: Client, ada: Contact) -> None:
    CouponFactory.create(code="GIFT", percent=Decimal(100))
    page = desk.post(f"/totals/?contact={ada.pk}", typed(lantern(), coupon="GIFT", mode="request"))
    assert "nothing to pay" in page.content.decode()
    data = typed(lantern(), coupon="GIFT", mode="request", request__recipient="ada@example.com")
    desk.post(new_url(ada), data)
    assert Invoice.objects.get().status == InvoiceStatus.CLOSED
    assert Coupon.objects.get().redeemed == 1


def test_the_agent_whose_save_comes_second_sees_that_the_code_differs(desk: Client, ada: Contact) -> None:
    CouponFactory.create(code="SPRING")
    invoice = InvoiceFactory.create(contact=ada)
    seen = invoice.version
    header = Header("USD", invoice.invoice_date, invoice.due_on, coupon="SPRING")
    invoice.edit(None, header=header, lines=[LineInput("Lantern", Decimal(1), Decimal(100))])
    answer = desk.post(edit_url(invoice), typed(lantern(unit_price="100.00"), seen=str(seen)))
    assert answer.status_code == 409
    assert '<th scope="row">Coupon code</th>' in answer.content.decode()
    assert fresh(invoice).coupon == "SPRING"
