"""Approval, and payouts: who is paid, who is carried over, and the file that says so."""

from __future__ import annotations

from decimal import Decimal
from uuid import uuid4

import pytest
from django.test import Client

from billing.models import Commission, Partner, Payout, Threshold
from billing.models.guard import AlreadyDone, Invalid, NotAllowed, NotOffered, Stale
from tests.attempts.desk import assert_books_agree
from tests.factories import NOON, PartnerFactory, UserFactory
from tests.partners.desk import approve_all, close, give_back, line, pay_all, rows, sale

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Partner:
    return PartnerFactory.create(contact__name="Ada Lovelace")


def test_only_what_is_pending_is_approved_and_once(ada: Partner) -> None:
    close(sale(ada))
    user, key = UserFactory.create(role="Billing manager"), uuid4()
    ids = [Commission.objects.get().pk]
    event = Commission.approve(user, ids=ids, at=NOON, key=key)
    assert event.text == "1 commission approved: $10.00."
    assert event.contact == ada.contact
    with pytest.raises(AlreadyDone):
        Commission.approve(user, ids=ids, at=NOON, key=key)
    with pytest.raises(NotOffered, match="None of these commissions is pending"):
        Commission.approve(user, ids=ids, at=NOON)
    with pytest.raises(NotAllowed):
        Commission.approve(UserFactory.create(role="Support"), ids=ids, at=NOON)


def test_partners_below_the_threshold_are_carried_over(ada: Partner) -> None:
    bob = PartnerFactory.create(program=ada.program)
    Threshold.objects.create(program=ada.program, currency="USD", amount=Decimal(30))
    close(sale(ada, line(300)))
    close(sale(bob, line(299)))
    pay_all(ada)
    assert (rows(ada), rows(bob)) == ([("paid", "30")], [("approved", "29.9")])
    payout = Payout.objects.get()
    assert (payout.total, payout.partner_count) == (Decimal(30), 1)
    approve_with_nothing = pytest.raises(Invalid, match="no partner has reached the sum")
    with approve_with_nothing:
        ada.program.pay_out(None, currency="USD", at=NOON)
    assert_books_agree()


def test_a_clawback_is_taken_off_and_a_debt_is_carried_over(ada: Partner) -> None:
    invoice = close(sale(ada, line(300)))
    pay_all(ada)
    give_back(invoice, 300)
    close(sale(ada))
    approve_all()
    with pytest.raises(Invalid):  # 10 less 30
        ada.program.pay_out(None, currency="USD", at=NOON)
    close(sale(ada, line(500)))
    pay_all(ada)
    assert Payout.objects.latest("pk").total == 30
    assert_books_agree()


def test_currencies_are_never_added(ada: Partner) -> None:
    close(sale(ada))
    close(sale(ada, line(1000), currency="JPY"))
    approve_all()
    assert ada.program.currencies_to_pay_out() == ["JPY", "USD"]
    ada.program.pay_out(None, currency="JPY", at=NOON)
    assert rows(ada) == [("approved", "10"), ("paid", "100")]


def test_other_commissions_than_those_that_were_seen_are_not_paid(ada: Partner) -> None:
    close(sale(ada))
    approve_all()
    with pytest.raises(Stale):
        ada.program.pay_out(None, currency="USD", at=NOON, seen="0" * 64)
    assert rows(ada) == [("approved", "10")]


def test_nothing_is_paid_twice_and_there_must_be_something(ada: Partner) -> None:
    close(sale(ada))
    approve_all()
    user, key = UserFactory.create(role="Billing manager"), uuid4()
    ada.program.pay_out(user, currency="USD", at=NOON, key=key)
    with pytest.raises(AlreadyDone):
        ada.program.pay_out(user, currency="USD", at=NOON, key=key)
    with pytest.raises(NotOffered, match="has no approved commissions"):
        ada.program.pay_out(user, currency="USD", at=NOON)
    assert Payout.objects.count() == 1


def test_the_file_says_whom_to_pay_what_and_is_noted(ada: Partner, client: Client) -> None:
    ada.contact.name = "=1+1"
    ada.contact.save()
    close(sale(ada))
    close(sale(ada))
    pay_all(ada)
    payout = Payout.objects.get()
    client.force_login(UserFactory.create(role="Billing manager"))
    response = client.get(f"/payouts/{payout.pk}/export/")
    lines = b"".join(response).decode("utf-8-sig").split("\r\n")
    assert lines[0] == "payout,partner,email,company,code,program,commissions,amount,currency"
    assert lines[1] == f"{payout.pk},'=1+1,{ada.contact.email},,{ada.code},{ada.program},2,20.00,USD"
    assert ada.contact.events.filter(action="export").exists()
    client.force_login(UserFactory.create(role="Support"))
    assert client.get(f"/payouts/{payout.pk}/export/").status_code == 403
