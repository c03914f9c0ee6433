"""Mails about an invoice: written into the outbox in the deed's own transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.translation import gettext as _now

from billing import mail
from billing.mail import ChargeFacts, InvoiceFacts, Letter, LineFacts, Message, PaymentFacts
from billing.models.base import InvoiceBase
from billing.models.guard import Actor, Deed, guarded
from billing.models.mail import Mail
from billing.models.payment import Payment
from billing.models.posting import post
from billing.models.wording import MailSettings, on_paper
from billing.statuses import MailKind

if TYPE_CHECKING:
    from billing.models.attempt import Attempt
    from billing.models.orders.order import Order

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
        return on_paper(mail.unpaid_invoice(self.facts(), personal=message))

    def receipt(self, message: str = "") -> Message:
        """The receipt as it would be sent now."""
        return on_paper(mail.receipt(self.facts(), payments=self._payment_facts(), personal=message))

    # -- what the desk tells by itself: in the caller's transaction, with this row locked

    def queue_request(self) -> None:
        """Ask the contact for payment. One without e-mail is not asked."""
        self._post(None, MailKind.UNPAID_INVOICE, lambda: mail.unpaid_invoice(self.facts(), personal=""))

    def queue_receipt(self, by: Actor) -> None:
        """Send the contact a receipt. A contact without e-mail gets none, nor does one who is told in the
        same breath that a failed payment has come: that mail says as much.
        """
        if self.row.tells_recovery:
            return
        self._post(
            by,
            MailKind.RECEIPT,
            lambda: mail.receipt(self.facts(), payments=self._payment_facts(), personal=""),
        )

    def queue_refund_receipt(self, by: Actor, refunds: Sequence[Payment]) -> None:
        """Tell the contact what went back. A contact without e-mail gets nothing."""
        rows = [payment_facts(row) for row in refunds]
        self._post(by, MailKind.REFUND_RECEIPT, lambda: mail.refund_receipt(self.facts(), refunds=rows))

    def queue_payment_failed(self, attempt: Attempt, *, next_try_on: date | None, first: bool) -> None:
        """Tell the contact, once for each attempt, that the card was declined, and lead them to the page
        where they replace it. ``next_try_on``: when it is tried again, or None.
        """
        self._post(
            None,
            MailKind.PAYMENT_FAILED,
            lambda: self._payment_failed(attempt, next_try_on=next_try_on, first=first),
            cause=f"payment_failed:attempt:{attempt.pk}",
        )

    def queue_recovered(self) -> None:
        """Tell the contact, once, that a payment that had failed has come. It states what a receipt does."""
        self._post(
            None,
            MailKind.RECOVERED,
            lambda: mail.recovered(self.facts(), payments=self._payment_facts()),
            cause=f"recovered:invoice:{self.pk}",
        )

    def queue_written_off_notice(self) -> None:
        """Tell staff, each once, that what was owed is written off."""
        for to in MailSettings.current().staff():
            self._post(
                None,
                MailKind.WRITTEN_OFF,
                self._written_off,
                to=to,
                cause=f"written_off:invoice:{self.pk}:{to.casefold()}",
            )

    def _post(
        self,
        by: Actor,
        kind: MailKind,
        write: Callable[[], Letter],
        *,
        to: str | None = None,
        cause: str | None = None,
    ) -> None:
        post(self.row, self.row, by, kind, write, to=to or self.contact.email, cause=cause)

    def _payment_failed(self, attempt: Attempt, *, next_try_on: date | None, first: bool) -> Letter:
        order = self.charged_order()
        charge = ChargeFacts(
            card=str(attempt.card or _now("your card")),
            amount=attempt.amount,
            reason=attempt.message,
            first=first,
            next_try_on=next_try_on,
            card_link=order.card_link if order else "",
        )
        return mail.payment_failed(self.facts(), charge, product=order.summary if order else self.summary)

    def charged_order(self) -> Order | None:
        """The order whose card this is charged to: the one that asked for it, or one that it started."""
        return self.row.order or self.row.started_orders.order_by("pk").first()

    def _written_off(self) -> Letter:
        return mail.written_off(
            self.facts(),
            contact_email=self.contact.email or "",
            desk_link=f"{settings.BASE_URL}/invoices/{self.pk}/",
        )

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
