# mypy: disable-error-code="comparison-overlap"
# Whole amounts are written as whole numbers.

"""What partners have as an invoice is closed, goes back in parts, is voided, or is run again for others."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from billing.models import Commission, Event, Header, Invoice, Partner, PartnerProgram, ProgramRate
from billing.models.guard import AlreadyDone, NotOffered, Stale
from billing.models.partners.settling import anew
from billing.statuses import InvoiceStatus, PaymentMethod, Pays, RateKind
from tests.attempts.desk import assert_books_agree, fresh
from tests.factories import (
    NOON,
    ContactFactory,
    InvoiceFactory,
    OrderFactory,
    PartnerFactory,
    ProductFactory,
    UserFactory,
)
from tests.partners.desk import (
    approve_all,
    close,
    earned,
    give_back,
    line,
    pay_all,
    refer,
    rows,
    sale,
    two_levels,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def ada() -> Partner:
    return PartnerFactory.create()


def test_both_levels_earn_once_the_invoice_is_closed_and_not_before() -> None:
    below, above = two_levels()
    invoice = sale(below, line(80, tax_percent=Decimal(20)), line("20.10"))
    invoice.pay(None, source=PaymentMethod.CASH, amount=Decimal(50))
    assert not Commission.objects.exists()
    close(fresh(invoice))
    assert rows(below) == [("pending", "8"), ("pending", "2.01")]
    assert rows(above) == [("pending", "4"), ("pending", "1.01")]
    told = invoice.events.get(action="commissions")
    assert f"{below} $0.00 → $10.01" in told.text
    assert_books_agree()


@pytest.mark.parametrize(("pays", "who"), [(Pays.FIRST, 0), (Pays.LAST, 1)])
def test_the_program_says_which_referrer_earns(pays: Pays, who: int) -> None:
    first = PartnerFactory.create(program__pays=pays)
    both = (first, PartnerFactory.create(program=first.program))
    invoice = sale(first)
    refer(invoice.contact, both[1])
    close(invoice)
    assert [earned(each) for each in both] == [10 - 10 * who, 10 * who]


def test_programs_are_apart(ada: Partner) -> None:
    other = PartnerFactory.create()
    invoice = sale(ada)
    refer(invoice.contact, other)
    refer(ada.contact, other)  # in another program: no level 2 in Ada's
    close(invoice)
    assert (earned(ada), earned(other)) == (10, 10)


def test_nobody_earns_on_their_own_purchases(ada: Partner) -> None:
    below = PartnerFactory.create(program=ada.program)
    refer(below.contact, ada)
    invoice = InvoiceFactory.create(contact=ada.contact, lines=[line(100)])
    refer(ada.contact, below)
    close(invoice)
    assert (earned(below), earned(ada)) == (10, 0)


def test_only_commissionable_products_earn(ada: Partner) -> None:
    free_text = InvoiceFactory.create(contact=ContactFactory.create())
    refer(free_text.contact, ada)
    close(free_text)
    close(sale(ada, line(100, ProductFactory.create(commissionable=False))))
    assert not Commission.objects.exists()


def test_a_product_has_rates_of_its_own(ada: Partner) -> None:
    flat, percent = ProductFactory.create(), ProductFactory.create()
    own = {"program": ada.program, "level_1": Decimal(3)}
    ProgramRate.objects.create(product=flat, kind=RateKind.FLAT, currency="USD", **own)
    ProgramRate.objects.create(product=percent, **own)
    close(sale(ada, line(50, flat, quantity="2"), line(50, percent)))
    close(sale(ada, line(50, flat, quantity="2"), currency="EUR"))
    assert rows(ada) == [("pending", "6"), ("pending", "1.5"), ("pending", "10")]


def test_the_invoice_of_an_order_earns_with_each_payment(ada: Partner) -> None:
    order = OrderFactory.create(lines=[line(30)], number="")
    refer(order.contact, ada)
    order.refresh_from_db()
    assert type(order).bill_next(NOON.replace(month=4)) is not None
    close(order.invoices.get())
    assert rows(ada) == [("pending", "3")]


def test_an_edit_down_to_what_is_paid_earns_on_the_new_lines(ada: Partner) -> None:
    invoice = sale(ada)
    invoice.pay(None, source=PaymentMethod.CASH, amount=Decimal(60))
    invoice.edit(None, header=Header.of(invoice), lines=[line(60)])
    assert (fresh(invoice).status, rows(ada)) == (InvoiceStatus.CLOSED, [("pending", "6")])


def test_what_costs_nothing_earns_nothing(ada: Partner) -> None:
    assert sale(ada, line(10, discount=Decimal(10))).status == InvoiceStatus.CLOSED
    assert not Commission.objects.exists()


def test_an_unpaid_commission_shrinks_with_the_money_and_ends_with_it(ada: Partner) -> None:
    invoice = close(sale(ada))
    approve_all()
    give_back(invoice, "33.33")
    assert rows(ada) == [("approved", "6.67")]
    give_back(fresh(invoice), "66.67")
    assert rows(ada) == [("cancelled", "6.67")]
    assert_books_agree()


def test_a_paid_commission_stays_and_one_clawback_grows_beside_it(ada: Partner) -> None:
    invoice = close(sale(ada))
    pay_all(ada)
    give_back(invoice, 25)
    assert rows(ada) == [("paid", "10"), ("approved", "-2.5")]
    give_back(fresh(invoice), 25)
    assert rows(ada) == [("paid", "10"), ("approved", "-5")]
    fresh(invoice).void(None, reason="")
    assert rows(ada) == [("paid", "10"), ("approved", "-10")]
    assert_books_agree()


def test_money_that_was_not_owed_earns_nothing_and_its_return_takes_nothing(ada: Partner) -> None:
    invoice = close(sale(ada))
    with transaction.atomic():
        invoice.lock()
        invoice._add_money(Decimal(40), method=PaymentMethod.CASH, received_on=NOON.date(), made_at=NOON)
        invoice._money_came()
    assert (fresh(invoice).overpaid, earned(ada)) == (40, 10)
    give_back(fresh(invoice), 40)
    assert earned(ada) == 10
    give_back(fresh(invoice), 50)
    assert earned(ada) == 5


def test_a_void_cancels_and_a_write_off_never_earned(ada: Partner) -> None:
    close(sale(ada)).void(None, reason="")
    assert rows(ada) == [("cancelled", "10")]
    sale(ada).write_off(None, reason="")
    assert len(rows(ada)) == 1


def rerun_for(invoice: Invoice, partner: Partner) -> Event:
    refer(invoice.contact, partner)
    return fresh(invoice).rerun_commissions(None)


def test_a_rerun_gives_to_the_other_partner_and_back(ada: Partner) -> None:
    bob = PartnerFactory.create(program=ada.program)
    invoice = close(sale(ada))
    rerun_for(invoice, bob)
    assert (rows(ada), rows(bob)) == ([("cancelled", "10")], [("pending", "10")])
    rerun_for(invoice, ada)
    assert (rows(ada), rows(bob)) == ([("pending", "10")], [("cancelled", "10")])
    pay_all(ada)
    rerun_for(invoice, bob)
    assert (rows(ada), rows(bob)) == ([("paid", "10"), ("approved", "-10")], [("pending", "10")])
    rerun_for(invoice, ada)
    assert (rows(ada), rows(bob)) == ([("paid", "10"), ("cancelled", "-10")], [("cancelled", "10")])
    assert_books_agree()


def test_a_clawback_that_was_taken_off_is_earned_back_by_a_new_row(ada: Partner) -> None:
    bob = PartnerFactory.create(program=ada.program)
    invoice = close(sale(ada))
    pay_all(ada)
    rerun_for(invoice, bob)
    close(sale(ada, line(500)))
    pay_all(ada)  # 50 less the 10
    rerun_for(invoice, ada)
    assert rows(ada) == [("paid", "10"), ("paid", "-10"), ("paid", "50"), ("pending", "10")]
    assert_books_agree()


def test_what_was_another_partners_by_a_refund_stays_taken_back(ada: Partner) -> None:
    bob = PartnerFactory.create(program=ada.program)
    invoice = close(sale(ada))
    pay_all(ada)
    rerun_for(invoice, bob)
    give_back(fresh(invoice), 50)
    assert (rows(ada), rows(bob)) == ([("paid", "10"), ("approved", "-10")], [("pending", "5")])
    assert_books_agree()


def test_rates_that_change_later_count_for_what_is_missing_only(ada: Partner) -> None:
    bob = PartnerFactory.create(program=ada.program)
    invoice = close(sale(ada))
    PartnerProgram.objects.update(percent_1=Decimal(50))
    assert "nothing changed" in fresh(invoice).rerun_commissions(None).text
    rerun_for(invoice, bob)
    assert rows(bob) == [("pending", "50")]
    rerun_for(invoice, ada)
    assert earned(ada) == 10


def test_one_who_left_keeps_what_was_earned_and_earns_nothing_new(ada: Partner) -> None:
    invoice, other = close(sale(ada)), sale(ada)
    Partner.objects.update(is_active=False)
    fresh(invoice).rerun_commissions(None)
    close(other)
    assert rows(ada) == [("pending", "10")]


def test_a_rerun_that_nobody_was_shown_is_not_stored(ada: Partner) -> None:
    invoice = sale(ada)
    Partner.objects.update(is_active=False)
    close(invoice)
    Partner.objects.update(is_active=True)
    with pytest.raises(Stale):
        fresh(invoice).rerun_commissions(None, shown="0" * 64)
    assert not Commission.objects.exists()


def test_only_closed_invoices_are_run_again(ada: Partner) -> None:
    with pytest.raises(NotOffered, match="only Closed invoices can be given their commissions anew"):
        sale(ada).rerun_commissions(None)


def test_the_same_key_runs_once(ada: Partner) -> None:
    invoice, user = close(sale(ada)), UserFactory.create(role="Billing manager")
    key = "00000000-0000-4000-8000-000000000007"
    invoice.rerun_commissions(user, key=key)
    with pytest.raises(AlreadyDone):
        fresh(invoice).rerun_commissions(user, key=key)


def test_many_are_worked_out_in_the_same_few_queries(ada: Partner, django_assert_num_queries: object) -> None:
    invoices = [close(sale(ada)) for _ in range(5)]
    for some in (invoices[:1], invoices):
        with django_assert_num_queries(5):  # type: ignore[operator]  # rows, referrers twice, rates, lines
            claims = anew({each: each.money_kept() for each in some})
        assert [claim.due for each in claims.values() for claim in each] == [10] * len(some)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": Decimal(-1)},
        {"amount": Decimal(0)},
        {"level": 3},
        {"status": "lost"},
        {"status": "paid"},
        {"kind": "clawback", "amount": Decimal(-1)},
        {"rate_value": Decimal(101)},
    ],
)
def test_the_database_refuses_a_commission_that_cannot_be(ada: Partner, wrong: dict[str, object]) -> None:
    close(sale(ada))
    with pytest.raises(IntegrityError), transaction.atomic():
        Commission.objects.update(**wrong)


def test_the_database_refuses_a_second_unpaid_row(ada: Partner) -> None:
    close(sale(ada))
    row = Commission.objects.get()
    row.pk = None
    row._state.adding = True
    with pytest.raises(IntegrityError), transaction.atomic():
        row.save()
