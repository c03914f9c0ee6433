"""One function for each mail that there is: from facts to all that the mail may say."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _now

from billing.mail.facts import ChargeFacts, InvoiceFacts, OrderFacts, PaymentFacts
from billing.mail.letter import Block, Letter
from billing.mail.sentences import figures_of, headline, money_that_came, so_far, standing
from billing.money import ZERO
from billing.statuses import InvoiceStatus, MailKind


def unpaid_invoice(facts: InvoiceFacts, *, personal: str) -> Letter:
    words = {**facts.words(), "due": date_format(facts.due_on)}
    sentence = _now("Please pay %(balance)s by %(due)s.")
    if facts.received:
        sentence = f"{so_far(facts)} {sentence}"
    values = {
        "headline": _now("Invoice %(invoice)s: %(balance)s to pay by %(due)s") % words,
        "sentence": sentence % words,
        "personal": personal,
    }
    return _about_invoice(MailKind.UNPAID_INVOICE, facts, values)


def receipt(facts: InvoiceFacts, *, payments: Sequence[PaymentFacts], personal: str) -> Letter:
    """States the true status and amounts; never claims money that did not come."""
    values = {
        "headline": headline(facts) % facts.words(),
        "sentence": standing(facts),
        "personal": personal,
    }
    return _about_invoice(MailKind.RECEIPT, facts, values, payments)


def refund_receipt(facts: InvoiceFacts, *, refunds: Sequence[PaymentFacts]) -> Letter:
    """``refunds`` are what went back just now; earlier ones are in the figures."""
    returned = facts.show(-sum((refund.amount for refund in refunds), ZERO))
    words = {**facts.words(), "returned": returned}
    moved = any(not refund.recorded_only for refund in refunds)
    values = {
        "headline": _now("Refund of %(returned)s for %(invoice)s") % words,
        "sentence": _now("%(returned)s has been returned to you.") % words,
        "delay": _now("It can take some days until your bank shows a refund to a card.") if moved else "",
        "returned": returned,
    }
    return _about_invoice(MailKind.REFUND_RECEIPT, facts, values, refunds)


def payment_failed(facts: InvoiceFacts, charge: ChargeFacts, *, product: str) -> Letter:
    """Says what was asked of which card, what the card company said to it, and what happens next."""
    amount = facts.show(charge.amount)
    words = {**facts.words(), "amount": amount, "card": charge.card, "product": product}
    title = (
        _now("The payment of %(amount)s for %(invoice)s failed")
        if charge.first
        else _now("The payment of %(amount)s for %(invoice)s failed again")
    )
    sentence = _now("We could not charge %(amount)s for %(product)s to %(card)s.")
    next_try = date_format(charge.next_try_on) if charge.next_try_on else ""
    values = {
        "headline": title % words,
        "sentence": sentence % words,
        "reason": charge.reason,
        "next_step": _next_step(next_try),
        "next_try": next_try,
        "amount": amount,
        "card": charge.card,
        "product": product,
        "card_link": charge.card_link,
    }
    return _about_invoice(MailKind.PAYMENT_FAILED, facts, values)


def _next_step(next_try: str) -> str:
    if next_try:
        return _now("We will try this card again on %(day)s.") % {"day": next_try}
    return _now("This card is not tried again.")


def recovered(facts: InvoiceFacts, *, payments: Sequence[PaymentFacts]) -> Letter:
    """A payment that had failed has come after all; states the amounts as a receipt does."""
    paid = facts.status == InvoiceStatus.CLOSED and facts.received
    title = _now("Your payment for %(invoice)s has come through") if paid else headline(facts)
    values = {"headline": title % facts.words(), "sentence": standing(facts)}
    return _about_invoice(MailKind.RECOVERED, facts, values, payments)


def written_off(facts: InvoiceFacts, *, contact_email: str, desk_link: str) -> Letter:
    """For staff, not for the customer."""
    words = {**facts.words(), "contact": facts.contact_name}
    sentence = _now("%(written_off)s of %(total)s was not collected from %(contact)s and is written off.")
    values = {
        "headline": _now("%(invoice)s was written off: %(written_off)s") % words,
        "sentence": f"{sentence % words} {money_that_came(facts) % words}",
        "amount": words["written_off"],
        "contact_email": contact_email,
        "desk_link": desk_link,
    }
    return _about_invoice(MailKind.WRITTEN_OFF, facts, values)


def order_cancelled(order: OrderFacts, *, contact_name: str, owed: Sequence[InvoiceFacts]) -> Letter:
    """``owed``: invoices of the order that stay to be paid."""
    words = {"product": order.product}
    sentence = _now("Nothing more is charged for it. What was asked for before is still to pay:")
    if not owed:
        sentence = _now("Nothing more is charged for it, and nothing is owed for it.")
    values = {
        "headline": _now("%(product)s is cancelled") % words,
        "sentence": sentence,
        "contact_name": contact_name,
        "product": order.product,
        "order_name": order.name,
        "terms": order.terms,
    }
    return Letter(MailKind.ORDER_CANCELLED, values, {"owed": Block.of("owed", owed=owed)})


def card_expiring(
    orders: Sequence[OrderFacts],
    *,
    contact_name: str,
    card: str,
    last_day: date,
    today: date,
    card_link: str,
) -> Letter:
    """``orders`` are charged to the card and have a charge to come after it has expired."""
    words = {"card": card, "day": date_format(last_day)}
    expired = last_day < today
    title = _now("%(card)s has expired") if expired else _now("%(card)s expires on %(day)s")
    sentence = _now("Your card %(card)s can be charged until %(day)s, and a payment is to come after that.")
    if expired:
        sentence = _now("Your card %(card)s could be charged until %(day)s, and a payment is to come.")
    values = {
        "headline": title % words,
        "sentence": sentence % words,
        "contact_name": contact_name,
        "card": card,
        "last_day": words["day"],
        "card_link": card_link,
    }
    return Letter(MailKind.CARD_EXPIRING, values, {"orders": Block.of("orders", orders=orders)})


def _about_invoice(
    kind: MailKind, facts: InvoiceFacts, values: dict[str, str], payments: Sequence[PaymentFacts] = ()
) -> Letter:
    amounts = {name: words for name, words in facts.words().items() if name != "invoice"}
    common = {
        "contact_name": facts.contact_name,
        "invoice_name": facts.name,
        "invoice_date": date_format(facts.invoice_date),
        "due_date": date_format(facts.due_on),
        "status": facts.status_label,
        "note": facts.note,
        "invoice_link": facts.invoice_link,
        "pay_link": facts.pay_link,
    }
    blocks = {
        "lines": Block.of("lines", invoice=facts),
        "figures": Block.of("figures", invoice=facts, figures=figures_of(facts)),
        "payments": Block.of("payments", invoice=facts, payments=payments),
    }
    return Letter(kind, {**amounts, **common, **values}, blocks)
