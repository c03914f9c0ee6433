"""What the year has left, beside what it should have left."""

from __future__ import annotations

from collections import Counter as Tally
from collections import defaultdict
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import chain
from pathlib import Path
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Q

from billing import books, clock
from billing.gateways.sandbox.gateway import LedgerLine, SandboxGateway
from billing.models import Attempt, Invoice, Mail, Order, Payment, RechargeSchedule
from billing.statuses import AttemptState, InvoiceStatus, MailKind, PaymentType
from tests.year import collecting
from tests.year.calendar import Asked, expected
from tests.year.course import Story, still_waiting
from tests.year.sales import Befalls, Sale

TWICE = "asked for twice"
MISSING = "not asked for"
UNEXPECTED = "asked for on a date that the calendar does not have"
CHARGED_TWICE = "charged more than once"
NOT_RECORDED = "charged and not recorded"
NOT_CHARGED = "recorded and not charged"
MAILS = "mails that are not one for each cause"
WAITING = "left waiting"
BOOKS = "books that do not add up"
FAILED = "jobs that failed"
RETRIED = "retried or ended on other days than the settings say"
KINDS = (
    *(TWICE, MISSING, UNEXPECTED, RETRIED, CHARGED_TWICE, NOT_RECORDED, NOT_CHARGED),
    *(MAILS, WAITING, BOOKS, FAILED),
)


class Deviation(NamedTuple):
    kind: str
    words: str


def deviations(sales: Sequence[Sale], story: Story, errors: Path) -> list[Deviation]:
    found = chain(
        *(calendars(sales, story), retries(sales, story), money(), mails(sales, story)),
        *(waiting(), contradictions(), failures(errors)),
    )
    return [Deviation(*each) for each in found]


# -- the calendar


def calendars(sales: Sequence[Sale], story: Story) -> Iterator[tuple[str, str]]:
    """Each order's payments, by number and date, beside the calendar's."""
    asked: dict[int, list[Asked]] = defaultdict(list)
    rows = Invoice.objects.exclude(order=None).values_list("order", "period", "invoice_date")
    for order, period, on in rows:
        assert order is not None
        assert period is not None
        asked[order].append(Asked(period, on))
    for sale in sales:
        if sale.number in story.orders:
            order = story.orders[sale.number]
            for kind, words in compared(expected(sale, story.of(sale)), asked[order]):
                yield kind, f"sale {sale.number} ({sale.kind}), order {order}: {words}"


def compared(wanted: Sequence[Asked], found: Sequence[Asked]) -> Iterator[tuple[str, str]]:
    """By date first: a payment that is doubled or lost moves the numbers of all that follow."""
    dates, periods = Tally(each.on for each in found), Tally(each.period for each in found)
    for on, times in sorted(dates.items()):
        if times > 1:
            yield TWICE, f"{times} payments on {on}"
    for period, times in sorted(periods.items()):
        if times > 1:
            yield TWICE, f"payment {period} {times} times"
    calendar = {each.on for each in wanted}
    for on in sorted(calendar - dates.keys()):
        yield MISSING, f"nothing on {on}"
    for on in sorted(dates.keys() - calendar):
        yield UNEXPECTED, f"a payment on {on}"
    if dates.keys() == calendar and sorted(wanted) != sorted(found):
        yield UNEXPECTED, f"payments {sorted(periods)} on the dates of {[each.period for each in wanted]}"


def retries(sales: Sequence[Sale], story: Story) -> Iterator[tuple[str, str]]:
    for words in collecting.compared(sales, story.orders, story.runs, story.settings_changed_at):
        yield RETRIED, words


# -- money


def money() -> Iterator[tuple[str, str]]:
    """The sandbox's ledger beside our payments, key by key, and beside what each invoice asked for."""
    recorded: dict[UUID, Decimal] = defaultdict(Decimal)
    received = Payment.objects.applied().filter(type=PaymentType.PAYMENT).exclude(attempt=None)
    for key, amount in received.values_list("attempt__key", "amount"):
        recorded[key] += amount
    invoice_of = dict(Attempt.objects.values_list("key", "invoice"))
    total_of = dict(Invoice.objects.values_list("pk", "total"))
    taken: dict[int, Decimal] = defaultdict(Decimal)
    charged: dict[UUID | None, Decimal] = defaultdict(Decimal)
    for line in SandboxGateway().ledger():
        charged[line.key] += line.amount
        yield from _of_nobody(line, invoice_of)
        if line.key in invoice_of:
            taken[invoice_of[line.key]] += line.amount
    for invoice, amount in taken.items():
        if amount > total_of[invoice]:
            yield CHARGED_TWICE, f"invoice {invoice}: {amount} taken, {total_of[invoice]} asked for"
    for key in invoice_of:
        here, there = recorded[key], charged[key]
        if here != there:
            yield NOT_CHARGED if here > there else NOT_RECORDED, f"key {key}: {there} there, {here} here"


def _of_nobody(line: LedgerLine, invoice_of: dict[UUID, int]) -> Iterator[tuple[str, str]]:
    if line.key not in invoice_of:
        yield CHARGED_TWICE, f"{line.amount} {line.currency} under a key of nobody's: {line.key}"


# -- mails


def mails(sales: Sequence[Sale], story: Story) -> Iterator[tuple[str, str]]:
    """A receipt for each charge that asked for one, or the news that what had failed is paid after all. News
    of each decline. A request for payment to whoever has no card, once an invoice, and to whoever the bank
    wants to confirm, once a charge.
    """
    written: dict[str, Tally[int]] = defaultdict(Tally)
    for invoice, kind in Mail.objects.exclude(invoice=None).values_list("invoice", "kind"):
        assert invoice is not None
        written[kind][invoice] += 1
    receipts, requests, recovered, failed = Tally[int](), Tally[int](), Tally[int](), Tally[int]()
    stays = RechargeSchedule.objects.filter(left_as=InvoiceStatus.CLOSED)
    recovered.update(set(stays.values_list("invoice", flat=True)))
    charged = Attempt.objects.filter(state=AttemptState.APPROVED, send_receipt=True)
    receipts.update(charged.exclude(invoice__in=recovered).values_list("invoice", flat=True))
    declined = Attempt.objects.filter(state=AttemptState.DECLINED, invoice__order__isnull=False)
    failed.update(declined.values_list("invoice", flat=True))
    requests.update(RechargeSchedule.objects.filter(declined=None).values_list("invoice", flat=True))
    confirm = Q(events__action=f"attempt_{AttemptState.NEEDS_ACTION}", started_by=None, page_ref="")
    by_itself = Attempt.objects.filter(confirm, invoice__order__isnull=False)
    requests.update(by_itself.values_list("invoice", flat=True))
    requests.update(_asked_without_a_card(sales, story))
    for kind, causes in (
        (MailKind.RECEIPT, receipts),
        (MailKind.RECOVERED, recovered),
        (MailKind.PAYMENT_FAILED, failed),
        (MailKind.UNPAID_INVOICE, requests),
    ):
        for invoice in causes.keys() | written[kind].keys():
            if causes[invoice] != written[kind][invoice]:
                yield (
                    MAILS,
                    f"invoice {invoice}: {written[kind][invoice]} of {kind}, {causes[invoice]} causes",
                )


def _asked_without_a_card(sales: Sequence[Sale], story: Story) -> Iterator[int]:
    """The invoices that were made while their order had no card, and were not paid by being nothing."""
    for sale in sales:
        if sale.card or not sale.sends or sale.number not in story.orders:
            continue
        given = (
            done
            for done in story.deeds[sale.number]
            if done.what in (Befalls.NEW_CARD, Befalls.NEW_CARD_AT_ONCE)
        )
        until = min((done.at for done in given), default=None)
        made = Invoice.objects.filter(order=story.orders[sale.number], total__gt=0)
        yield from (made.filter(issued_at__lt=until) if until else made).values_list("pk", flat=True)


# -- the rest


def waiting() -> Iterator[tuple[str, str]]:
    for attempt in still_waiting():
        yield WAITING, f"attempt {attempt.pk} of invoice {attempt.invoice_id}: {attempt.state}"
    for order in Order.objects.due(clock.now()):
        yield WAITING, f"order {order.pk} since {order.next_charge_at}"
    for schedule in RechargeSchedule.objects.ending(clock.now()):
        yield WAITING, f"the end of {schedule}"
    for invoice in Invoice.objects.filter(charge_due_at__lte=clock.now()):
        yield WAITING, f"the charge of {invoice} at {invoice.charge_due_at}"
    unsettled = Invoice.objects.filter(awaiting_gateway=True).annotate(
        confirmed=Count("attempts", filter=Q(attempts__state=AttemptState.NEEDS_ACTION))
    )
    for invoice in unsettled.filter(confirmed=0):
        yield WAITING, f"{invoice} for an answer that nobody gives"


def contradictions() -> Iterator[tuple[str, str]]:
    for problem in chain(books.problems(), books.gateway_problems()):
        yield BOOKS, str(problem)


def failures(errors: Path) -> Iterator[tuple[str, str]]:
    for line in errors.read_text().splitlines():
        yield FAILED, line
