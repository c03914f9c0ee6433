"""What must be true of sales on order forms once the dust has settled, worked out from what was planned."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from math import floor

from billing import money
from billing.models import Attempt, Commission, Coupon, CouponRedemption, Invoice, Submission
from billing.models.coupons.redemption import STANDS
from billing.money import ZERO
from billing.statuses import AttemptKind, CommissionStatus, InvoiceStatus, PaymentStatus, PaymentType
from tests.crash.counter import Moved
from tests.crash.plan import Trial
from tests.crash.sale import FROM, refunded
from tests.crash.selling import Staff
from tests.crash.shop import COINS, PERCENT, PERCENT_ABOVE, SPRING

TWICE = "charged twice"
REFUNDED_TWICE = "refunded more than asked"
PAGES = "pages paid and orders not taken once"
CARDS = "cards left and orders not taken"
ORDERS = "subscriptions begun other than once"
COUPONS = "coupons miscounted"
COMMISSIONS = "commissions other than due"

Difference = tuple[int, str, str]
"""A trial's number, the kind of what is wrong there, and words."""


def submissions() -> Iterable[Submission]:
    return Submission.objects.with_invoice().filter(opened_from__startswith=FROM).order_by("id")


def trial_of(submission: Submission) -> int:
    return int(submission.opened_from.removeprefix(FROM))


def wrong_sales(trials: Mapping[int, Trial], theirs: Sequence[Moved]) -> Iterator[Difference]:
    """``trials``: those that were done on order forms, by number."""
    moved = _moved_for(theirs)
    for submission in submissions():
        number = trial_of(submission)
        if number not in trials:
            continue  # the harness warmed up with it
        invoice = submission.invoice
        for kind, words in (
            *_paid_once(submission, moved[invoice.pk, False]),
            *_given_back_once(trials[number], invoice, moved[invoice.pk, True]),
            *_begun_once(submission),
            *_earned(trials[number], invoice),
        ):
            yield number, kind, f"{invoice}: {words}"
    yield from _coupons(trials)


def _moved_for(theirs: Sequence[Moved]) -> dict[tuple[int, bool], list[Moved]]:
    """What moved at the gateway, by invoice, and refunds apart."""
    ordered = Attempt.objects.filter(invoice__order_form__isnull=False)
    invoices = {
        (key, kind == AttemptKind.REFUND): invoice
        for key, kind, invoice in ordered.values_list("key", "kind", "invoice")
    }
    found: dict[tuple[int, bool], list[Moved]] = defaultdict(list)
    for each in theirs:
        if each.key and (each.key, each.is_refund) in invoices:
            found[invoices[each.key, each.is_refund], each.is_refund].append(each)
    return found


def _paid_once(submission: Submission, taken: Sequence[Moved]) -> Iterator[tuple[str, str]]:
    invoice = submission.invoice
    if sum((each.amount for each in taken), ZERO) > invoice.total:
        yield TWICE, f"{len(taken)} pages were paid"
    payments = invoice.payments.filter(type=PaymentType.PAYMENT, status=PaymentStatus.APPLIED).count()
    issued = invoice.events.filter(action="issue").count()
    accepted = 1 if submission.is_accepted else 0
    if invoice.total and not len(taken) == payments == accepted:
        yield PAGES, f"{len(taken)} pages paid, {payments} payments, {invoice.status}"
    if issued != accepted:
        yield PAGES, f"issued {issued} times, {invoice.status}"


def _given_back_once(trial: Trial, invoice: Invoice, returned: Sequence[Moved]) -> Iterator[tuple[str, str]]:
    back = sum((each.amount for each in returned), ZERO)
    assert trial.selling is not None
    asked = ZERO
    if trial.selling.staff is Staff.REFUND:
        item = invoice.lines.get()
        coin = max(item.unit_price / COINS, money.quantum(invoice.currency))
        asked = refunded(trial.selling, invoice.total, coin)
    if back > asked:
        yield REFUNDED_TWICE, f"{back} went back, {asked} asked for"


def _begun_once(submission: Submission) -> Iterator[tuple[str, str]]:
    """One order for a line that sells one, with the card that was typed; none where nothing was bought."""
    invoice = submission.invoice
    orders = list(invoice.started_orders.all())
    wanted = int(submission.recurs and submission.is_accepted)
    if len(orders) != wanted:
        yield ORDERS, f"{len(orders)} in the place of {wanted}"
    if any(order.card_id is None for order in orders):
        yield ORDERS, "one has no card"


def lost_cards(left: Mapping[str, int]) -> Iterator[Difference]:
    """``left``: the pages on which a card was left that nothing was charged to, each with its trial. One that
    the visitor has left behind, by changing the order afterwards, counts no more.
    """
    for submission in submissions():
        page = submission.card_page.page_ref if submission.card_page else ""
        if page in left and not submission.is_accepted:
            yield left[page], CARDS, f"{submission.invoice}: {submission.invoice.status}, page {page}"


def coupons_of(trials: Iterable[int]) -> Iterator[tuple[int, Coupon]]:
    """Each with its trial's number."""
    numbers = {f"{SPRING}{number}": number for number in trials}
    for coupon in Coupon.objects.order_by("pk"):
        if coupon.name in numbers:
            yield numbers[coupon.name], coupon


def _coupons(trials: Mapping[int, Trial]) -> Iterator[Difference]:
    """Never more than there were, and each stands for an order that was taken, or that a page still waits
    for.
    """
    for number, coupon in coupons_of(trials):
        stands, left = (
            CouponRedemption.objects.filter(STANDS, code__coupon=coupon).count(),
            coupon.total_available,
        )
        assert left is not None
        if not stands == coupon.redeemed <= left:
            yield number, COUPONS, f"{coupon.redeemed} of {left} redeemed, {stands} stand"
    for submission in submissions():
        invoice = submission.invoice
        unpaid_void = invoice.status == InvoiceStatus.VOIDED and not invoice.was_paid
        wanted = int(bool(invoice.coupon) and submission.is_accepted and not unpaid_void)
        if trial_of(submission) in trials and invoice.redemptions.filter(STANDS).count() != wanted:
            yield trial_of(submission), COUPONS, f"{invoice}: not {wanted} redemptions of its code stand"


# -- what partners earn


def _earned(trial: Trial, invoice: Invoice) -> Iterator[tuple[str, str]]:
    """Each line and partner: the percentage of the line, in proportion to what was kept of the price."""
    line = invoice.lines.get()
    counted: dict[int, Decimal] = defaultdict(Decimal)
    for row in Commission.objects.filter(invoice=invoice).exclude(status=CommissionStatus.CANCELLED):
        if row.line_id != line.pk:
            yield COMMISSIONS, f"commission {row.pk} is not on its line"
        counted[row.level] += row.amount
    kept = invoice.paid if invoice.status == InvoiceStatus.CLOSED else ZERO
    assert trial.selling is not None
    for level, percent in ((1, PERCENT), (2, PERCENT_ABOVE)):
        due = _share(percent, line.net, kept, invoice) if trial.selling.with_link else ZERO
        if counted[level] != due:
            yield COMMISSIONS, f"{counted[level]} on level {level}, {due} {invoice.currency} due"


def _share(percent: Decimal, net: Decimal, kept: Decimal, invoice: Invoice) -> Decimal:
    """Rounded half up."""
    if not invoice.total:
        return ZERO
    coin = money.quantum(invoice.currency)
    exact = Fraction(net) * Fraction(percent) / 100 * Fraction(kept) / Fraction(invoice.total)
    return floor(exact / Fraction(coin) + Fraction(1, 2)) * coin
