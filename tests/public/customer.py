"""What a customer does: open a link, press Pay, type a card at the gateway, come back."""

from __future__ import annotations

from django.test import Client

from billing.models import Invoice
from tests.factories import APPROVES, DECLINES

HOME = "81.2.69.142"
CAFE = "81.2.69.160"
AUTHENTICATES = "4000002760003184"
CHARGED_LOST = "4000000000000119"

__all__ = ["APPROVES", "AUTHENTICATES", "CAFE", "CHARGED_LOST", "DECLINES", "HOME", "Customer", "way_back"]


class Customer:
    """A browser at one address, without a sign-in."""

    def __init__(self, address: str = HOME) -> None:
        self.client = Client(REMOTE_ADDR=address)

    def opens(self, path: str, invoice: Invoice) -> str:
        answer = self.client.get(f"{path.replace('TOKEN', invoice.token)}")
        self.status = answer.status_code
        return str(answer.content.decode(errors="replace"))

    def presses_pay(self, invoice: Invoice, **form: str) -> str:
        """The address of the gateway's page, or the words of the refusal."""
        answer = self.client.post(f"/pay/{invoice.token}/", form)
        self.status, self.answer = answer.status_code, answer
        return str(answer["Location"] if answer.status_code == 302 else answer.content.decode())

    def types_card(self, page: str, number: str = APPROVES) -> str:
        """The address that the gateway sends the customer to; empty when it sends nobody anywhere."""
        card = {"number": number, "exp_month": "11", "exp_year": "40", "cvc": "918", "holder": "Ada"}
        answer = self.client.post(page, card)
        return str(answer.headers.get("Location", ""))

    def comes_back(self, url: str) -> str:
        answer = self.client.get(url)
        self.status = answer.status_code
        return str(answer.content.decode(errors="replace"))

    def pays(self, invoice: Invoice, number: str = APPROVES, **form: str) -> str:
        """The page on which the whole journey ends."""
        page = self.presses_pay(invoice, **form)
        return self.comes_back(self.types_card(page, number)) if self.status == 302 else page


def way_back(invoice: Invoice) -> str:
    """The address to which the gateway returns the customer of the invoice's latest page."""
    return f"/pay/{invoice.token}/return/?attempt={invoice.attempts.latest('id').key}"
