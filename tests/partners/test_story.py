"""Any history of a sale leaves each partner with what the rules say, to the cent, and running it again
changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from billing.models import Commission, Invoice, Partner, PartnerProgram, ProgramRate, record_referral
from billing.models.guard import Refused
from billing.statuses import Pays, RateKind
from contacts.models import Contact
from tests.attempts.desk import assert_books_agree
from tests.factories import (
    NOON,
    ContactFactory,
    InvoiceFactory,
    PartnerFactory,
    ProductFactory,
    ProgramFactory,
)
from tests.partners.desk import approve_all, close, give_back, line

Place = tuple[int, int, int]
CURRENCIES = ("USD", "JPY", "KWD")
COIN = {"USD": Decimal("0.01"), "JPY": Decimal(1), "KWD": Decimal("0.001")}
which = st.integers(0, 2)
part = st.sampled_from(["0.1", "0.25", "0.333", "0.5", "1"])


def to_the_coin(exact: Fraction, currency: str) -> Decimal:
    """Half up, the plain way: by Decimal, at a length that no quotient here reaches."""
    coin = COIN[currency]
    return (Decimal(exact.numerator * 10**12 // exact.denominator) / 10**12).quantize(
        coin, rounding=ROUND_HALF_UP
    )


class Sales(RuleBasedStateMachine):
    """Three customers, three partners who refer each other and one customer, and the books of an outsider:
    ``owed`` says at which rate somebody is due something on a line since it was last worked out.
    """

    def __init__(self) -> None:
        super().__init__()
        self.undone = transaction.atomic()
        self.undone._from_testcase = True  # type: ignore[attr-defined]  # durable blocks may stand in it
        self.undone.__enter__()

    def teardown(self) -> None:
        assert_books_agree()
        transaction.set_rollback(True)
        self.undone.__exit__(None, None, None)

    @initialize(pays=st.sampled_from(list(Pays)), flat=st.sampled_from(["0.5", "3", "400"]))
    def open(self, pays: Pays, flat: str) -> None:
        self.program: PartnerProgram = ProgramFactory.create(
            pays=pays, percent_1=Decimal("7.77"), percent_2=Decimal("2.5")
        )
        self.partners: list[Partner] = PartnerFactory.create_batch(3, program=self.program)
        self.contacts: list[Contact] = [*ContactFactory.create_batch(2), self.partners[0].contact]
        self.products = [ProductFactory.create() for _ in range(2)]
        self.products.append(ProductFactory.create(commissionable=False))
        ProgramRate.objects.create(
            program=self.program, product=self.products[1], kind=RateKind.FLAT, level_1=Decimal(flat),
            level_2=Decimal(1), currency="USD",
        )  # fmt: skip
        self.frozen: dict[Place, tuple[str, Decimal]] = {}
        self.due: dict[int, set[Place]] = {}
        self.invoices: list[int] = []
        self.paid_rows: dict[int, Any] = {}
        for contact, partner in zip([*self.contacts, self.partners[1].contact], [1, 0, 2, 2], strict=True):
            record_referral(contact, self.partners[partner].code, NOON)
        for n, currency in enumerate(CURRENCIES):
            self.sell(n, currency, [4995, 1001, 700])
        self.pay_out("USD")

    # -- the outsider's books

    def referrer(self, contact: Contact) -> Partner | None:
        found = contact.referrals.filter(program=self.program).first()
        return (found.first if self.program.pays == Pays.FIRST else found.last) if found else None

    def earners(self, contact: Contact) -> Iterator[tuple[Partner, int]]:
        one = self.referrer(contact)
        if one:
            yield one, 1
            two = self.referrer(one.contact)
            if two and two.contact_id != contact.pk and two != one:
                yield two, 2

    def rate_now(self, product: Any, level: int, currency: str) -> tuple[str, Decimal]:
        own = self.program.rates.filter(product=product, currency=currency).first()
        if own:
            return "flat", own.level_1 if level == 1 else own.level_2
        self.program.refresh_from_db()
        return "percent", self.program.percent_1 if level == 1 else self.program.percent_2

    def work_out(self, invoice: Invoice) -> None:
        """As it should be after a closing or a re-run."""
        self.due[invoice.pk] = set()
        for sold in invoice.lines.filter(product__isnull=False):
            assert sold.product
            for partner, level in self.earners(invoice.contact):
                place = (sold.pk, partner.pk, level)
                exists = Commission.objects.filter(line=sold, partner=partner, level=level).exists()
                if exists or (sold.product.commissionable and partner.is_active):
                    rate = self.rate_now(sold.product, level, invoice.currency)
                    self.frozen.setdefault(place, rate)
                    self.due[invoice.pk].add(place)

    def expected(self, invoice: Invoice) -> dict[Place, Decimal]:
        found = {}
        for place in self.due.get(invoice.pk, ()):
            sold = invoice.lines.get(pk=place[0])
            kind, value = self.frozen[place]
            exact = Fraction(sold.net) * Fraction(value) / 100
            if kind == "flat":
                exact = min(Fraction(sold.net), Fraction(value) * Fraction(sold.quantity))
            is_sold = invoice.status == "closed" and invoice.total
            exact *= Fraction(invoice.paid) / Fraction(invoice.total) if is_sold else 0
            found[place] = to_the_coin(exact, invoice.currency)
        return {place: amount for place, amount in found.items() if amount}

    def actual(self, invoice: Invoice) -> dict[Place, Decimal]:
        found: dict[Place, Decimal] = {}
        for row in Commission.objects.filter(invoice=invoice).exclude(status="cancelled"):
            place = (row.line_id, row.partner_id, row.level)
            found[place] = found.get(place, Decimal(0)) + row.amount
        return {place: amount for place, amount in found.items() if amount}

    def invoice(self, n: int, status: str = "closed") -> Invoice | None:
        found = Invoice.objects.filter(pk__in=self.invoices, status=status).order_by("pk")
        return found[n % len(found)] if found else None

    # -- what happens

    @rule(
        n=which,
        currency=st.sampled_from(CURRENCIES),
        prices=st.lists(st.integers(1, 9999), min_size=1, max_size=3),
    )
    def sell(self, n: int, currency: str, prices: list[int]) -> None:
        if len(self.invoices) < 6:
            lines = [
                line(str(price * COIN[currency]), product, tax_percent=Decimal("7.7"))
                for price, product in zip(prices, self.products, strict=False)
            ]
            invoice = InvoiceFactory.create(contact=self.contacts[n], currency=currency, lines=lines)
            self.invoices.append(invoice.pk)
            self.close(n)

    @rule(n=which)
    def close(self, n: int) -> None:
        invoice = self.invoice(n, "open")
        if invoice:
            self.work_out(close(invoice))

    @rule(n=which, share=part)
    def refund(self, n: int, share: str) -> None:
        invoice = self.invoice(n)
        if invoice and invoice.paid:
            amount = (invoice.paid * Decimal(share)).quantize(COIN[invoice.currency])
            with suppress(Refused):
                give_back(invoice, str(amount))

    @rule(n=which)
    def void(self, n: int) -> None:
        invoice = self.invoice(n)
        if invoice and n == 2:  # the end of a sale, and of its story: not too often
            invoice.void(None, reason="")

    @rule(n=which, first=st.integers(0, 3), last=st.integers(0, 3))
    def change_referrers(self, n: int, first: int, last: int) -> None:
        contact = [*self.contacts, *(partner.contact for partner in self.partners)][n * 2 % 6]
        one, two = ([*self.partners, None][at] for at in (first, last))
        with suppress(Refused):
            self.program.set_referrers(None, contact=contact, first=one, last=two, reason="", at=NOON)

    @rule(n=which, by=which)
    def visit_by_a_link(self, n: int, by: int) -> None:
        record_referral(self.contacts[n], self.partners[by].code, NOON)

    @rule(value=st.sampled_from(["0", "3.3", "50"]))
    def change_the_rates(self, value: str) -> None:
        PartnerProgram.objects.update(percent_1=Decimal(value))
        ProgramRate.objects.update(level_1=Decimal(value))

    @rule(n=which)
    def part_with_a_partner(self, n: int) -> None:
        partner = self.partners[n]
        partner.is_active = not partner.is_active
        partner.save(update_fields=["is_active"])

    @rule(n=which, to=st.sampled_from([None, 0, 1, 2]))
    def rerun(self, n: int, to: int | None) -> None:
        """As the referrers are, or for somebody else."""
        invoice = self.invoice(n)
        if invoice:
            if to is not None:
                record_referral(invoice.contact, self.partners[to].code, NOON)
            self.work_out(invoice)
            invoice.rerun_commissions(None)
            before = list(Commission.objects.order_by("pk").values())
            event = Invoice.objects.get(pk=invoice.pk).rerun_commissions(None)
            assert "nothing changed" in event.text
            assert list(Commission.objects.order_by("pk").values()) == before

    @rule(currency=st.sampled_from(CURRENCIES))
    def pay_out(self, currency: str) -> None:
        with suppress(Refused):
            approve_all()
        with suppress(Refused):
            self.program.pay_out(None, currency=currency, at=NOON)

    # -- what is true after each

    @invariant()
    def each_partner_has_on_each_line_what_the_rules_say(self) -> None:
        for invoice in Invoice.objects.filter(pk__in=getattr(self, "invoices", [])):
            assert self.actual(invoice) == self.expected(invoice)

    @invariant()
    def a_paid_row_is_never_touched(self) -> None:
        paid = {row["id"]: row for row in Commission.objects.filter(status="paid").values()}
        assert {pk: paid.get(pk) for pk in getattr(self, "paid_rows", {})} == getattr(self, "paid_rows", {})
        self.paid_rows = paid


@pytest.mark.django_db
def test_any_history_leaves_each_partner_with_what_the_rules_say() -> None:
    bounds = settings(max_examples=10, stateful_step_count=25, suppress_health_check=list(HealthCheck))
    run_state_machine_as_test(Sales, settings=bounds)
