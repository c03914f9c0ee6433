"""What the desk's staff and the cards' banks do in the year, by the desk's own verbs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction

from billing import clock
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import StoredCard
from billing.gateways.sandbox.numbers import NUMBERS
from billing.models import Card, Header, Invoice, LineInput, Order, Product
from billing.models.guard import Refused
from billing.models.orders.steering import Taxation
from billing.models.terms import OrderTerms
from billing.statuses import InvoiceStatus, OrderKind, PastDue, PaymentMethod
from contacts.models import Contact
from tests.year.calendar import Done
from tests.year.sales import NEVER, Befalls, Fate, Sale

NUMBER_OF = {line.behaviour.name: number for number, line in NUMBERS.items()}
PAID_IN_CASH = 3
"""Every so many invoices that sell an order are paid in cash; the others by its card, if there is one."""


def begin(sale: Sale) -> int:
    """Begin the order of a sale; its id."""
    contact = Contact.objects.create(
        name=f"Ada Lovelace {sale.number}", email=f"ada{sale.number}@example.com"
    )
    card = new_card(contact, sale.card, sale.expires) if sale.card else None
    return _sold_by_invoice(sale, contact, card) if sale.by_invoice else _begun(sale, contact, card)


def _begun(sale: Sale, contact: Contact, card: Card | None) -> int:
    terms = OrderTerms(
        kind=OrderKind.PLAN if sale.payments else OrderKind.SUBSCRIPTION,
        every=sale.every,
        unit=sale.unit,
        payments=sale.payments,
        trial_payments=sale.trial_payments,
        trial_price=Decimal(1),
        setup_fee=Decimal(sale.setup_fee),
    )
    begun = Order.begin(
        None,
        contact=contact,
        currency=sale.currency,
        terms=terms,
        lines=[LineInput("Garden club", Decimal(1), Decimal(sale.price))],
        first_charge_on=sale.first_on,
        zone=sale.zone,
        at=clock.now(),
        card=card,
        send_invoices=sale.sends,
        missed=sale.missed,
    )
    assert begun.order is not None
    return begun.order.pk


def _sold_by_invoice(sale: Sale, contact: Contact, card: Card | None) -> int:
    product = Product.objects.create(
        name="Garden club",
        price=Decimal(sale.price),
        currency=sale.currency,
        sold_as="plan" if sale.payments else "subscription",
        every=sale.every,
        unit=sale.unit,
        payments=sale.payments,
        trial_payments=sale.trial_payments,
        trial_days=sale.trial_days,
        delay_days=sale.delay_days,
        trial_price=Decimal(1) if sale.trial_days or sale.trial_payments else Decimal(0),
        setup_fee=Decimal(sale.setup_fee),
    )
    line = LineInput(product.name, Decimal(1), product.first_price or Decimal(5), product_id=product.pk)
    header = Header(sale.currency, sale.first_on, sale.first_on)
    invoice = Invoice.draft(None, contact=contact, header=header, lines=[line]).invoice
    assert invoice is not None
    invoice.issue(None, at=clock.now())
    by_card = card and sale.number % PAID_IN_CASH
    invoice.pay(None, source=card if card and by_card else PaymentMethod.CASH, amount=invoice.balance)
    invoice.refresh_from_db()
    if invoice.status == InvoiceStatus.OPEN and not invoice.awaiting_gateway:
        invoice.pay(None, source=PaymentMethod.CASH, amount=invoice.balance)
    return invoice.started_orders.get().pk


def new_card(contact: Contact, behaviour: str, expires: date = NEVER) -> Card:
    details = SandboxGateway().store_card(
        NUMBER_OF[behaviour], exp_month=expires.month, exp_year=expires.year, today=date(2020, 1, 1)
    )
    with transaction.atomic():
        return Card.keep(contact, details, gateway="sandbox")


def befall(order: Order, fate: Fate) -> Done | None:
    """Let it happen; None if the desk refused, as it does for an order that has ended."""
    to: date | None = None
    try:
        if fate.what is Befalls.MOVE:
            to = _move(order, int(fate.detail))
        else:
            DEEDS[fate.what](order, str(fate.detail))
    except Refused:
        return None
    if fate.what is Befalls.MOVE and to is None:  # it asks for nothing more
        return None
    return Done(clock.now(), fate.what, to)


def _move(order: Order, days: int) -> date | None:
    """Put the next charge so many days ahead."""
    line = order.lines.get()
    to = clock.now().astimezone(ZoneInfo(order.zone)).date() + timedelta(days=days)
    order.edit(
        None,
        product=line.product,
        description=line.description,
        quantity=line.quantity,
        unit_price=line.unit_price,
        tax=Taxation(None, Decimal(0)),
        next_charge_on=to,
        missed=order.missed,
        send_invoices=order.send_invoices,
    )
    return to if order.next_charge_on else None


def _replace(order: Order, behaviour: str, *, charge_now: bool) -> None:
    card = new_card(order.contact, behaviour)
    order.change_card(None, card=card, charge_now=charge_now)


def _change_mind(order: Order, behaviour: str) -> None:
    if order.card:
        StoredCard.objects.filter(token=order.card.token).update(behaviour_name=behaviour)


DEEDS: dict[Befalls, Callable[[Order, str], object]] = {
    Befalls.PAUSE: lambda order, _detail: order.pause(None),
    Befalls.RESUME: lambda order, _detail: order.resume(None),
    Befalls.CANCEL: lambda order, _detail: order.cancel(None, past_due=PastDue.LEAVE, reason="Moved abroad"),
    Befalls.FORGIVE: lambda order, _detail: order.cancel(
        None, past_due=PastDue.FORGIVE, reason="Moved abroad"
    ),
    Befalls.NEW_CARD: lambda order, card: _replace(order, card, charge_now=False),
    Befalls.NEW_CARD_AT_ONCE: lambda order, card: _replace(order, card, charge_now=True),
    Befalls.BANK: _change_mind,
}
