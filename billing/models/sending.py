"""Mails about an invoice: written into the outbox in the deed's own transaction."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils.translation import gettext as _now

from billing import mail
from billing.mail import InvoiceFacts, LineFacts, Message, PaymentFacts
from billing.models.base import InvoiceBase
from billing.models.guard import Actor, Deed, guarded
from billing.models.mail import Mail
from billing.models.payment import Payment
from billing.statuses import MailKind

LINES_IN_MAIL = 20
"""A mail shows this many lines and says how many more the invoice page has."""


class Sending(InvoiceBase):
    class Meta:
        abstract = True

    @guarded("request_payment")
    def request_payment(self, by: Actor, *, recipient: str, message: str) -> Deed:
        """Queue the unpaid-invoice e-mail with its invoice and pay links."""
        Mail.objects.queue(
            self,  # type: ignore[arg-type]
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
            self,  # type: ignore[arg-type]
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
        if self.contact.email:
            Mail.objects.queue(
                self,  # type: ignore[arg-type]
                self.receipt(),
                kind=MailKind.RECEIPT,
                to=self.contact.email,
                by=by,
            )

    def queue_refund_receipt(self, by: Actor, refunds: Sequence[Payment]) -> None:
        """Tell the contact what went back, in the caller's transaction.

        A contact without e-mail gets nothing.
        """
        if self.contact.email:
            message = mail.refund_receipt(self.facts(), refunds=[payment_facts(row) for row in refunds])
            Mail.objects.queue(
                self,  # type: ignore[arg-type]
                message,
                kind=MailKind.REFUND_RECEIPT,
                to=self.contact.email,
                by=by,
            )

    def facts(self) -> InvoiceFacts:
        """What a mail may say about this invoice. Two queries."""
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
        )

    def _payment_facts(self) -> list[PaymentFacts]:
        applied = self.payments.applied().order_by("made_at", "id")  # type: ignore[attr-defined]
        return [payment_facts(payment) for payment in applied]


def payment_facts(payment: Payment) -> PaymentFacts:
    return PaymentFacts(
        type=payment.type,
        received_on=payment.received_on,
        method=payment.method_label,
        amount=payment.amount,
        recorded_only=payment.recorded_only,
    )
