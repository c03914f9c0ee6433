"""The back office: what gateways told, and what people try out in the sandbox's own dashboard."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from billing.gateways.sandbox import dashboard
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import Charge, Message
from billing.gateways.sandbox.models import Dispute as SandboxDispute
from billing.models import Dispute, Event, GatewayEvent, Payment, UnmatchedMoney
from billing.statuses import NoticeState
from tests.attempts.desk import assert_books_agree, fresh, moved, no_answer
from tests.factories import UserFactory
from tests.notices.desk import charged_here, charged_there, deliver, tell

pytestmark = pytest.mark.django_db
EVENTS = "/admin/billing/gatewayevent/"


@pytest.fixture
def office(client: Client) -> Client:
    client.force_login(UserFactory.create(role="Administrator", is_staff=True))
    return client


def run(office: Client, model: str, action: str, pks: list[int], **more: str) -> str:
    url = reverse(f"admin:{model}_changelist")
    asked = {"action": action, "_selected_action": [str(pk) for pk in pks], **more}
    response = office.post(url, asked, follow=True)
    assert response.status_code == 200
    return response.content.decode()


def failed(monkeypatch: pytest.MonkeyPatch) -> GatewayEvent:
    with monkeypatch.context() as patch:
        patch.setattr(SandboxGateway, "charge_made", no_answer)
        return tell("charge.succeeded", charged_there().ref)


def test_events_are_filtered_and_found_and_never_written(
    office: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    event = failed(monkeypatch)
    tell("customer.updated")
    page = office.get(EVENTS, {"state": "failed", "type": "charge.succeeded", "gateway": "sandbox"})
    assert event.event_id in page.content.decode()
    assert "customer.updated event" not in page.content.decode()
    for query in (event.event_id, event.ref):
        assert "1 gateway event" in office.get(EVENTS, {"q": query}).content.decode()
    assert office.get(f"{EVENTS}{event.pk}/change/").status_code == 200
    assert office.post(f"{EVENTS}{event.pk}/change/", {"state": "processed"}).status_code == 403
    assert office.post(f"{EVENTS}add/").status_code == 403


def test_a_failed_event_is_replayed(office: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    event = failed(monkeypatch)
    assert "Processed: 1" in run(office, "billing_gatewayevent", "replay", [event.pk])
    event.refresh_from_db()
    assert event.state == NoticeState.PROCESSED
    assert UnmatchedMoney.objects.count() == 1
    assert Event.objects.get(action="replay").actor_name == "Grace Hopper"


def test_replaying_what_was_processed_is_harmless(office: Client) -> None:
    event = tell("charge.succeeded", charged_there().ref)
    run(office, "billing_gatewayevent", "replay", [event.pk])
    assert UnmatchedMoney.objects.count() == 1
    event.refresh_from_db()
    assert event.state == NoticeState.PROCESSED
    assert_books_agree()


def test_whoever_may_only_look_is_offered_no_replay(client: Client) -> None:
    event = tell("customer.updated")
    client.force_login(UserFactory.create(role="Billing manager", is_staff=True))
    assert "Replay" not in client.get(EVENTS).content.decode()
    run(client, "billing_gatewayevent", "replay", [event.pk])
    assert not Event.objects.filter(action="replay").exists()


# -- the sandbox's dashboard


def test_a_refund_made_in_the_sandboxs_dashboard_reaches_the_desk(office: Client) -> None:
    payment = charged_here()
    pk = Charge.objects.get().pk
    assert "Done for 1." in run(office, "sandbox_charge", "refund_here", [pk], amount="12.50")
    assert moved() == [(Decimal(100), Decimal("12.50"))]
    deliver()
    assert fresh(payment.invoice).refunded == 12.5
    assert_books_agree()


def test_a_dispute_is_opened_and_lost_in_the_sandboxs_dashboard(office: Client) -> None:
    charged_here()
    run(office, "sandbox_charge", "dispute_here", [Charge.objects.get().pk])
    run(office, "sandbox_dispute", "lose", [SandboxDispute.objects.get().pk])
    assert "is Lost already" in run(office, "sandbox_dispute", "win", [SandboxDispute.objects.get().pk])
    deliver()
    assert Dispute.objects.get().state == "lost"


def test_a_dispute_is_won_in_the_sandboxs_dashboard(office: Client) -> None:
    charged_here()
    dashboard.dispute(Charge.objects.get().ref, amount=None, now=timezone.now())
    run(office, "sandbox_dispute", "win", [SandboxDispute.objects.get().pk])
    deliver()
    assert Dispute.objects.get().state == "won"


def test_a_payment_is_taken_elsewhere_in_the_sandboxs_dashboard(office: Client) -> None:
    charged_here()
    run(office, "sandbox_charge", "pay_again_here", [Charge.objects.get().pk])
    deliver()
    assert UnmatchedMoney.objects.get().amount == 100
    assert Payment.objects.count() == 1


@pytest.mark.parametrize(
    ("amount", "words"),
    [("100.01", "at most $100.00 is possible"), ("0", "at most"), ("1.001", "finer")],
)
def test_an_impossible_amount_is_refused_in_the_dashboard(office: Client, amount: str, words: str) -> None:
    charged_here()
    pk = Charge.objects.get().pk
    assert words in run(office, "sandbox_charge", "refund_here", [pk], amount=amount)
    assert not Message.objects.exists()


def test_nothing_was_taken_so_nothing_is_returned_or_disputed(office: Client) -> None:
    charged_here()
    Charge.objects.update(state="declined")
    for action in ("refund_here", "dispute_here"):
        assert "Nothing was taken by" in run(office, "sandbox_charge", action, [Charge.objects.get().pk])


def test_messages_can_be_read(office: Client) -> None:
    charged_here()
    dashboard.refund(Charge.objects.get().ref, amount=None, now=timezone.now())
    message = Message.objects.get()
    url = reverse("admin:sandbox_message_changelist")
    assert message.ref in office.get(url).content.decode()
    assert office.post(reverse("admin:sandbox_message_add")).status_code == 403
