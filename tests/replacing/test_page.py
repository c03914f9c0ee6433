"""The page on which a customer replaces a card: what it shows, what it does, and what it never loses."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from billing.gateways import NoAnswer
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.models import Card, CardPage, Event, Order
from billing.models.card_page import ASKED_EVERY, GIVEN_UP_AFTER
from billing.models.guard import Stale
from billing.statuses import InvoiceStatus, OrderStatus, PastDue
from billing.tasks import charge_due_invoices, take_cards
from tests.factories import DECLINES, CardFactory, ContactFactory, OrderFactory, UserFactory
from tests.public.customer import CAFE, HOME
from tests.replacing.customer import Customer, failed_order, fresh, page_of, take, typed, way_back

pytestmark = pytest.mark.django_db
REFUSED = "4000000000000002"
SECOND = "5555555555554444"


def test_the_page_says_which_card_failed_for_what_and_what_a_new_one_is_charged() -> None:
    order, invoice = failed_order()
    words = Customer(order).opens()
    for expected in ("Visa •• 0341", "expires 12/40", "Garden club", "$30.00 every month", str(invoice)):
        assert expected in words, expected
    assert "The bank declined this card and gave no reason." in words
    assert "A new card is charged at once" in words


def test_it_is_kept_nowhere_and_found_by_no_search_engine() -> None:
    customer = Customer(OrderFactory.create())
    customer.opens()
    answer: Any = customer.answer
    assert "no-store" in answer.headers["Cache-Control"]
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert Client().get("/card/no-such-link/").status_code == 404


def test_a_new_card_takes_the_place_of_the_old_one_and_pays_what_is_owed() -> None:
    order, invoice = failed_order()
    old = order.card
    words = Customer(order).replaces_the_card()
    assert "Thank you: your new card is stored" in words
    assert "Visa •• 4242 is charged from now on for:" in words
    now = fresh(order)
    assert now.card
    assert (now.card.last4, now.card.is_default) == ("4242", True)
    assert old
    assert Card.objects.get(pk=old.pk).removed_at is None
    event = Event.objects.get(action="replace_card")
    assert (event.order, event.contact, event.actor) == (order, order.contact, None)
    assert event.text == (
        f"The customer stored a new card: Visa •• 0341 → Visa •• 4242. Charged again: {invoice}."
    )
    charge_due_invoices(timezone.now() + timedelta(seconds=1))
    invoice.refresh_from_db()
    assert invoice.status == InvoiceStatus.CLOSED
    assert fresh(order).status == OrderStatus.ACTIVE
    assert invoice.payments.get(status="applied").card == now.card


def test_every_order_on_the_card_is_charged_to_the_new_one_and_no_other() -> None:
    order, _ = failed_order()
    alike = OrderFactory.create(contact=order.contact, number="")
    resting = OrderFactory.create(contact=order.contact, number="")
    ended = OrderFactory.create(contact=order.contact, number="")
    Order.objects.filter(pk__in=[alike.pk, resting.pk, ended.pk]).update(card=order.card)
    fresh(resting).pause(None)
    fresh(ended).cancel(None, past_due=PastDue.LEAVE, reason="")
    other = OrderFactory.create(contact=order.contact)
    Customer(order).replaces_the_card()
    assert fresh(alike).card == fresh(resting).card == fresh(order).card != order.card
    assert fresh(ended).card == order.card
    assert fresh(other).card == other.card
    assert Event.objects.filter(action="replace_card").count() == 3


def test_a_card_that_was_not_the_default_is_replaced_by_one_that_is_not() -> None:
    default = CardFactory.create(number=SECOND)
    order, _ = failed_order(contact=default.contact)
    Customer(order).replaces_the_card()
    default.refresh_from_db()
    card = fresh(order).card
    assert card
    assert (default.is_default, card.is_default) == (True, False)


def test_an_order_that_ended_and_still_owes_is_charged_to_the_new_card() -> None:
    order, invoice = failed_order()
    order.cancel(None, past_due=PastDue.LEAVE, reason="")
    Customer(order).replaces_the_card()
    charge_due_invoices(timezone.now() + timedelta(seconds=1))
    invoice.refresh_from_db()
    assert invoice.status == InvoiceStatus.CLOSED


def test_an_order_that_ended_takes_no_card() -> None:
    order = OrderFactory.create(status=OrderStatus.CANCELLED)
    customer = Customer(order)
    words = customer.opens()
    assert (customer.status, "has ended, and no card is charged for it" in words) == (200, True)
    assert "<form" not in words
    customer.presses()
    assert customer.status == 409
    assert not CardPage.objects.exists()


def test_a_card_that_was_typed_while_the_order_was_ended_is_kept_all_the_same() -> None:
    order = OrderFactory.create(number=DECLINES)
    customer = Customer(order)
    back = customer.types_card(customer.presses())
    order.cancel(None, past_due=PastDue.LEAVE, reason="")
    assert "Visa •• 4242 is on file." in customer.comes_back(back)
    assert order.contact.cards.filter(last4="4242").exists()
    assert fresh(order).card == order.card
    assert "was added by the customer" in Event.objects.get(action="add_card").text


def test_an_order_without_a_card_is_charged_from_then_on() -> None:
    order, _ = failed_order(number="")
    customer = Customer(order)
    assert "No card is charged for this yet" in customer.opens()
    customer.replaces_the_card()
    assert fresh(order).card


# -- once, and never lost


def test_two_tabs_share_one_page_and_bring_one_card() -> None:
    order, _ = failed_order()
    customer = Customer(order)
    first, second = customer.presses(), customer.presses()
    assert first == second
    back = customer.types_card(first)
    for _ in range(2):
        assert "your new card is stored" in customer.comes_back(back)
    assert order.contact.cards.count() == 2
    assert Event.objects.filter(action="replace_card").count() == 1


def test_a_card_that_is_refused_at_the_gateway_leaves_the_page_open() -> None:
    order, _ = failed_order()
    customer = Customer(order)
    page = customer.presses()
    assert customer.types_card(page, REFUSED) == ""
    assert "No new card is stored yet" in customer.comes_back(way_back(order))
    assert customer.presses() == page
    assert customer.types_card(page) != ""


def test_who_presses_again_after_typing_a_card_is_led_to_what_became_of_it() -> None:
    order, _ = failed_order()
    customer = Customer(order)
    customer.types_card(customer.presses())
    again = customer.presses()
    assert again.endswith(way_back(order))
    assert "your new card is stored" in customer.comes_back(again)
    assert CardPage.objects.count() == 1
    assert "/sandbox/pages/" in customer.presses()  # now another one may be stored


def test_a_card_is_put_in_place_though_its_browser_never_came_back() -> None:
    order, invoice = failed_order()
    customer = Customer(order)
    customer.types_card(customer.presses())
    now = timezone.now()
    assert take_cards(now) == {}
    assert take_cards(now + ASKED_EVERY + timedelta(minutes=1)) == {"stored": 1}
    assert fresh(order).card != order.card
    invoice.refresh_from_db()
    assert invoice.charge_due_at
    assert take_cards(now + timedelta(days=1)) == {}


def test_a_page_is_asked_about_until_it_ends() -> None:
    order, _ = failed_order()
    Customer(order).presses()
    now = timezone.now() + ASKED_EVERY
    assert take_cards(now + timedelta(minutes=1)) == {"waiting": 1}
    assert take_cards(now + timedelta(minutes=2)) == {}
    assert take_cards(now + GIVEN_UP_AFTER) == {"waiting": 1}
    page = page_of(order)
    assert page.ended_at
    assert (page.due_at, page.card) == (None, None)


def test_a_payment_that_is_asked_for_at_this_moment_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its invoice would have to be locked before the order: the card is put in place on a second try."""
    order, page = typed()
    look, looks = Order._owed_on, []

    def asked_for_meanwhile(self: Order, orders: list[Order]) -> list[object]:
        found = look(self, orders)
        looks.append(found)
        return found[:-1] if len(looks) == 1 else found  # type: ignore[return-value]

    monkeypatch.setattr(Order, "_owed_on", asked_for_meanwhile)
    take(page)
    assert len(looks) == 4
    assert fresh(order).card != order.card


def test_a_card_that_never_finds_its_order_at_rest_stays_to_be_told_of(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    order, page = typed()

    def restless(self: Order) -> list[Order]:
        raise Stale("It changed.")

    with monkeypatch.context() as busy:
        busy.setattr(Order, "_lock_alike", restless)
        with pytest.raises(Stale):
            take(page)
    assert order.contact.cards.count() == 1
    take(page)
    assert fresh(order).card != order.card


def test_a_silent_gateway_loses_no_card_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    order, _ = failed_order()
    customer = Customer(order)
    back = customer.types_card(customer.presses())
    with monkeypatch.context() as silence:
        for name in ("page_result", "card_page"):
            silence.setattr(SandboxGateway, name, silent)
        words = customer.comes_back(back)
        assert (customer.status, "A card that you have typed there is not lost" in words) == (409, True)
        words = customer.presses()
        assert (customer.status, "did not answer, so no card can be stored just now" in words) == (409, True)
        assert "<form" in words
        assert take_cards(timezone.now() + ASKED_EVERY + timedelta(minutes=1)) == {"failed": 1}
    assert "your new card is stored" in customer.comes_back(back)


def test_a_gateway_that_refuses_to_open_a_page_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    order, _ = failed_order()
    customer = Customer(order)
    with monkeypatch.context() as broken:
        broken.setattr(SandboxGateway, "card_page", refusing)
        customer.presses()
    assert page_of(order).ended_at
    assert "your new card is stored" in customer.replaces_the_card()


def silent(*args: object, **kwargs: object) -> None:
    raise NoAnswer("The line is dead.")


def refusing(*args: object, **kwargs: object) -> None:
    raise ValueError("This account may store no cards.")


def test_somebody_elses_page_is_not_found_by_this_link() -> None:
    order, _ = failed_order()
    other = OrderFactory.create()
    customer = Customer(order)
    customer.types_card(customer.presses())
    key = page_of(order).key
    for address in (f"/card/{other.token}/return/?page={key}", f"/card/{order.token}/return/?page=x"):
        assert Client().get(address).status_code == 302
    assert fresh(order).card == order.card


# -- who comes, and how often


def test_the_opening_is_noted_once_an_hour_unless_staff_opens_the_link(client: Client) -> None:
    order = OrderFactory.create()
    client.force_login(UserFactory.create(role="Support"))
    client.get(f"/card/{order.token}/")
    Client().head(f"/card/{order.token}/")
    assert not Event.objects.filter(action="card_page_opened").exists()
    for _ in range(2):
        Customer(order).opens()
    assert Event.objects.filter(action="card_page_opened", order=order).count() == 1


def test_looking_changes_nothing_but_the_timeline() -> None:
    order, _ = failed_order()
    Customer(order).opens()
    assert not CardPage.objects.exists()
    assert fresh(order).version == order.version
    assert Card.objects.count() == 1


def test_after_five_cards_in_an_hour_the_link_is_closed_for_an_hour() -> None:
    order, _ = failed_order()
    for _ in range(5):
        Customer(order, HOME).replaces_the_card()
    customer = Customer(order, CAFE)
    words = customer.presses()
    assert (customer.status, "Five cards were tried here within an hour" in words) == (429, True)
    assert "<form" not in customer.opens()
    CardPage.objects.update(ended_at=timezone.now() - timedelta(minutes=61))
    assert "your new card is stored" in customer.replaces_the_card()


def test_after_five_cards_from_one_address_every_link_is_closed_to_it() -> None:
    for _ in range(5):
        Customer(OrderFactory.create()).replaces_the_card()
    customer = Customer(OrderFactory.create())
    customer.presses()
    assert customer.status == 429
    assert "/sandbox/" in Customer(OrderFactory.create(contact=ContactFactory.create()), CAFE).presses()
