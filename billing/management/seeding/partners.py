"""Who recommends the invented company, and what they earn by it: a commission in every state."""

from __future__ import annotations

from decimal import Decimal

from billing import clock
from billing.management.seeding.teller import Story, Teller
from billing.models import (
    Commission,
    Invoice,
    PartnerProgram,
    ProgramRate,
    Threshold,
    record_referral,
)
from billing.statuses import CommissionStatus, InvoiceStatus, Pays, RateKind
from contacts.models import Contact

BEES, RENEE, ADA = "Bloom & Bee 🐝", "Renée D'Été", "Ada Whitfield"
REFERRED = (ADA, "Łucja Dąbrowska", "Ines Carvalho", "فاطمة الصباح")
"""Customers who came by the beekeepers' link."""


def friends(teller: Teller) -> Story:
    """Two partners, one of whom led the other here; approvals and payouts now and then."""
    yield 595
    program = _program(teller)
    bees, renee = (Contact.objects.get(name=name) for name in (BEES, RENEE))
    for contact, code in ((renee, "RENEE"), (bees, "BEES")):
        program.enrol(teller.manager, contact=contact, code=code, at=clock.now())
    record_referral(bees, "RENEE", clock.now())
    for name in REFERRED:
        record_referral(Contact.objects.get(name=name), "BEES", clock.now())
    for days_ago in (120, 61):
        yield days_ago
        _approve(teller)
        program.pay_out(teller.manager, currency="USD", at=clock.now())
    yield 40
    _approve(teller)
    yield 16
    ines = Contact.objects.get(name=REFERRED[2])
    program.set_referrers(
        teller.manager,
        contact=ines,
        first=bees.partners.get(),
        last=renee.partners.get(),
        reason="She came by Renée's newsletter",
        at=clock.now(),
    )
    Invoice.objects.filter(contact=ines, status=InvoiceStatus.CLOSED).latest("pk").rerun_commissions(
        teller.manager
    )


def _program(teller: Teller) -> PartnerProgram:
    program = PartnerProgram.objects.create(
        name="Friends of the lantern", pays=Pays.LAST, percent_1=Decimal(8), percent_2=Decimal(2)
    )
    bench, gift = teller.products["BEN-01"], teller.products["GIF-50"]
    ProgramRate.objects.create(
        program=program,
        product=bench,
        kind=RateKind.FLAT,
        level_1=Decimal(25),
        level_2=Decimal(5),
        currency="USD",
    )
    ProgramRate.objects.create(program=program, product=gift)
    Threshold.objects.create(program=program, currency="USD", amount=Decimal(20))
    return program


def _approve(teller: Teller) -> None:
    pending = Commission.objects.filter(status=CommissionStatus.PENDING)
    ids = list(pending.values_list("pk", flat=True))
    Commission.approve(teller.manager, ids=ids, at=clock.now())
