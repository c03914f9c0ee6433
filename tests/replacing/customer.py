"""What a customer does whose card failed: open the link, press the button, type a card, come back."""

from __future__ import annotations

from datetime import timedelta

from django.test import Client
from django.utils import timezone

from billing.models import CardPage, Invoice, Order
from billing.tasks import charge_due_invoices
from tests.factories import APPROVES, DECLINES, OrderFactory
from tests.public.customer import HOME


class Customer:
    """A browser at one address, without a sign-in."""

    def __init__(self, order: Order, address: str = HOME) -> None:
        self.client, self.path = Client(REMOTE_ADDR=address), f"/card/{order.token}/"

    def opens(self) -> str:
        return self._reads(self.client.get(self.path))

    def presses(self) -> str:
        """The address to which the button leads, or the words of the refusal."""
        answer = self.client.post(self.path)
        words = self._reads(answer)
        return str(answer.headers["Location"]) if self.status == 302 else words

    def types_card(self, page: str, number: str = APPROVES) -> str:
        """The address that the gateway sends the customer to; empty when it sends nobody anywhere."""
        card = {"number": number, "exp_month": "11", "exp_year": "40", "cvc": "918", "holder": "Ada"}
        return str(self.client.post(page, card).headers.get("Location", ""))

    def comes_back(self, url: str) -> str:
        return self._reads(self.client.get(url))

    def replaces_the_card(self, number: str = APPROVES) -> str:
        """The page on which the whole journey ends."""
        return self.comes_back(self.types_card(self.presses(), number))

    def _reads(self, answer: object) -> str:
        self.answer = answer
        self.status: int = answer.status_code  # type: ignore[attr-defined]
        return str(answer.content.decode())  # type: ignore[attr-defined]


def failed_order(**given: object) -> tuple[Order, Invoice]:
    """An order whose card was declined for its first payment, which is in Collections."""
    order = OrderFactory.create(**{"number": DECLINES, **given})
    assert order.next_charge_at
    Order.bill_next(order.next_charge_at)
    charge_due_invoices(order.next_charge_at + timedelta(minutes=1))
    order.refresh_from_db()
    return order, order.invoices.get()


def page_of(order: Order) -> CardPage:
    return order.card_pages.latest("pk")


def way_back(order: Order) -> str:
    """The address to which the gateway returns the customer of the order's latest page."""
    return f"/card/{order.token}/return/?page={page_of(order).key}"


def fresh(order: Order) -> Order:
    return Order.objects.select_related("card").get(pk=order.pk)


def typed() -> tuple[Order, CardPage]:
    """A card that was typed at the gateway, and of which nobody has told the desk."""
    order, _ = failed_order()
    customer = Customer(order)
    customer.types_card(customer.presses())
    return order, page_of(order)


def take(page: CardPage) -> None:
    CardPage.objects.get(pk=page.pk).take(at=timezone.now())
