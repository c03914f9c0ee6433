"""An example of each mail, to try its wording on, and the names of all that it may say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from billing.mail import letters
from billing.mail.facts import ChargeFacts, InvoiceFacts, LineFacts, OrderFacts, PaymentFacts
from billing.statuses import InvoiceStatus, MailKind

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from billing.mail.letter import Letter

NAMES: dict[str, StrOrPromise] = {
    "headline": _("the mail in one line, with its amount"),
    "sentence": _("what is true, in a sentence or two that the desk makes and checks"),
    "personal": _("what the agent wrote to this customer; often nothing"),
    "contact_name": _("the customer's name"),
    "contact_email": _("the customer's e-mail address"),
    "invoice_name": _("the invoice's number"),
    "invoice_date": _("the invoice's date"),
    "due_date": _("when it is due"),
    "status": _("its status, in words"),
    "note": _("the invoice's note to the customer; often nothing"),
    "total": _("the total"),
    "received": _("all that ever came"),
    "paid": _("what came, less what went back"),
    "refunded": _("what went back"),
    "balance": _("what is still to pay"),
    "overpaid": _("what came above what was owed"),
    "written_off": _("what is no longer asked for"),
    "returned": _("what went back just now"),
    "delay": _("that a bank takes its time, where one does; otherwise nothing"),
    "amount": _("the amount that the mail is about"),
    "card": _("the card: brand and last four digits"),
    "reason": _("why the card company refused; sometimes nothing"),
    "next_step": _("whether the card is tried again, and when, as a sentence"),
    "next_try": _("the day on which the card is tried again, or nothing"),
    "last_day": _("the last day on which the card works"),
    "product": _("what the order is for"),
    "order_name": _("the order's kind and number"),
    "terms": _("what the order asks for, how often"),
    "invoice_link": _("the address of the customer's invoice"),
    "pay_link": _("the address where it is paid; nothing when there is nothing to pay"),
    "card_link": _("the address where the customer stores another card; nothing when no order is charged"),
    "desk_link": _("the address of the invoice at this desk, for staff"),
    "lines": _("block: the lines of the invoice"),
    "figures": _("block: the amounts, added up"),
    "payments": _("block: the payments or refunds"),
    "owed": _("block: invoices that are still to pay; nothing when none is"),
    "orders": _("block: the orders that are charged to the card"),
}
"""Every value and block, and what it holds. Blocks are laid out by the desk."""

LINKS: dict[MailKind, tuple[str, ...]] = {
    MailKind.UNPAID_INVOICE: ("pay_link",),
    MailKind.PAYMENT_FAILED: ("card_link", "pay_link"),
    MailKind.CARD_EXPIRING: ("card_link",),
    MailKind.WRITTEN_OFF: ("desk_link",),
}
"""Without these the mail would be of no use: they must be where they lead somewhere."""

SITE = "https://desk.example.com"
OWING = InvoiceFacts(
    name="INV-000017",
    status=InvoiceStatus.OPEN,
    status_label=str(InvoiceStatus.OPEN.label),
    contact_name="Ada <Lovelace> & Sons",
    currency="USD",
    invoice_date=date(2026, 3, 2),
    due_on=date(2026, 3, 16),
    total=Decimal(100),
    paid=Decimal(40),
    refunded=Decimal(0),
    balance=Decimal(60),
    overpaid=Decimal(0),
    written_off=Decimal(0),
    lines=[LineFacts("Lantern", Decimal(2), Decimal(80)), LineFacts("Candles", Decimal(10), Decimal(20))],
    more_lines=0,
    note="Delivered to the back gate.",
    invoice_link=f"{SITE}/i/example/",
    pay_link=f"{SITE}/pay/example/",
)
BARE = replace(OWING, paid=Decimal(0), balance=Decimal(100), note="")
PAID = replace(
    OWING,
    status=InvoiceStatus.CLOSED,
    status_label=str(InvoiceStatus.CLOSED.label),
    paid=Decimal(100),
    balance=Decimal(0),
    pay_link="",
)
LOST = replace(
    OWING,
    status=InvoiceStatus.WRITTEN_OFF,
    status_label=str(InvoiceStatus.WRITTEN_OFF.label),
    balance=Decimal(0),
    written_off=Decimal(60),
    pay_link="",
)
CAME = PaymentFacts("payment", date(2026, 3, 3), "Visa •• 4242", Decimal(100), recorded_only=False)
BACK = replace(CAME, type="refund", amount=Decimal(-20), received_on=date(2026, 3, 9))
CLUB = OrderFacts("Subscription 5", "Garden club", "$60.00 every month", date(2026, 4, 16))
REASON = "The card has insufficient funds."
CARD_PAGE = f"{SITE}/card/example/"
DECLINED = ChargeFacts("Visa •• 4242", Decimal(60), REASON, True, date(2026, 3, 19), CARD_PAGE)  # noqa: FBT003
GIVEN_UP = ChargeFacts("Visa •• 4242", Decimal(100), "", False, None, "")  # noqa: FBT003
HELLO = "It was good to speak to you.\nHere is what you asked for."


def _expiring(today: date) -> Letter:
    return letters.card_expiring(
        [CLUB],
        contact_name=OWING.contact_name,
        card="Visa •• 4242",
        last_day=date(2026, 3, 31),
        today=today,
        card_link=CARD_PAGE,
    )


EXAMPLES: dict[MailKind, tuple[Callable[[], Letter], Callable[[], Letter]]] = {
    MailKind.UNPAID_INVOICE: (
        lambda: letters.unpaid_invoice(OWING, personal=HELLO),
        lambda: letters.unpaid_invoice(BARE, personal=""),
    ),
    MailKind.RECEIPT: (
        lambda: letters.receipt(PAID, payments=[CAME], personal=HELLO),
        lambda: letters.receipt(BARE, payments=[], personal=""),
    ),
    MailKind.REFUND_RECEIPT: (
        lambda: letters.refund_receipt(replace(PAID, paid=Decimal(80), refunded=Decimal(20)), refunds=[BACK]),
        lambda: letters.refund_receipt(PAID, refunds=[replace(BACK, recorded_only=True)]),
    ),
    MailKind.PAYMENT_FAILED: (
        lambda: letters.payment_failed(OWING, DECLINED, product=CLUB.product),
        lambda: letters.payment_failed(BARE, GIVEN_UP, product="Lantern"),
    ),
    MailKind.RECOVERED: (
        lambda: letters.recovered(PAID, payments=[CAME]),
        lambda: letters.recovered(BARE, payments=[]),
    ),
    MailKind.CARD_EXPIRING: (
        lambda: _expiring(date(2026, 2, 1)),
        lambda: _expiring(date(2026, 4, 1)),
    ),
    MailKind.ORDER_CANCELLED: (
        lambda: letters.order_cancelled(CLUB, contact_name=OWING.contact_name, owed=[OWING]),
        lambda: letters.order_cancelled(CLUB, contact_name=OWING.contact_name, owed=[]),
    ),
    MailKind.WRITTEN_OFF: (
        lambda: letters.written_off(LOST, contact_email="ada@example.com", desk_link=f"{SITE}/invoices/17/"),
        lambda: letters.written_off(
            replace(LOST, paid=Decimal(0), written_off=Decimal(100)),
            contact_email="",
            desk_link=f"{SITE}/invoices/17/",
        ),
    ),
}
"""Of each kind one that has something to say at every place, and one that has as little as possible."""


def full(kind: MailKind) -> Letter:
    return EXAMPLES[kind][0]()


def bare(kind: MailKind) -> Letter:
    return EXAMPLES[kind][1]()


def names_of(kind: MailKind) -> list[str]:
    """All that a wording of this kind may use, in the order in which it is explained."""
    letter = full(kind)
    known = letter.values.keys() | letter.blocks.keys()
    return [name for name in NAMES if name in known]
