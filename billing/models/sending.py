"""Mails about an invoice: written into the outbox in the deed's own transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence

from django.db import transaction
from django.utils.translation import gettext as _now

from billing import mail
from billing.mail import InvoiceFacts, LineFacts, Message, PaymentFacts
from billing.models.base import InvoiceBase
from billing.models.guard import Actor, Deed, guarded, tell
from billing.models.mail import Mail
from billing.models.payment import Payment
from billing.statuses import MailKind

log = logging.getLogger(__name__)

LINES_IN_MAIL = 20
"""A mail shows this many lines and says how many more the invoice page has."""


class Sending(InvoiceBase):
    class Meta:
        abstract = True

    @guarded("request_payment")
    def request_payment(self, by: Actor, *, recipient: str, message: str) -> Deed:
        """Queue the unpaid-invoice e-mail with its invoice and pay links."""
        Mail.objects.queue(
            self.row,
            self.payment_request(message),
            kind=MailKind.UNPAID_INVOICE,
            to=recipient,
            by=by,
        )
        text = _now("Payment of %(balance)s requested from %(to)s.")
        return Deed(text % {"balance": self.show(self.balance), "to": recipient}, {"to": recipient})

    @guarded("send_receipt")
    def send_receipt(self, by: Actor, *, recipient: str, message: str) -> Deed:
        """Queue a receipt that states the true status and amounts."""
        Mail.objects.queue(
            self.row,
            self.receipt(message),
            kind=MailKind.RECEIPT,
            to=recipient,
            by=by,
        )
        return Deed(_now("Receipt sent to %(to)s.") % {"to": recipient}, {"to": recipient})

    def payment_request(self, message: str = "") -> Message:
        """The unpaid-invoice e-mail as it would be sent now."""
        return mail.unpaid_invoice(self.facts(), personal=message)

    def receipt(self, message: str = "") -> Message:
        """The receipt as it would be sent now."""
        return mail.receipt(self.facts(), payments=self._payment_facts(), personal=message)

    def queue_receipt(self, by: Actor) -> None:
        """Send the contact a receipt, in the caller's transaction. A contact without e-mail gets none."""
        self.queue_beside(by, MailKind.RECEIPT, self.receipt)

    def queue_refund_receipt(self, by: Actor, refunds: Sequence[Payment]) -> None:
        """Tell the contact what went back, in the caller's transaction.

        A contact without e-mail gets nothing.
        """
        rows = [payment_facts(row) for row in refunds]
        self.queue_beside(
            by, MailKind.REFUND_RECEIPT, lambda: mail.refund_receipt(self.facts(), refunds=rows)
        )

    def queue_beside(self, by: Actor, kind: MailKind, write: Callable[[], Message]) -> None:
        """Queue a mail that goes with a movement of money.

        Money that has moved is booked even if the words about it cannot be found: the timeline says so then.
        """
        if not self.contact.email:
            return
        try:
            with transaction.atomic():
                Mail.objects.queue(self.row, write(), kind=kind, to=self.contact.email, by=by)
        except Exception:
            log.exception("The %s of %s could not be written", kind, self)
            text = _now("The e-mail “%(kind)s” could not be written; send it again from the invoice.")
            tell(self.row, by, "mail_not_written", Deed(text % {"kind": kind.label}))

    def facts(self) -> InvoiceFacts:
        """What a mail may say about this invoice. Two queries, one more with a coupon."""
        lines = self.lines.order_by("position")[:LINES_IN_MAIL]
        return InvoiceFacts(
            name=str(self),
            status=self.status,
            status_label=str(self.get_status_display()),
            contact_name=self.contact.name,
            currency=self.currency,
            invoice_date=self.invoice_date,
            due_on=self.due_on,
            total=self.total,
            paid=self.paid,
            refunded=self.refunded,
            balance=self.balance,
            overpaid=self.overpaid,
            written_off=self.written_off_amount,
            lines=[LineFacts(line.description, line.quantity, line.total) for line in lines],
            more_lines=max(0, self.line_count - LINES_IN_MAIL),
            note=self.note,
            invoice_link=self.invoice_link,
            pay_link=self.pay_link if self.is_owing else "",
            coupon=self.coupon_shown,
            saved=self.row.coupon_taken(),
        )

    def _payment_facts(self) -> list[PaymentFacts]:
        applied = Payment.objects.applied().filter(invoice=self.row).order_by("made_at", "id")
        return [payment_facts(payment) for payment in applied]


def payment_facts(payment: Payment) -> PaymentFacts:
    return PaymentFacts(
        type=payment.type,
        received_on=payment.received_on,
        method=payment.method_label,
        amount=payment.amount,
        recorded_only=payment.recorded_only,
    )
