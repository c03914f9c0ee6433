"""What happens at the gateway without the desk: something of each kind that needs a person."""

from __future__ import annotations

from decimal import Decimal

from billing import clock
from billing.gateways.sandbox import dashboard
from billing.gateways.sandbox.models import Charge, Message
from billing.management.seeding.teller import APPROVES, MASTERCARD, Story, Teller
from billing.models import GatewayEvent, Invoice, Payment, UnmatchedMoney
from billing.models.gateway_event import MOST_TRIES
from billing.statuses import DisputeState
from contacts.models import Contact


def at_the_gateway(teller: Teller, contact: Contact) -> Story:
    for story in (disputed, lost_dispute, refunded_there, paid_twice, refused_refund, unread_message):
        teller.begin(story(teller, contact))
    yield 62
    teller.card(contact, APPROVES)


def disputed(teller: Teller, contact: Contact) -> Story:
    """The cardholder's bank asks; the answer is due in a few days."""
    yield 24
    invoice = teller.invoice(contact, [("LAN-90", 2), ("SRV-DL", 1)])
    teller.pay(invoice, contact.cards.get(is_default=True), send_receipt=True)
    yield 4
    dashboard.dispute(_charge_of(invoice), amount=None, reason="product_not_received", now=clock.now())
    teller.hear()


def lost_dispute(teller: Teller, contact: Contact) -> Story:
    yield 58
    invoice = teller.invoice(contact, [("BOX-07", 1)])
    teller.pay(invoice, contact.cards.get(is_default=True))
    yield 30
    opened = dashboard.dispute(_charge_of(invoice), amount=None, now=clock.now())
    teller.hear()
    yield 6
    dashboard.close_dispute(opened.ref, DisputeState.LOST, now=clock.now())
    teller.hear()


def refunded_there(teller: Teller, contact: Contact) -> Story:
    """Somebody returned a part in the gateway's own dashboard: nobody need do anything."""
    yield 41
    invoice = teller.invoice(contact, [("LAN-01", 3)])
    teller.pay(invoice, contact.cards.get(is_default=True))
    yield 33
    dashboard.refund(_charge_of(invoice), amount=Decimal("20.00"), now=clock.now())
    teller.hear()


def paid_twice(teller: Teller, contact: Contact) -> Story:
    """Two payments taken elsewhere: one was for an invoice that had been paid, of the other nobody knows."""
    yield 18
    invoice = teller.invoice(contact, [("WAT-09", 1), ("SEE-SP", 2)])
    teller.pay(invoice, teller.card(contact, MASTERCARD))
    yield 11
    again = dashboard.pay_again(
        _charge_of(invoice), amount=None, description=f"{invoice} by phone", now=clock.now()
    )
    teller.hear()
    yield 9
    UnmatchedMoney.objects.get(ref=again.ref).match(teller.manager, invoice=invoice)
    yield 3
    dashboard.pay_again(
        _charge_of(invoice),
        amount=Decimal("64.50"),
        description="Terminal 2, no name given",
        now=clock.now(),
    )
    teller.hear()


def refused_refund(teller: Teller, contact: Contact) -> Story:
    yield 20
    invoice = teller.invoice(contact, [("ROP-01", 4)])
    teller.pay(invoice, contact.cards.get(is_default=True))
    yield 5
    Charge.objects.filter(ref=_charge_of(invoice)).update(refuses_refunds=True)
    teller.refund(invoice, reason="The rope was too short")


def unread_message(teller: Teller, contact: Contact) -> Story:
    """A message about a charge that the gateway itself does not know: tried until it was given up."""
    yield 8
    Message.objects.write("charge.succeeded", ref="sbx_charge_0f5a1c", now=clock.now())
    teller.hear()
    yield 6
    event = GatewayEvent.objects.get(ref="sbx_charge_0f5a1c")
    for _ in range(MOST_TRIES - 1):
        teller.try_again(event)


def _charge_of(invoice: Invoice) -> str:
    received = Payment.objects.received().filter(invoice=invoice).exclude(gateway_ref="")
    return received.earliest("id").gateway_ref
