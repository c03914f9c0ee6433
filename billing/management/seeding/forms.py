"""The pages on which the invented company lets customers order, and how somebody orders there."""

from __future__ import annotations

import uuid
from typing import Any

from billing import clock
from billing.gateways.sandbox import pages
from billing.gateways.sandbox.numbers import read_card, read_number
from billing.models import Attempt, OrderForm, Product, Submission
from billing.models.selling.submission import Sent
from contacts.models import Contact

WORKSHOP, CLUB = "beekeeping", "garden-club"
FORMS: dict[str, dict[str, Any]] = {
    WORKSHOP: {
        "title": "Beekeeping for beginners",
        "intro": "A Saturday with our bees, and what you need to read and light afterwards.",
        "terms": "A place can be given back until fourteen days before the workshop. After that, send"
        " somebody in your stead.",
        "thanks": "We look forward to meeting you. Bring boots; veils and gloves are here.",
        "asks_coupon": True,
    },
    CLUB: {
        "title": "The garden club",
        "intro": "A parcel every month: seeds of the season, and a letter on what to do with them.",
        "terms": "The club can be left at any time, with the end of the month that is paid.",
        "thanks": "Welcome to the club. The first parcel leaves this week.",
        "asks_address": True,
        "asks_coupon": True,
    },
}
ITEMS: dict[str, tuple[tuple[str, dict[str, int]], ...]] = {
    WORKSHOP: (
        ("WRK-01", {"most": 4}),
        ("BOO-11", {"least": 0, "most": 4}),
        ("CAN-12", {"least": 0, "most": 9}),
    ),
    CLUB: (("CLU-MO", {}),),
}


def put_forms(products: dict[str, Product]) -> None:
    """The forms, made if they are missing."""
    for slug, fields in FORMS.items():
        form, is_new = OrderForm.objects.get_or_create(slug=slug, defaults={"currency": "USD", **fields})
        for place, (sku, numbers) in enumerate(ITEMS[slug] if is_new else (), start=1):
            form.items.create(product=products[sku], position=place, **numbers)


def order(contact: Contact, slug: str, number: str) -> None:
    """The contact orders, types the card at the gateway, and comes back to see what became of it."""
    form, now = OrderForm.objects.get(slug=slug), clock.now()
    offers = form.offers()
    basket = form.basket(offers, {offer.item.pk: offer.item.quantity for offer in offers})
    typed = {"name": contact.name, "email": contact.email}
    submission = Submission.send(form, uuid.uuid4(), Sent(typed, basket, at=now))
    submission.lead_on(back=form.link, at=now)
    page = Attempt.objects.get(invoice=submission.invoice)
    today = clock.today()
    card = read_card(read_number(number), exp_month=today.month, exp_year=today.year + 3, today=today)
    pages.take_card(page.page_ref, card, now=now)
    submission.look(at=now)
