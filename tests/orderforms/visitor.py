"""What a visitor does: open an order form, fill it in, press the button, type a card, come back."""

from __future__ import annotations

import re
from typing import Any

from django.test import Client

from billing.models import OrderForm
from tests.factories import APPROVES, DECLINES
from tests.public.customer import AUTHENTICATES, CAFE, CHARGED_LOST, HOME

__all__ = ["APPROVES", "AUTHENTICATES", "CAFE", "CHARGED_LOST", "DECLINES", "HOME", "Visitor"]

VALUE = re.compile(r'<input[^>]*\bname="([\w-]+)"[^>]*>')
ADA = {"name": "Ada Lovelace", "email": "ada@example.com"}
THANKS = "Thank you for your order"
REFUSED = "The card was declined"


class Visitor:
    """A browser at one address, without a sign-in. ``text`` is the page that it shows."""

    def __init__(self, form: OrderForm, address: str = HOME) -> None:
        self.form = form
        self.client = Client(REMOTE_ADDR=address)
        self.text, self.status, self.url = "", 0, ""

    @property
    def path(self) -> str:
        return f"/order/{self.form.slug}/"

    def opens(self, query: str = "") -> str:
        return self._shown(self.client.get(self.path + query))

    def _shown(self, answer: Any) -> str:
        self.status, self.answer = answer.status_code, answer
        self.text = answer.content.decode()
        return self.text

    @property
    def fields(self) -> dict[str, str]:
        """What the page would send as it stands."""
        sent = {}
        for found in VALUE.finditer(self.text):
            value = re.search(r'\bvalue="([^"]*)"', found[0])
            sent[found[1]] = value[1] if value else ""
        return {name: value for name, value in sent.items() if name != "csrfmiddlewaretoken"}

    def sends(self, do: str = "order", **typed: str) -> str:
        """The address of the gateway's page; empty when the visitor is led nowhere."""
        sent = {**self.fields, **{name.replace("__", "-"): value for name, value in typed.items()}, "do": do}
        answer = self.client.post(self.path, sent)
        self.url = str(answer.headers.get("Location", ""))
        if not self.url:
            self._shown(answer)
        self.status, self.answer = answer.status_code, answer
        return self.url

    def fills_in(self, query: str = "", **typed: str) -> str:
        """Opens the form and sends it as Ada, or as ``typed``."""
        self.opens(query)
        return self.sends(**{**ADA, **typed})

    def types_card(self, page: str, number: str = APPROVES) -> str:
        """The address that the gateway sends the visitor to; empty when it sends nobody anywhere."""
        card = {"number": number, "exp_month": "11", "exp_year": "40", "cvc": "918", "holder": "Ada"}
        return str(self.client.post(page, card).headers.get("Location", ""))

    def goes_to(self, url: str) -> str:
        return self._shown(self.client.get(url))

    def pays(self, number: str = APPROVES) -> str:
        """Types a card on the page that the form led to, and comes back."""
        return self.goes_to(self.types_card(self.url, number))

    def orders(self, number: str = APPROVES, **typed: str) -> str:
        """The page on which the whole journey ends."""
        self.fills_in(**typed)
        return self.pays(number) if self.url else self.text
