# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""What gateways tell about disputes: kept as they stand, shown beside the payment, recorded once lost."""

from __future__ import annotations

from decimal import Decimal
from uuid import UUID

import pytest
from django.test import Client
from django.utils import timezone

from billing.gateways.sandbox import dashboard
from billing.gateways.sandbox.models import Dispute as SandboxDispute
from billing.models import Dispute, Event, Payment, UnmatchedMoney
from billing.models.guard import AlreadyDone, NotAllowed, NotOffered, Stale
from billing.statuses import DisputeState, InvoiceStatus, RefundRoute
from tests.attempts.desk import assert_books_agree, fresh, give_back, moved
from tests.factories import UserFactory
from tests.notices.desk import charged_here, charged_there, deliver, tell

pytestmark = pytest.mark.django_db
KEY = UUID("5a6f1d1e-6b2f-4df2-8d59-0f3a3b2c1d00")


def disputed(payment: Payment, amount: int | None = None) -> SandboxDispute:
    given = None if amount is None else Decimal(amount)
    return dashboard.dispute(payment.gateway_ref, amount=given, now=timezone.now())


def close(opened: SandboxDispute, state: DisputeState) -> None:
    dashboard.close_dispute(opened.ref, state, now=timezone.now())


def lost(amount: int | None = None) -> Dispute:
    close(disputed(charged_here(), amount), DisputeState.LOST)
    deliver()
    return Dispute.objects.get()


def stories() -> list[str]:
    told = Event.objects.filter(action__startswith="dispute_").order_by("id")
    return list(told.values_list("action", flat=True))


def test_an_opened_dispute_is_kept_with_its_deadline_and_told_once() -> None:
    payment = charged_here()
    opened = disputed(payment)
    deliver()
    tell("dispute.opened", opened.ref)
    dispute = Dispute.objects.get()
    assert (dispute.payment, dispute.amount, dispute.state) == (payment, 100, DisputeState.OPEN)
    assert dispute.respond_by == opened.respond_by
    assert dispute.url.endswith(f"/admin/sandbox/dispute/{opened.pk}/change/")
    assert stories() == ["dispute_open"]
    text = Event.objects.get(action="dispute_open").text
    assert text.startswith("The customer's bank disputes $100.00 (fraudulent). Answer at the gateway by ")
    assert fresh(payment.invoice).paid == 100
    assert_books_agree()


@pytest.mark.parametrize("state", [DisputeState.WON, DisputeState.LOST])
def test_a_closed_dispute_is_told_and_changes_no_money(state: DisputeState) -> None:
    payment = charged_here()
    opened = disputed(payment)
    deliver()
    close(opened, state)
    deliver()
    assert Dispute.objects.get().state == state
    assert stories() == ["dispute_open", f"dispute_{state}"]
    assert fresh(payment.invoice).paid == 100


def test_a_dispute_that_is_told_closed_before_it_is_told_opened_stays_closed() -> None:
    opened = disputed(charged_here())
    close(opened, DisputeState.WON)
    tell("dispute.closed", opened.ref)
    tell("dispute.opened", opened.ref)
    assert Dispute.objects.get().state == DisputeState.WON
    assert stories() == ["dispute_won"]


def test_older_news_that_a_slower_reader_brings_opens_nothing_again() -> None:
    payment = charged_here()
    opened = disputed(payment)
    old = opened.facts
    close(opened, DisputeState.LOST)
    deliver()
    Dispute.learn("sandbox", old, payment, at=timezone.now())
    assert Dispute.objects.get().state == DisputeState.LOST


def test_a_dispute_of_a_charge_made_elsewhere_is_listed_with_it() -> None:
    charge = charged_there()
    dashboard.dispute(charge.ref, amount=None, now=timezone.now())
    deliver()
    assert Dispute.objects.get().payment is None
    assert sorted(UnmatchedMoney.objects.values_list("kind", flat=True)) == ["charge", "dispute"]
    assert stories() == []


@pytest.mark.parametrize("page", ["/contacts/{contact}/purchases/", "/invoices/{invoice}/", "/payments/"])
def test_a_disputed_payment_says_so_wherever_it_is_listed(client: Client, page: str) -> None:
    client.force_login(UserFactory.create(role="Viewer"))
    payment = charged_here()
    path = page.format(contact=payment.contact_id, invoice=payment.invoice_id)
    assert "Disputed" not in client.get(path).content.decode()
    opened = disputed(payment)
    deliver()
    day = timezone.localtime(opened.respond_by)
    assert f">Disputed, answer by {day.day} {day:%b}<" in client.get(path).content.decode()
    close(opened, DisputeState.WON)
    deliver()
    assert "badge-disputed" not in client.get(path).content.decode()


# -- writing a lost one down


def test_a_lost_dispute_is_recorded_as_a_refund_that_nobody_sent() -> None:
    dispute = lost()
    dispute.record(None)
    row = Payment.objects.get(type="refund")
    assert (row.amount, row.recorded_only, row.gateway) == (-100, True, "offline")
    assert Dispute.objects.get().refund == row
    assert fresh(row.invoice).status == InvoiceStatus.REFUNDED
    assert moved() == [(100, 0)]
    event = Event.objects.get(action="record")
    assert event.text == "$100.00 recorded as refunded: the customer's bank took it back."
    assert_books_agree()


def test_no_more_is_recorded_than_the_payment_has_left() -> None:
    dispute = lost(80)
    give_back(Payment.objects.get(), 50)
    Dispute.objects.get().record(None)
    assert sorted(Payment.objects.filter(type="refund").values_list("amount", flat=True)) == [-50, -50]
    assert_books_agree()
    with pytest.raises(NotOffered, match="has been recorded already"):
        Dispute.objects.get(pk=dispute.pk).record(None)


def test_only_a_lost_dispute_is_recorded() -> None:
    disputed(charged_here())
    deliver()
    with pytest.raises(NotOffered, match="“Open”: it cannot be recorded"):
        Dispute.objects.get().record(None)


def test_a_lost_dispute_of_money_that_has_gone_back_has_nothing_to_record() -> None:
    dispute = lost()
    give_back(Payment.objects.get(), 100, RefundRoute.RECORDED)
    with pytest.raises(NotOffered, match="nothing left to record"):
        Dispute.objects.get(pk=dispute.pk).record(None)
    assert not Dispute.objects.for_a_person().exists()


def test_a_second_click_records_once() -> None:
    dispute, manager = lost(), UserFactory.create(role="Billing manager")
    first = dispute.record(manager, key=KEY)
    with pytest.raises(AlreadyDone) as again:
        Dispute.objects.get().record(manager, key=KEY)
    assert again.value.event == first
    assert Payment.objects.filter(type="refund").count() == 1


def test_a_dialog_opened_on_a_state_that_has_changed_records_nothing() -> None:
    dispute = lost()
    payment = Payment.objects.get()
    seen = payment.invoice.version
    give_back(payment, 10, RefundRoute.RECORDED)
    with pytest.raises(Stale):
        dispute.record(None, seen=seen)


def test_support_records_nothing() -> None:
    with pytest.raises(NotAllowed, match="it takes Billing manager or Administrator"):
        lost().record(UserFactory.create(role="Support"))
