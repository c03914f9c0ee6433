# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""An order from its form to its end: paid, refused, left, sent twice, changed, and told late."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from billing import books, clock
from billing.gateways import NoAnswer, Notice, NoticeKind, PageResult
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import HostedPage
from billing.models import (
    Attempt,
    Card,
    Event,
    Invoice,
    Order,
    OrderForm,
    Payment,
    Product,
    Submission,
    heard,
)
from billing.models.guard import NotOffered
from billing.statuses import InvoiceStatus, MailKind
from billing.tasks import look_after_forms, resolve_attempts
from contacts.models import Contact
from tests.factories import (
    DECLINES,
    CardFactory,
    ContactFactory,
    CouponFactory,
    OrderFormFactory,
    ProductFactory,
    UserFactory,
)
from tests.notices.desk import tell
from tests.orderforms.visitor import ADA, AUTHENTICATES, CHARGED_LOST, REFUSED, THANKS, Visitor

pytestmark = pytest.mark.django_db


@pytest.fixture
def form() -> OrderForm:
    return OrderFormFactory.create()


@pytest.fixture
def visitor(form: OrderForm) -> Visitor:
    return Visitor(form)


def club(**terms: Any) -> Product:
    return ProductFactory.create(**{"name": "Garden club", "price": 30, "sold_as": "subscription", **terms})


def later(**time: int) -> None:
    """Let the resolver and the job that looks after forms come by after so long."""
    now = timezone.now() + timedelta(**time)
    resolve_attempts(now)
    look_after_forms(now)


def assert_books_agree() -> None:
    assert [str(problem) for problem in [*books.problems(), *books.gateway_problems()]] == []


def no_answer(*args: Any, **kwargs: Any) -> Any:
    raise NoAnswer("The line is dead.")


def test_an_order_that_is_paid_is_a_closed_invoice_of_a_new_contact_with_a_receipt(
    form: OrderForm, visitor: Visitor
) -> None:
    text = visitor.orders(phone="+44 20 7946 0000", company="Engines")
    assert (visitor.status, THANKS in text, "$25.00" in text) == (200, True, True)
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.order_form, invoice.total) == ("closed", form, 25)
    contact = invoice.contact
    assert (contact.name, contact.email, contact.phone) == (*ADA.values(), "+44 20 7946 0000")
    assert invoice.payments.get().amount == 25
    assert invoice.mails.get().kind == MailKind.RECEIPT
    assert not Card.objects.exists()
    assert_books_agree()


def test_until_it_is_paid_it_is_a_draft_that_staff_leave_alone(visitor: Visitor) -> None:
    visitor.fills_in()
    invoice, root = Invoice.objects.get(), UserFactory.create(is_superuser=True)
    assert invoice.status == InvoiceStatus.DRAFT
    assert {action.name for action in invoice.available_actions(root)} == {"export"}
    with pytest.raises(NotOffered, match="is being paid for by its customer"):
        invoice.discard(root)
    with pytest.raises(NotOffered, match="is being paid for by its customer"):
        invoice.issue(root, at=timezone.now())
    visitor.pays()
    assert Invoice.objects.get().can("refund", root)


def test_a_refused_card_leaves_a_declined_invoice_and_the_form_as_it_was(visitor: Visitor) -> None:
    text = visitor.orders(DECLINES, phone="555 0100")
    assert (visitor.status, REFUSED in text) == (200, True)
    assert "The bank declined this card and gave no reason." in text
    assert (visitor.fields["name"], visitor.fields["phone"]) == (ADA["name"], "555 0100")
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.balance, invoice.total) == ("declined", 0, 25)
    assert invoice.number
    assert invoice.payments.get().status == "declined"
    assert invoice.contact.phone == "555 0100"
    assert not invoice.mails.exists()
    assert {each.name for each in invoice.available_actions(UserFactory.create(is_superuser=True))} == {
        "send_receipt",
        "void",
        "export",
    }
    assert_books_agree()


def test_another_card_after_a_refusal_makes_an_invoice_of_its_own(visitor: Visitor) -> None:
    visitor.orders(DECLINES)
    visitor.sends()
    assert THANKS in visitor.pays()
    assert sorted(Invoice.objects.values_list("status", flat=True)) == ["closed", "declined"]
    assert (Contact.objects.count(), Payment.objects.applied().count()) == (1, 1)
    assert_books_agree()


def test_a_subscription_is_begun_with_the_card_that_paid(visitor: Visitor, form: OrderForm) -> None:
    form.items.update(product=club(setup_fee=10))
    text = visitor.orders()
    assert "$30.00 every month" in text
    order, invoice = Order.objects.get(), Invoice.objects.get()
    assert (invoice.total, invoice.lines.count(), order.amount, order.origin) == (40, 2, 30, invoice)
    assert order.card == Card.objects.get() == invoice.payments.get().card
    assert order.payments_made == 1
    assert_books_agree()


def test_a_plan_asks_on_from_its_second_payment(visitor: Visitor, form: OrderForm) -> None:
    form.items.update(product=club(sold_as="plan", payments=6))
    visitor.orders()
    order = Order.objects.get()
    assert (order.payments_total, order.next_period, order.progress) == (6, 2, "1 of 6")


def test_an_order_is_never_charged_to_a_card_that_was_on_file(visitor: Visitor, form: OrderForm) -> None:
    form.items.update(product=club())
    hers = CardFactory.create(contact=ContactFactory.create(email=ADA["email"]))
    visitor.orders("5555555555554444")
    order = Order.objects.get()
    assert order.contact == hers.contact
    assert order.card != hers


def test_a_free_trial_is_begun_once_a_card_is_left(visitor: Visitor, form: OrderForm) -> None:
    form.items.update(product=club(trial_days=14))
    visitor.opens()
    assert "Order and leave a card" in visitor.text
    visitor.sends(**ADA)
    assert Invoice.objects.get().status == "draft"
    assert THANKS in visitor.pays()
    invoice, order = Invoice.objects.get(), Order.objects.get()
    assert (invoice.status, invoice.total, order.card, order.amount) == ("closed", 0, Card.objects.get(), 30)
    assert invoice.mails.get().kind == MailKind.RECEIPT
    assert THANKS in visitor.goes_to(f"{visitor.path}{Submission.objects.get().visit}/")
    assert (Order.objects.count(), invoice.mails.count()) == (1, 1)
    assert_books_agree()


def message_of_the_card() -> None:
    page = HostedPage.objects.get()
    notice = Notice("evt_1", "setup", NoticeKind.CARD, page_ref=page.ref)
    heard.act_on(SandboxGateway(), notice, at=timezone.now())


@pytest.mark.parametrize("told", [message_of_the_card, lambda: later(minutes=3)])
def test_a_free_trial_is_begun_though_the_browser_never_comes_back(
    visitor: Visitor, form: OrderForm, told: Callable[[], Any]
) -> None:
    form.items.update(product=club(trial_days=14))
    visitor.fills_in()
    visitor.types_card(visitor.url)
    told()
    assert (Invoice.objects.get().status, Order.objects.get().card) == ("closed", Card.objects.get())


def test_what_costs_nothing_is_closed_at_once(visitor: Visitor, form: OrderForm) -> None:
    form.items.update(product=ProductFactory.create(price=0))
    visitor.opens()
    assert "Order, nothing to pay" in visitor.text
    assert THANKS in visitor.goes_to(visitor.sends(**ADA))
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.attempts.count(), invoice.mails.count()) == ("closed", 0, 1)
    assert_books_agree()


# -- once


def test_two_clicks_lead_to_one_page_and_one_payment(visitor: Visitor) -> None:
    visitor.opens()
    pages = {visitor.sends(**ADA), visitor.sends(**ADA)}
    assert pages == {f"/sandbox/pages/{HostedPage.objects.get().ref}/"}
    assert THANKS in visitor.pays()
    assert (Invoice.objects.count(), Payment.objects.count()) == (1, 1)


def test_sent_again_after_it_was_paid_it_shows_the_first_result(visitor: Visitor) -> None:
    page = visitor.opens()
    visitor.sends(**ADA)
    visitor.pays()
    for typed in (ADA, {**ADA, "phone": "555 0100"}):
        visitor.text = page  # as a browser's Back button shows it
        assert THANKS in visitor.goes_to(visitor.sends(**typed))
    assert (Invoice.objects.count(), Payment.objects.count()) == (1, 1)


def test_sent_again_after_a_refusal_it_shows_the_refusal(visitor: Visitor) -> None:
    page = visitor.opens()
    visitor.sends(**ADA)
    visitor.pays(DECLINES)
    visitor.text = page
    assert REFUSED in visitor.goes_to(visitor.sends(**ADA))
    assert Invoice.objects.count() == 1


def test_changed_after_a_refusal_on_a_page_that_was_kept_it_is_a_new_order(visitor: Visitor) -> None:
    page = visitor.opens()
    visitor.sends(**ADA)
    visitor.pays(DECLINES)
    visitor.text = page
    visitor.sends(**{**ADA, "phone": "555 0100"})
    assert THANKS in visitor.pays()
    assert sorted(Invoice.objects.values_list("status", flat=True)) == ["closed", "declined"]


def test_the_back_button_finds_what_was_typed_and_goes_on_with_it(visitor: Visitor) -> None:
    page = visitor.fills_in(phone="555 0100")
    text = visitor.opens()
    assert "have not paid for it" in text
    assert visitor.fields["phone"] == "555 0100"
    assert visitor.sends() == page
    assert Invoice.objects.count() == 1
    visitor.pays()
    assert "have not paid for it" not in visitor.opens()


def test_changed_before_it_is_paid_it_is_the_same_draft_and_the_first_page_is_closed(
    visitor: Visitor, form: OrderForm
) -> None:
    form.items.update(most=5)
    old = visitor.fills_in()
    visitor.opens()
    visitor.sends("totals", quantity__X="2", **{f"quantity-{form.items.get().pk}": "3"})
    assert "Order and pay $75.00" in visitor.text
    new = visitor.sends(email="other@example.com")
    assert new != old
    assert visitor.types_card(old) == ""
    assert THANKS in visitor.pays()
    invoice = Invoice.objects.get()
    assert (invoice.total, invoice.contact.email, invoice.payments.get().amount) == (
        75,
        "other@example.com",
        75,
    )
    assert_books_agree()


def test_changed_after_it_was_paid_in_another_tab_it_shows_that_it_is_paid(
    visitor: Visitor, form: OrderForm
) -> None:
    visitor.fills_in()
    visitor.types_card(visitor.url)  # and the browser has not come back yet
    visitor.opens()
    assert THANKS in visitor.goes_to(visitor.sends(phone="555 0100"))
    assert Payment.objects.count() == 1


def test_sent_again_after_the_price_has_changed_it_asks_for_the_new_one(visitor: Visitor) -> None:
    old = visitor.fills_in()
    Product.objects.update(price=40)
    visitor.opens()
    assert "Order and pay $40.00" in visitor.text
    assert visitor.sends() != old
    assert visitor.types_card(old) == ""
    assert THANKS in visitor.pays()
    invoice = Invoice.objects.get()
    assert (invoice.total, invoice.payments.get().amount) == (40, 40)
    assert_books_agree()


def test_sent_again_with_its_coupon_at_the_same_price_it_leads_to_the_same_page(
    visitor: Visitor, form: OrderForm
) -> None:
    CouponFactory.create(code="SPRING10")
    OrderForm.objects.update(asks_coupon=True)
    visitor.opens()
    visitor.sends("totals", coupon="SPRING10")
    page = visitor.sends(**ADA)
    visitor.opens()
    assert visitor.sends() == page
    assert Attempt.objects.count() == 1


def test_a_personal_code_is_taken_once_its_holder_has_mended_a_slip_in_their_address(
    visitor: Visitor, form: OrderForm
) -> None:
    OrderForm.objects.update(asks_coupon=True)
    CouponFactory.create(code="K7PMWQ3XT4HD", contact=ContactFactory.create(email="ada@example.com"))
    visitor.fills_in(email="adda@example.com")
    visitor.opens()
    visitor.sends(email="ada@example.com", coupon="K7PM-WQ3X-T4HD")
    visitor.sends()  # the total that the code has changed was shown first
    visitor.pays()
    invoice = Invoice.objects.get()
    assert (invoice.contact.email, invoice.coupon) == ("ada@example.com", "K7PMWQ3XT4HD")
    assert invoice.status == InvoiceStatus.CLOSED


def test_sent_again_after_a_refusal_at_another_price_it_is_a_new_order(visitor: Visitor) -> None:
    visitor.opens()
    kept = dict(visitor.fields)
    visitor.sends(**ADA)
    visitor.pays(DECLINES)
    Product.objects.update(price=40)
    visitor.sends(**{**kept, **ADA})
    assert visitor.status == 409  # the price that stands on the page that was kept is gone
    assert THANKS in visitor.goes_to(visitor.types_card(visitor.sends(), "4242424242424242"))
    assert sorted(Invoice.objects.values_list("status", "total")) == [("closed", 40), ("declined", 25)]


# -- what was agreed to


def test_terms_that_nobody_has_seen_are_shown_first(visitor: Visitor, form: OrderForm) -> None:
    form.items.update(product=(sold := club(trial_days=14)))
    visitor.opens()
    Product.objects.filter(pk=sold.pk).update(price=90)
    visitor.sends(**ADA)
    assert (visitor.status, "Please look at your order" in visitor.text) == (409, True)
    assert "$90.00 every month" in visitor.text
    assert not Invoice.objects.exists()
    assert visitor.sends()


CHANGES: list[dict[str, Any]] = [
    {"price": 90},
    {"unit": "year"},
    {"trial_days": 0, "trial_price": 0},
    {"sold_as": "plan", "payments": 2},
    {"sold_as": "once"},
    {"currency": "EUR"},
]


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_subscription_begins_on_the_terms_that_were_agreed_to_whatever_changes_meanwhile(
    visitor: Visitor, form: OrderForm, change: dict[str, Any]
) -> None:
    form.items.update(product=(sold := club(trial_days=14, trial_price=5)))
    visitor.fills_in()
    Product.objects.filter(pk=sold.pk).update(**change)
    assert "$30.00 every month" in visitor.pays()
    order = Order.objects.get()
    assert (order.amount, order.currency, order.unit, order.payments_total) == (30, "USD", "month", None)
    assert order.next_charge_on == clock.today() + timedelta(days=14)
    assert order.card
    assert_books_agree()


def test_what_was_sold_once_begins_nothing_whatever_it_becomes_meanwhile(
    visitor: Visitor,
) -> None:
    visitor.fills_in()
    Product.objects.update(sold_as="subscription")
    assert THANKS in visitor.pays()
    assert not Order.objects.exists()


def test_an_order_is_not_changed_while_its_page_cannot_be_closed(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.fills_in()
    visitor.opens()
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "expire_page", no_answer)
        visitor.sends(phone="555 0100")
    assert (visitor.status, "please try again in a minute" in visitor.text) == (409, True)
    assert visitor.fields["phone"] == "555 0100"
    assert Attempt.objects.count() == 1


def test_back_on_the_refusal_after_sending_again_it_goes_on_with_what_was_sent(visitor: Visitor) -> None:
    visitor.orders(DECLINES)
    refusal = f"{visitor.path}{Submission.objects.get().visit}/"
    page = visitor.sends()
    assert REFUSED in visitor.goes_to(refusal)  # the browser's Back button, which asks again
    assert visitor.sends() == page
    assert Invoice.objects.filter(status="draft").count() == 1


# -- told late, or never


def message_of_the_charge() -> None:
    charge = HostedPage.objects.get().charge
    assert charge
    tell("charge.succeeded", charge.ref)


@pytest.mark.parametrize("told", [message_of_the_charge, lambda: later(minutes=3)])
def test_an_order_is_paid_though_the_browser_never_comes_back(
    visitor: Visitor, told: Callable[[], Any]
) -> None:
    visitor.fills_in()
    visitor.types_card(visitor.url)
    told()
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.paid, invoice.mails.count()) == ("closed", 25, 1)
    assert_books_agree()


def test_a_refusal_that_nobody_came_back_from_is_declined(visitor: Visitor) -> None:
    visitor.fills_in()
    visitor.types_card(visitor.url, DECLINES)
    later(minutes=3)
    assert Invoice.objects.get().status == "declined"


def test_a_lost_answer_is_found_out_when_the_visitor_looks_again(visitor: Visitor) -> None:
    visitor.fills_in()
    assert visitor.types_card(visitor.url, CHARGED_LOST) == ""
    assert THANKS in visitor.goes_to(f"{visitor.path}{Submission.objects.get().visit}/")


def test_a_card_whose_bank_asks_is_paid_once_the_visitor_confirms(visitor: Visitor) -> None:
    page = visitor.fills_in()
    visitor.types_card(page, AUTHENTICATES)
    assert "is not paid" in visitor.goes_to(f"{visitor.path}{Submission.objects.get().visit}/")
    back = visitor.client.post(f"{page}approve/")["Location"]
    assert THANKS in visitor.goes_to(back)


def test_a_page_that_is_left_can_be_gone_on_with(visitor: Visitor) -> None:
    page = visitor.fills_in()
    text = visitor.goes_to(HostedPage.objects.get().cancel_url)
    assert "Your order is not paid, and nothing was charged" in text
    assert visitor.sends() == page
    assert Invoice.objects.count() == 1


def test_what_nobody_pays_is_declined_after_a_day_and_owes_nothing(visitor: Visitor) -> None:
    visitor.fills_in()
    later(hours=23)
    assert Invoice.objects.get().status == "draft"
    later(hours=50)
    invoice = Invoice.objects.get()
    assert (invoice.status, invoice.balance, HostedPage.objects.get().closed) == ("declined", 0, True)
    assert "closed before it was paid" in invoice.events.get(action="decline_order").text
    assert_books_agree()


def test_a_free_trial_without_a_card_is_declined_after_a_day(visitor: Visitor, form: OrderForm) -> None:
    form.items.update(product=club(trial_days=14))
    visitor.fills_in()
    later(hours=50)
    assert (Invoice.objects.get().status, Order.objects.count()) == ("declined", 0)


def test_a_free_trial_is_not_declined_while_the_gateway_does_not_say_whether_a_card_was_left(
    visitor: Visitor, form: OrderForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    form.items.update(product=club(trial_days=14))
    visitor.fills_in()
    visitor.types_card(visitor.url)
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "page_result", no_answer)
        later(hours=26)
    assert Invoice.objects.get().status == "draft"
    later(hours=27)
    assert (Invoice.objects.get().status, Order.objects.get().card) == ("closed", Card.objects.get())
    assert_books_agree()


def test_a_free_trial_is_declined_once_the_gateway_has_said_nothing_for_days(
    visitor: Visitor, form: OrderForm, monkeypatch: pytest.MonkeyPatch
) -> None:
    form.items.update(product=club(trial_days=14))
    visitor.fills_in()
    monkeypatch.setattr(SandboxGateway, "page_result", no_answer)
    later(days=2, hours=23)
    assert Invoice.objects.get().status == "draft"
    later(days=3, hours=1)
    assert Invoice.objects.get().status == "declined"


def test_money_that_comes_after_the_order_has_ended_is_kept_and_put_before_a_person(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitor.fills_in()
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "expire_page", lambda self, ref: PageResult(done=False, expired=True))
        later(hours=50)
    assert Invoice.objects.get().status == "declined"
    HostedPage.objects.update(expires_at=timezone.now() + timedelta(days=9))
    visitor.types_card(visitor.url)
    message_of_the_charge()
    invoice = Invoice.objects.overpaid().get()
    assert (invoice.status, invoice.paid, invoice.overpaid, invoice.balance) == ("declined", 25, 25, 0)
    text = visitor.goes_to(f"{visitor.path}{Submission.objects.get().visit}/")
    assert "Your payment came after the order had ended" in text
    page = visitor.goes_to(f"/i/{invoice.token}/")
    assert "$25.00 was paid and has not been returned." in page
    assert "Nothing was charged" not in page
    payment = invoice.payments.get()
    payment.refund(None, amount=payment.amount, route="gateway", reason="", send_receipt=False)
    invoice.refresh_from_db()
    assert (invoice.status, invoice.paid, invoice.overpaid) == ("declined", 0, 0)
    assert_books_agree()


def test_a_gateway_out_of_reach_is_a_sentence_and_loses_nothing(
    visitor: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "pay_page", no_answer)
        visitor.fills_in(phone="555 0100")
    assert (visitor.status, "did not answer" in visitor.text) == (409, True)
    assert visitor.fields["phone"] == "555 0100"
    visitor.sends()
    assert THANKS in visitor.pays()
    assert (Invoice.objects.count(), Attempt.objects.count()) == (1, 1)


def test_an_order_whose_process_died_before_its_page_was_opened_goes_on(visitor: Visitor) -> None:
    visitor.fills_in()
    Attempt.objects.update(page_ref="", started_at=timezone.now() - timedelta(minutes=5))
    HostedPage.objects.all().delete()
    later(minutes=3)
    assert Attempt.objects.get().state == "not_charged"
    visitor.opens()
    visitor.sends()
    assert THANKS in visitor.pays()
    assert (Invoice.objects.get().status, Attempt.objects.count()) == ("closed", 2)


def test_what_can_no_longer_be_begun_is_told_and_the_money_is_booked(
    visitor: Visitor, form: OrderForm
) -> None:
    form.items.update(product=(sold := club(trial_days=14, trial_price=5)))
    visitor.fills_in()
    Product.objects.filter(pk=sold.pk).update(currency="EUR")
    Submission.objects.update(terms={})  # of before it was kept what is agreed to
    assert THANKS in visitor.pays()
    invoice = Invoice.objects.get()
    assert (invoice.status, Order.objects.count()) == ("closed", 0)
    assert "Begin it by hand" in invoice.events.get(action="order_not_begun").text


def test_the_timeline_tells_where_it_was_ordered(visitor: Visitor, form: OrderForm) -> None:
    visitor.orders()
    told = Event.objects.filter(invoice=Invoice.objects.get()).order_by("id")
    assert [event.action for event in told] == ["order_placed", "issue", "charge_approved"]
    assert form.title in told[0].text
