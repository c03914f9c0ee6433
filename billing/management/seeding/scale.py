"""Data at scale, the same for the same arguments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from django.db import connection, transaction
from django.db.models import Max, OuterRef, Subquery

from billing.gateways.sandbox.models import StoredCard
from billing.gateways.sandbox.models.keys import new_ref
from billing.management.seeding.catalogue import put_catalogue
from billing.management.seeding.names import Person, invent
from billing.management.seeding.sheet import Buyer, Sheet
from billing.management.seeding.stories import tell
from billing.models import Card, Invoice, Payment
from billing.statuses import PaymentType
from contacts.models import Contact

PREFIX = "seed-"
"""Begins the external reference of every contact and invoice made here."""
BATCH = 2000
SPREAD = timedelta(days=3 * 365)
BRANDS = (("Visa", "4242"), ("Mastercard", "4444"))


@dataclass(frozen=True, slots=True)
class Size:
    contacts: int
    invoices: int
    heavy: int
    """Invoices of the first contact, besides its part in the others."""


def present() -> Size | None:
    """What an earlier run has left here; its heavy invoices count among the invoices."""
    contacts = Contact.objects.filter(external_ref__startswith=PREFIX).count()
    invoices = Invoice.objects.filter(external_ref__startswith=PREFIX).count()
    return Size(contacts, invoices, 0) if contacts else None


@transaction.atomic
def seed(size: Size, *, until: date, tell_progress: Callable[[int], None]) -> None:
    """Write everything or nothing. ``tell_progress`` hears how many invoices are done."""
    # it must repeat itself, which no other random numbers do
    random = Random(f"{size.contacts} contacts")  # noqa: S311
    buyers = _put_buyers(size.contacts, random, until)
    days = sorted(random.randrange(SPREAD.days) for _ in range(size.invoices + size.heavy))
    heavy = set(random.sample(range(len(days)), size.heavy))
    sheet = Sheet(random, put_catalogue(), until)
    for n, day in enumerate(days):
        buyer = buyers[0] if n in heavy else buyers[int(len(buyers) * random.random() ** 2)]
        story = tell(random, has_card=buyer.card is not None)
        sheet.add(buyer, story, on=until - SPREAD + timedelta(days=day + 1), ref=f"{PREFIX}{n + 1}")
        if len(sheet.invoices) == BATCH:
            sheet.write()
            tell_progress(n + 1)
    sheet.write()
    tell_progress(len(days))
    _note_last_use()


def _put_buyers(count: int, random: Random, until: date) -> list[Buyer]:
    people = [invent(random) for _ in range(count)]
    contacts = [_contact(person, n) for n, person in enumerate(people, start=1)]
    Contact.objects.bulk_create(contacts, batch_size=1000)
    stored = {n: _stored_card(random, until) for n in range(count) if n == 0 or random.random() < 0.7}
    StoredCard.objects.bulk_create(stored.values(), batch_size=1000)
    cards = {n: _card(contacts[n], twin) for n, twin in stored.items()}
    Card.objects.bulk_create(cards.values(), batch_size=1000)
    return [
        Buyer(contact.pk, people[n].currency, cards.get(n), stored.get(n))
        for n, contact in enumerate(contacts)
    ]


def _contact(person: Person, n: int) -> Contact:
    return Contact(
        name=person.name,
        email=f"customer{n}@example.com" if n % 20 else "",
        phone=f"+1 555 01{n % 100:02d} {n:05d}" if n % 3 else "",
        company=person.company,
        street=f"{n % 180 + 1} Lantern Street",
        postal_code=person.postal_code,
        city=person.city,
        country=person.country,
        external_ref=f"{PREFIX}{n}",
    )


def _stored_card(random: Random, until: date) -> StoredCard:
    brand, last4 = random.choice(BRANDS)
    return StoredCard(
        token=new_ref(f"approves_{last4}"),
        behaviour_name="approves",
        brand=brand,
        last4=last4,
        exp_month=random.randint(1, 12),
        exp_year=until.year + random.choice((-1, 0, 1, 2, 3, 4)),
        on_file=True,
    )


def _card(contact: Contact, twin: StoredCard) -> Card:
    return Card(
        contact=contact,
        gateway="sandbox",
        token=twin.token,
        brand=twin.brand,
        last4=twin.last4,
        exp_month=twin.exp_month,
        exp_year=twin.exp_year,
        is_default=True,
    )


def _note_last_use() -> None:
    charges = Payment.objects.filter(card=OuterRef("pk"), type=PaymentType.PAYMENT).order_by()
    last = charges.values("card").annotate(last=Max("made_at")).values("last")
    Card.objects.filter(contact__external_ref__startswith=PREFIX).update(last_used_at=Subquery(last))


def settle_down() -> None:
    """Let the database plan for the size that it has now, and PostgreSQL answer from its indexes alone."""
    can_vacuum = connection.vendor == "postgresql" and not connection.in_atomic_block
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)" if can_vacuum else "ANALYZE")
