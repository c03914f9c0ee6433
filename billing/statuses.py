"""Every set of stored choices.

The values are part of the public contract: exports, bookmarks and scripts use them.
"""

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class InvoiceStatus(TextChoices):
    DRAFT = "draft", _("Draft")
    OPEN = "open", _("Open")
    COLLECTIONS = "collections", _("Collections")
    CLOSED = "closed", _("Closed")
    DECLINED = "declined", _("Declined")
    REFUNDED = "refunded", _("Refunded")
    VOIDED = "voided", _("Voided")
    WRITTEN_OFF = "written_off", _("Write off")


_S = InvoiceStatus
TRANSITIONS: dict[InvoiceStatus, set[InvoiceStatus]] = {
    _S.DRAFT: {_S.OPEN, _S.CLOSED, _S.DECLINED},
    _S.OPEN: {_S.CLOSED, _S.COLLECTIONS, _S.VOIDED, _S.WRITTEN_OFF},
    _S.COLLECTIONS: {_S.CLOSED, _S.OPEN, _S.VOIDED, _S.WRITTEN_OFF},
    _S.CLOSED: {_S.REFUNDED, _S.VOIDED},
    _S.DECLINED: {_S.VOIDED},
    _S.REFUNDED: {_S.VOIDED},
    _S.WRITTEN_OFF: {_S.VOIDED},
    _S.VOIDED: set(),
}
"""What an invoice may become, and nothing else. A draft may also be deleted."""


class PaymentType(TextChoices):
    PAYMENT = "payment", _("Payment")
    REFUND = "refund", _("Refund")


class PaymentStatus(TextChoices):
    APPLIED = "applied", _("Applied")
    DECLINED = "declined", _("Declined")


class PaymentMethod(TextChoices):
    CARD = "card", _("Card")
    CASH = "cash", _("Cash")
    CHEQUE = "cheque", _("Cheque")
    BANK_TRANSFER = "bank_transfer", _("Bank transfer")
    OTHER = "other", _("Other")


class AttemptKind(TextChoices):
    CHARGE = "charge", _("Charge")
    REFUND = "refund", _("Refund")


class AttemptState(TextChoices):
    """``page_open`` waits for a customer and blocks nobody; the four after it are in flight; the last three
    are final.
    """

    PAGE_OPEN = "page_open", _("Waiting for the customer")
    STARTED = "started", _("Sending to the card company")
    PENDING = "pending", _("Pending at the gateway")
    UNKNOWN = "unknown", _("Outcome unknown")
    NEEDS_ACTION = "needs_action", _("The bank asks the customer to confirm")
    APPROVED = "approved", _("Approved")
    DECLINED = "declined", _("Declined")
    NOT_CHARGED = "not_charged", _("Not charged")


IN_FLIGHT = frozenset(
    {AttemptState.STARTED, AttemptState.PENDING, AttemptState.UNKNOWN, AttemptState.NEEDS_ACTION}
)
FINAL = frozenset({AttemptState.APPROVED, AttemptState.DECLINED, AttemptState.NOT_CHARGED})


class DisputeState(TextChoices):
    OPEN = "open", _("Open")
    WON = "won", _("Won")
    LOST = "lost", _("Lost")


class UnmatchedKind(TextChoices):
    CHARGE = "charge", _("Payment")
    REFUND = "refund", _("Refund")
    DISPUTE = "dispute", _("Dispute")


class UnmatchedState(TextChoices):
    OPEN = "open", _("Unmatched")
    MATCHED = "matched", _("Matched")
    SET_ASIDE = "set_aside", _("Set aside")


class NoticeState(TextChoices):
    """``failed`` is tried again for as long as it is due."""

    RECEIVED = "received", _("Received")
    PROCESSED = "processed", _("Processed")
    FAILED = "failed", _("Failed")


class MailKind(TextChoices):
    UNPAID_INVOICE = "unpaid_invoice", _("Unpaid invoice")
    RECEIPT = "receipt", _("Receipt")
    REFUND_RECEIPT = "refund_receipt", _("Refund receipt")
    PAYMENT_FAILED = "payment_failed", _("Payment failed")
    RECOVERED = "recovered", _("Payment recovered")
    CARD_EXPIRING = "card_expiring", _("Card expiring")
    ORDER_CANCELLED = "order_cancelled", _("Subscription cancelled")
    WRITTEN_OFF = "written_off", _("Written off")


class MailState(TextChoices):
    QUEUED = "queued", _("Queued")
    SENT = "sent", _("Sent")
    FAILED = "failed", _("Failed")


class RefundRoute(TextChoices):
    GATEWAY = "gateway", _("Through the gateway that took it")
    RECORDED = "recorded", _("Record only: the money went back another way")


class SoldAs(TextChoices):
    ONCE = "once", _("Once")
    SUBSCRIPTION = "subscription", _("Subscription")
    PLAN = "plan", _("Payment plan")


class Unit(TextChoices):
    """The units that ``periods`` counts in."""

    DAY = "day", _("Day")
    WEEK = "week", _("Week")
    MONTH = "month", _("Month")
    QUARTER = "quarter", _("Quarter")
    YEAR = "year", _("Year")


class OrderKind(TextChoices):
    SUBSCRIPTION = "subscription", _("Subscription")
    PLAN = "plan", _("Payment plan")


class OrderStatus(TextChoices):
    ACTIVE = "active", _("Active")
    PAST_DUE = "past_due", _("Past due")
    PAUSED = "paused", _("Paused")
    CANCELLED = "cancelled", _("Cancelled")
    COMPLETED = "completed", _("Completed")


_O = OrderStatus
ORDER_TRANSITIONS: dict[OrderStatus, set[OrderStatus]] = {
    _O.ACTIVE: {_O.PAST_DUE, _O.PAUSED, _O.CANCELLED, _O.COMPLETED},
    _O.PAST_DUE: {_O.ACTIVE, _O.PAUSED, _O.CANCELLED, _O.COMPLETED},
    _O.PAUSED: {_O.ACTIVE, _O.PAST_DUE, _O.CANCELLED, _O.COMPLETED},
    _O.CANCELLED: set(),
    _O.COMPLETED: set(),
}
"""What an order may become, and nothing else."""


class Missed(TextChoices):
    """What becomes of periods that nobody billed on their day."""

    EVERY = "every", _("Bill every missed period")
    CURRENT = "current", _("Bill only the current one")


class PastDue(TextChoices):
    """What becomes of the unpaid invoices of an order that is cancelled."""

    LEAVE = "leave", _("Leave it owed: invoices and retries go on")
    FORGIVE = "forgive", _("Forgive it: write the invoices off")


class CouponKind(TextChoices):
    PERCENT = "percent", _("Percent")
    FLAT = "flat", _("Flat amount")


class CouponAudience(TextChoices):
    PERSONAL = "personal", _("Personal: a code of its own for each contact")
    GROUP = "group", _("Group: one public code")


class CouponScope(TextChoices):
    FIRST = "first", _("The first payment only")
    ALL = "all", _("All payments of an order")


class CodeState(TextChoices):
    """``issued`` is not used up; whether it has expired, the calendar says."""

    ISSUED = "issued", _("Not redeemed")
    REDEEMED = "redeemed", _("Redeemed")
    WITHDRAWN = "withdrawn", _("Withdrawn")


class Pays(TextChoices):
    """Whom a partner program pays for a purchase."""

    FIRST = "first", _("The first referrer")
    LAST = "last", _("The last referrer")


class RateKind(TextChoices):
    PERCENT = "percent", _("Percent of the line before tax")
    FLAT = "flat", _("Amount for each unit")


class CommissionKind(TextChoices):
    """A clawback takes back what was paid out already."""

    COMMISSION = "commission", _("Commission")
    CLAWBACK = "clawback", _("Clawback")


class CommissionStatus(TextChoices):
    PENDING = "pending", _("Pending")
    APPROVED = "approved", _("Approved")
    PAID = "paid", _("Paid")
    CANCELLED = "cancelled", _("Cancelled")


class ProgramState(TextChoices):
    ACTIVE = "active", _("Active")
    ENDED = "ended", _("Ended")


class AtTheEnd(TextChoices):
    """What becomes of an invoice in Collections once the retries of its card have come to their end."""

    WRITE_OFF = "write_off", _("Write off what is still owed")
    STAY = "stay", _("Leave it in Collections")


class Stopped(TextChoices):
    """Why the card of an invoice in Collections is not charged by itself any more."""

    HARD = "hard", _("The bank refused the card for good")
    NO_CARD = "no_card", _("There is no card that can be charged")
    OVER = "over", _("The time for retries is over")
