"""Every status, action and role, by address: what is offered works, what is not changes nothing."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from billing.actions import ACTIONS, STEPS
from billing.models import Event, Invoice, Mail, Payment
from billing.roles import ROLES
from billing.statuses import InvoiceStatus
from tests.factories import InvoiceFactory, UserFactory

pytestmark = pytest.mark.django_db

D, N, C, P, X, R, V, W = (
    InvoiceStatus.DRAFT,
    InvoiceStatus.OPEN,
    InvoiceStatus.COLLECTIONS,
    InvoiceStatus.CLOSED,
    InvoiceStatus.DECLINED,
    InvoiceStatus.REFUNDED,
    InvoiceStatus.VOIDED,
    InvoiceStatus.WRITTEN_OFF,
)
PRODUCT_TABLE = {
    "pay": {N, C},
    "edit": {D, N},
    "request_payment": {N, C},
    "send_receipt": {C, P, X, R, V, W},
    "refund": {P},
    "void": {N, C, P, X, R, W},
    "write_off": {N, C},
    "rerun_commissions": {P},
    "export": {D, N, C, P, X, R, V, W},
    "delete": {D},
    "copy_invoice_link": {N, C, P},
    "copy_pay_link": {N, C},
}
"""The product's own table, written out a second time on purpose: the code's may not drift from it."""

SUPPORT = {
    "pay",
    "edit",
    "request_payment",
    "send_receipt",
    "delete",
    "copy_invoice_link",
    "copy_pay_link",
}
MAY = {
    "Viewer": set(),
    "Support": SUPPORT,
    "Billing manager": set(PRODUCT_TABLE),
    "Administrator": set(PRODUCT_TABLE),
}
ASKED: dict[str, dict[str, str]] = {
    "pay": {"source": "cash", "amount": "100"},
    "request_payment": {"recipient": "ada@example.com"},
    "send_receipt": {"recipient": "ada@example.com"},
    "refund": {"amount": "100", "route": "recorded"},
}
BECOMES = {"pay": P, "refund": R, "void": V, "write_off": W}
DECLINE_STEPS = ["mark_unpaid", "run_collections"]
READS = {"edit", "export", "copy_invoice_link", "copy_pay_link"}
"""Actions whose address shows a page, a file or a link; they change nothing by being opened."""


def everything() -> dict[str, Any]:
    return {
        "invoices": list(Invoice.objects.order_by("pk").values()),
        "payments": list(Payment.objects.order_by("pk").values()),
        "mails": list(Mail.objects.order_by("pk").values()),
        "events": list(Event.objects.order_by("pk").values()),
    }


def test_the_code_holds_the_product_table_in_its_order() -> None:
    assert {name: set(action.on) for name, action in ACTIONS.items()} == PRODUCT_TABLE
    assert list(ACTIONS) == list(PRODUCT_TABLE)


def test_no_role_but_the_four_is_declared() -> None:
    assert list(ROLES) == list(MAY)


@pytest.mark.parametrize("role", MAY)
@pytest.mark.parametrize("action", PRODUCT_TABLE)
@pytest.mark.parametrize("status", InvoiceStatus)
def test_an_action_works_exactly_where_the_table_and_the_role_offer_it(
    client: Client, status: InvoiceStatus, action: str, role: str
) -> None:
    user: User = UserFactory.create(role=role)
    invoice: Invoice = InvoiceFactory.create(status=status)
    client.force_login(user)
    before = everything()
    url = f"/invoices/{invoice.pk}/{action}/"

    offered = status in PRODUCT_TABLE[action] and action in MAY[role]
    assert offered == (action in [each.name for each in invoice.available_actions(user)])

    response = client.get(url) if action in READS else client.post(url, ASKED.get(action, {}))

    if not offered:
        assert response.status_code == (403 if action not in MAY[role] else 409)
        assert everything() == before
        refusal = str(invoice.refusal(ACTIONS[action], user))
        assert refusal in response.content.decode()
        return
    if action in READS:
        assert response.status_code == 200
        return
    assert response.status_code == 302, response.content.decode()
    after = Invoice.objects.filter(pk=invoice.pk).first()
    if action == "delete":
        assert after is None
    else:
        assert after is not None
        assert after.status == BECOMES.get(action, status)
    assert Event.objects.filter(action=action, actor=user).count() == 1


@pytest.mark.parametrize("name", DECLINE_STEPS)
@pytest.mark.parametrize("status", InvoiceStatus)
def test_a_choice_after_a_decline_is_refused_where_its_line_does_not_offer_it(
    client: Client, status: InvoiceStatus, name: str
) -> None:
    client.force_login(UserFactory.create(role="Support"))
    invoice = InvoiceFactory.create(status=status)

    response = client.post(f"/invoices/{invoice.pk}/{name}/")

    assert response.status_code == (302 if status in STEPS[name].on else 409)


def test_the_row_menu_holds_what_is_offered_and_nothing_else(client: Client) -> None:
    user = UserFactory.create(role="Billing manager")
    client.force_login(user)
    invoice = InvoiceFactory.create(status=N)

    page = client.get(reverse("billing:purchases", args=[invoice.contact_id])).content.decode()

    offered = {name for name in PRODUCT_TABLE if f'href="/invoices/{invoice.pk}/{name}/' in page}
    assert offered == {action.name for action in invoice.available_actions(user)}


def test_why_not_says_the_sentence_of_every_action_that_is_missing(client: Client) -> None:
    client.force_login(UserFactory.create(role="Support"))
    invoice = InvoiceFactory.create(status=P)

    page = client.get(f"/invoices/{invoice.pk}/why-not/").content.decode()

    assert f"{invoice.number} is Closed: only Open and Collections invoices can be written off." not in page
    assert "Your role does not include “Write off”; it takes Billing manager or Administrator." in page
    assert f"{invoice.number} is Closed: only Open and Collections invoices can be paid." in page


def test_an_action_that_does_not_exist_is_not_found(client: Client) -> None:
    client.force_login(UserFactory.create(role="Administrator"))
    invoice = InvoiceFactory.create()

    for name in ("rerun_commission", "issue", "close", "__class__"):
        assert client.post(f"/invoices/{invoice.pk}/{name}/").status_code == 404


def test_a_stranger_is_led_to_the_sign_in(client: Client) -> None:
    invoice = InvoiceFactory.create()

    response = client.post(f"/invoices/{invoice.pk}/void/")

    assert response.status_code == 302
    assert response.headers["Location"].startswith("/login/")
    invoice.refresh_from_db()
    assert invoice.status == N
