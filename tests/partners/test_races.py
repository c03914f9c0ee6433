# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""Two who settle the same commissions at once: what the locks keep from happening, and that it happens
without them.
"""

from __future__ import annotations

from contextlib import suppress

import pytest
from django.db import IntegrityError

from billing.models import Commission, Invoice, Partner, PartnerProgram, Payout, Referral, record_referral
from billing.models.guard import NotOffered
from billing.models.partners import settling
from billing.models.partners.commission import CommissionQuerySet
from tests.attempts.desk import assert_books_agree, fresh
from tests.attempts.locks import no_locks, race
from tests.factories import NOON, ContactFactory, PartnerFactory
from tests.gateways.races import at_once
from tests.partners.desk import approve_all, close, earned, give_back, rows, sale

in_threads = [pytest.mark.postgres, pytest.mark.django_db(transaction=True)]


class TestRerunAgainstRerun:
    pytestmark = in_threads

    def race(self) -> tuple[str, str]:
        """A partner who came back: neither has a row yet."""
        ada = PartnerFactory.create(is_active=False)
        sold = sale(PartnerFactory.create(program=ada.program))
        sold.contact.referrals.update(last=ada)
        close(sold)
        Partner.objects.update(is_active=True)
        first, second = fresh(sold), fresh(sold)
        return race(
            lambda: first.rerun_commissions(None),
            lambda: second.rerun_commissions(None),
            owner=Invoice,
            call="commissions_anew",
        )

    def test_the_second_finds_what_the_first_has_done(self) -> None:
        assert self.race() == ("done", "done")
        assert Commission.objects.count() == 1
        assert_books_agree()

    def test_without_the_lock_the_second_row_is_left_to_the_database_to_refuse(self) -> None:
        with no_locks():
            assert "changed at this very moment" in "".join(self.race())
        assert Commission.objects.count() == 1


class TestRefundAgainstPayout:
    pytestmark = in_threads

    def race(self) -> tuple[tuple[str, str], Partner]:
        """The payout has read what is approved when all the money goes back."""
        ada = PartnerFactory.create()
        sold = close(sale(ada))
        approve_all()

        def pays() -> None:
            PartnerProgram.objects.get().pay_out(None, currency="USD", at=NOON)

        told = race(pays, lambda: give_back(fresh(sold), 100), owner=PartnerProgram, call="statements")
        return told, ada

    def test_what_is_being_paid_out_is_clawed_back(self) -> None:
        told, ada = self.race()
        assert told == ("done", "done")
        assert rows(ada) == [("paid", "10"), ("approved", "-10")]
        assert_books_agree()

    def test_without_the_lock_a_cancelled_commission_is_paid(self) -> None:
        with no_locks(CommissionQuerySet):
            _told, ada = self.race()
        assert earned(ada) == 10
        assert Payout.objects.get().total == 10


class TestRefundAgainstApproval:
    pytestmark = in_threads

    def test_neither_waits_for_the_other_for_ever(self) -> None:
        ada = PartnerFactory.create()
        sold = close(sale(ada))
        told = race(approve_all, lambda: give_back(fresh(sold), 40), owner=CommissionQuerySet, call="update")
        assert told == ("done", "done")
        assert rows(ada) == [("approved", "6")]


class TestLinkAgainstStaff:
    pytestmark = in_threads

    def test_a_link_leaves_the_first_referrer_whom_staff_set_at_that_moment(self) -> None:
        ada, contact = PartnerFactory.create(code="ADA"), ContactFactory.create()
        bob = PartnerFactory.create(program=ada.program, code="BOB")
        Referral.objects.create(contact=contact, program=ada.program)

        def set_by_staff() -> None:
            ada.program.set_referrers(None, contact=contact, first=ada, last=ada, reason="", at=NOON)

        told = race(set_by_staff, lambda: record_referral(contact, "BOB", NOON), owner=Referral, call="save")
        assert told == ("done", "done")
        assert (Referral.objects.get().first, Referral.objects.get().last) == (ada, bob)


class TestAllAtOnce:
    pytestmark = in_threads

    def test_eight_payouts_pay_each_commission_once(self) -> None:
        ada = PartnerFactory.create()
        close(sale(ada))
        approve_all()

        def pays() -> None:
            with suppress(NotOffered):
                PartnerProgram.objects.get().pay_out(None, currency="USD", at=NOON)

        at_once(pays)
        assert Payout.objects.get().total == 10
        assert_books_agree()


@pytest.mark.django_db
def test_a_stale_copy_of_an_invoice_that_was_refunded_meanwhile_earns_nothing_new() -> None:
    """The twin of the race on any database."""
    ada = PartnerFactory.create()
    sold = close(sale(ada))
    stale = fresh(sold)
    give_back(sold, 50)
    stale.rerun_commissions(None)
    assert rows(ada) == [("pending", "5")]


@pytest.mark.django_db
def test_the_database_holds_one_unpaid_row_whoever_writes_it() -> None:
    ada = PartnerFactory.create()
    sold = close(sale(ada))
    claim = settling.as_kept(sold, sold.money_kept())[0]
    claim.rows = []
    with pytest.raises(IntegrityError):
        settling.settle([claim], on=NOON.date())
