"""Every status, action and role of an order, by address: what is offered works, the rest changes nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from billing import checks
from billing.actions import ORDER_ACTIONS
from billing.forms.orders import ORDER_FORMS
from billing.models import Event, Invoice, Order
from billing.statuses import OrderStatus as S
from billing.tasks import tick
from tests.factories import DECLINES, OrderFactory, UserFactory

pytestmark = pytest.mark.django_db

OPEN = {S.ACTIVE, S.PAST_DUE, S.PAUSED}
PRODUCT_TABLE = {
    "edit": OPEN,
    "change_card": OPEN,
    "pause": {S.ACTIVE, S.PAST_DUE},
    "resume": {S.PAUSED},
    "cancel": OPEN,
}
MAY = {
    "Viewer": set[str](),
    "Support": set(PRODUCT_TABLE),
    "Billing manager": set(PRODUCT_TABLE),
    "Administrator": set(PRODUCT_TABLE),
}
ASKED: dict[str, dict[str, str]] = {
    "edit": {"description": "Club", "quantity": "1", "unit_price": "20", "missed": "every"},
    "change_card": {"card": "none"},
    "cancel": {"past_due": "leave"},
}
BECOMES = {"pause": S.PAUSED, "resume": S.ACTIVE, "cancel": S.CANCELLED}


def everything() -> dict[str, Any]:
    kinds = (Order, Invoice, Event)
    return {kind.__name__: list(kind._default_manager.order_by("pk").values()) for kind in kinds}


def test_the_code_holds_the_product_table_in_its_order() -> None:
    assert {name: set(action.on) for name, action in ORDER_ACTIONS.items()} == PRODUCT_TABLE
    assert list(ORDER_ACTIONS) == list(PRODUCT_TABLE)


@pytest.mark.parametrize("role", MAY)
@pytest.mark.parametrize("action", PRODUCT_TABLE)
@pytest.mark.parametrize("status", S)
def test_an_action_works_exactly_where_the_table_and_the_role_offer_it(
    client: Client, status: S, action: str, role: str
) -> None:
    user: User = UserFactory.create(role=role)
    order: Order = OrderFactory.create(status=status, payments=2 if status == S.COMPLETED else None)
    client.force_login(user)
    before = everything()
    offered = status in PRODUCT_TABLE[action] and action in MAY[role]
    assert offered == (action in [each.name for each in order.available_actions(user)])

    response = client.post(f"/orders/{order.pk}/{action}/", ASKED.get(action, {}))

    if not offered:
        assert response.status_code == (403 if action not in MAY[role] else 409)
        assert everything() == before
        assert str(order.refusal(ORDER_ACTIONS[action], user)) in response.content.decode()
        return
    assert response.status_code == 302, response.content.decode()
    order.refresh_from_db()
    assert order.status == BECOMES.get(action, status)
    assert Event.objects.filter(action=action, actor=user, order=order).count() == 1


def test_forgiving_takes_a_role_that_may_write_off(client: Client) -> None:
    order = OrderFactory.create(number=DECLINES)
    tick(datetime(2026, 3, 31, tzinfo=UTC))
    client.force_login(UserFactory.create(role="Support"))
    before = everything()
    assert (
        "Forgiving takes a role that may write off"
        in client.get(f"/orders/{order.pk}/cancel/").content.decode()
    )
    response = client.post(f"/orders/{order.pk}/cancel/", {"past_due": "forgive"})
    assert response.status_code == 403
    assert "“Write off”; it takes Billing manager or Administrator." in response.content.decode()
    assert everything() == before

    client.force_login(UserFactory.create(role="Billing manager"))
    assert client.post(f"/orders/{order.pk}/cancel/", {"past_due": "forgive"}).status_code == 302
    assert Invoice.objects.get().status == "written_off"


def test_a_plan_that_has_asked_for_everything_has_nothing_to_pause(client: Client) -> None:
    order = OrderFactory.create(payments=1, number=DECLINES)
    tick(datetime(2026, 3, 31, tzinfo=UTC))
    client.force_login(UserFactory.create(role="Support"))
    response = client.post(f"/orders/{order.pk}/pause/")
    assert response.status_code == 409
    assert f"Payment plan {order.pk} has asked for its last payment already." in response.content.decode()


@pytest.mark.parametrize("role", MAY)
def test_beginning_an_order_takes_a_role(client: Client, role: str) -> None:
    contact = OrderFactory.create().contact
    client.force_login(UserFactory.create(role=role))
    asked = {"description": "Club", "unit_price": "30", "quantity": "1", "kind": "subscription"}
    more = {"unit": "month", "card": "none", "zone": "UTC", "missed": "every"}
    response = client.post(f"/contacts/{contact.pk}/orders/new/", {**asked, **more})
    assert response.status_code == (403 if role == "Viewer" else 302), response.content.decode()
    assert Order.objects.count() == (1 if role == "Viewer" else 2)


def test_why_not_says_the_sentence_of_every_action_that_is_missing(client: Client) -> None:
    client.force_login(UserFactory.create(role="Support"))
    order = OrderFactory.create(status=S.CANCELLED)
    page = client.get(f"/orders/{order.pk}/why-not/").content.decode()
    for word in ("edited", "paused", "resumed", "cancelled"):
        assert f"can be {word}." in page
    assert f"Subscription {order.pk} is Cancelled: only orders that are Paused can be resumed." in page


def test_an_action_that_does_not_exist_is_not_found(client: Client) -> None:
    client.force_login(UserFactory.create(role="Administrator"))
    order = OrderFactory.create()
    for name in ("begin", "void", "bill", "lock"):
        assert client.post(f"/orders/{order.pk}/{name}/").status_code == 404


def test_every_line_of_the_table_has_its_method_and_its_dialog() -> None:
    for action in ORDER_ACTIONS.values():
        assert checks.problems(Order, action, ORDER_FORMS, frozenset()) == []
