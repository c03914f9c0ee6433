"""Clicks in the same moment, and what others did between reading and writing."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any
from unittest.mock import patch
from uuid import uuid4

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from billing.gateways import NoAnswer
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import HostedPage
from billing.models import Attempt, Card, CardPage, Invoice, Order, OrderForm, Payment, Submission
from billing.models.guard import NotOffered
from billing.models.selling.buyer import fill_in
from billing.models.selling.submission import GIVEN_UP_AFTER, Sent
from contacts.models import Contact
from tests.attempts.locks import no_locks, race
from tests.factories import (
    APPROVES,
    ContactFactory,
    CouponFactory,
    OrderFormFactory,
    ProductFactory,
    SubmissionFactory,
)
from tests.gateways.races import at_once
from tests.orderforms.visitor import Visitor

in_threads = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]
BACK = "https://desk.example.com/"


def sent(email: str = "ada@example.com", **typed: str) -> Callable[..., Sent]:
    def made(form: Any) -> Sent:
        return Sent(
            {"name": "Ada Lovelace", "email": email, **typed},
            form.basket(form.offers(), {item.pk: 1 for item in form.items.all()}),
            at=timezone.now(),
        )

    return made


@pytest.mark.django_db(transaction=True)
def test_eight_clicks_at_once_are_one_order_with_one_page() -> None:
    form, visit = OrderFormFactory.create(), uuid4()

    def click() -> str:
        order = Submission.send(form, visit, sent()(form))
        return order.lead_on(back=BACK, at=timezone.now())

    pages = set(at_once(click))
    assert pages == {f"/sandbox/pages/{HostedPage.objects.get().ref}/"}
    assert (Invoice.objects.count(), Attempt.objects.count(), Contact.objects.count()) == (1, 1, 1)


@pytest.mark.django_db(transaction=True)
def test_eight_clicks_at_once_with_the_last_coupon_are_one_order() -> None:
    CouponFactory.create(code="LAST", total_available=1)
    form, visit = OrderFormFactory.create(), uuid4()
    orders = at_once(lambda: Submission.send(form, visit, sent(coupon="LAST")(form)).pk)
    assert set(orders) == {Submission.objects.get().pk}


@pytest.mark.django_db(transaction=True)
def test_eight_orders_at_once_with_one_new_address_make_one_contact() -> None:
    form = OrderFormFactory.create()
    orders = at_once(lambda: Submission.send(form, uuid4(), sent()(form)))
    assert len({order.pk for order in orders}) == 8
    assert {order.invoice.contact_id for order in orders} == {Contact.objects.get().pk}


# -- the copy that was read before


def paid(order: Submission) -> None:
    """The visitor pays, and somebody else's copy learns of it."""
    page = order.lead_on(back=BACK, at=timezone.now())
    Visitor(order.form).types_card(page, APPROVES)
    Attempt.objects.get().ask(at=timezone.now())
    assert Payment.objects.count() == 1


@pytest.mark.django_db
def test_an_order_that_was_paid_after_it_was_read_is_not_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    order = SubmissionFactory.create()
    stale = Submission.objects.with_invoice().get(pk=order.pk)
    monkeypatch.setattr(Attempt, "close_page", lambda self, at: paid(order))
    assert stale.change(sent(company="Engines")(order.form)).is_accepted
    assert (Invoice.objects.get().status, Invoice.objects.get().contact.company) == ("closed", "")


@pytest.mark.django_db
def test_an_order_that_was_paid_after_it_was_read_is_not_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    order = SubmissionFactory.create()
    stale = Submission.objects.with_invoice().get(pk=order.pk)
    monkeypatch.setattr(Submission, "look", lambda self, at: paid(order))
    stale.look_after(at=timezone.now() + GIVEN_UP_AFTER + timedelta(hours=1))
    assert Invoice.objects.get().status == "closed"


@pytest.mark.django_db
def test_a_card_that_is_told_of_twice_begins_one_order() -> None:
    trial = ProductFactory.create(sold_as="subscription", trial_days=7)
    order = SubmissionFactory.create(form__products=[trial])
    copies = [Submission.objects.with_invoice().get(pk=order.pk) for _ in range(2)]
    Visitor(order.form).types_card(order.lead_on(back=BACK, at=timezone.now()))
    CardPage.objects.get().take(at=timezone.now())
    for copy in copies:
        copy.take_card(Card.objects.get(), at=timezone.now())
    assert (Order.objects.count(), Invoice.objects.get().mails.count()) == (1, 1)


@pytest.mark.django_db
def test_a_card_is_not_charged_for_an_order_that_became_another_contacts_after_it_was_read() -> None:
    trial = ProductFactory.create(sold_as="subscription", trial_days=7)
    order = SubmissionFactory.create(form__products=[trial], email="ada@example.com")
    Visitor(order.form).types_card(order.lead_on(back=BACK, at=timezone.now()))
    stale = Submission.objects.with_invoice().get(pk=order.pk)
    order.change(sent("bob@example.com")(order.form))
    stale.look(at=timezone.now())
    assert not stale.is_finished
    assert (Card.objects.get().contact.email, Order.objects.count()) == ("ada@example.com", 0)
    Visitor(order.form).types_card(order.lead_on(back=BACK, at=timezone.now()))
    order.look(at=timezone.now())
    begun = Order.objects.get()
    assert begun.card
    assert begun.card.contact == begun.contact == order.invoice.contact


@pytest.mark.django_db
def test_what_was_filled_in_after_the_contact_was_read_is_kept() -> None:
    contact = ContactFactory.create(email="ada@example.com")
    order = SubmissionFactory.create(email="ada@example.com")
    assert order.invoice.contact.phone == ""
    Contact.objects.filter(pk=contact.pk).update(phone="555 0199")
    fill_in(order.invoice, {"email": contact.email, "name": contact.name, "phone": "555 0100"})
    contact.refresh_from_db()
    assert contact.phone == "555 0199"


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("is_locked", [True, False])
def test_two_orders_fill_a_contact_in_one_after_the_other(is_locked: bool) -> None:
    contact = ContactFactory.create(email="ada@example.com")
    orders = [SubmissionFactory.create(email="ada@example.com") for _ in range(2)]

    def fills(order: Submission, phone: str) -> Callable[[], None]:
        def fill() -> None:
            with transaction.atomic():
                fill_in(order.invoice, {"email": contact.email, "name": contact.name, "phone": phone})

        return fill

    deeds = fills(orders[0], "555 0100"), fills(orders[1], "555 0101")
    if is_locked:
        race(*deeds, owner=Contact, call="refresh_from_db")
    else:
        with no_locks():
            race(*deeds, owner=Contact, call="refresh_from_db")
    told = contact.events.filter(action="order_details_differ").count()
    assert told == (1 if is_locked else 0)


# -- a change


def one_of(form: OrderForm, place: int, **typed: str) -> Sent:
    """One of what stands at that place on the form."""
    items = list(form.items.order_by("position"))
    basket = form.basket(form.offers(), {items[place].pk: 1})
    return Sent({"name": "Ada", "email": "ada@example.com", **typed}, basket, at=timezone.now())


@pytest.mark.django_db
@pytest.mark.parametrize("place", [1, 2])
def test_an_order_is_not_changed_to_one_that_costs_nothing_while_its_page_could_not_be_closed(
    place: int,
) -> None:
    products = [
        ProductFactory.create(),
        ProductFactory.create(sold_as="subscription", trial_days=14),
        ProductFactory.create(price=0),
    ]
    form, visit = OrderFormFactory.create(products=products, least=0), uuid4()
    Submission.send(form, visit, one_of(form, 0)).lead_on(back=BACK, at=timezone.now())
    with patch.object(SandboxGateway, "expire_page", side_effect=NoAnswer), pytest.raises(NotOffered):
        Submission.send(form, visit, one_of(form, place))
    assert Submission.objects.get().invoice.total == 25


@pytest.mark.postgres
@pytest.mark.django_db(transaction=True)
def test_a_late_second_click_and_a_change_of_the_order_do_not_wait_for_each_other_for_ever() -> None:
    form, visit = OrderFormFactory.create(), uuid4()
    CouponFactory.create(code="SPRING", percent=10)
    order = Submission.send(form, visit, one_of(form, 0, coupon="SPRING"))
    again = one_of(form, 0, coupon="SPRING")

    def late_click() -> None:
        with suppress(IntegrityError):
            Submission._begin(form, visit, again)

    order = Submission.objects.with_invoice().get()
    changed = one_of(form, 0)
    assert race(lambda: order.change(changed), late_click, owner=Submission, call="save") == ("done", "done")
