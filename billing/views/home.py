"""Home: what needs a person today, each with the way to all of its kind, and how the money comes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib.auth.decorators import login_required, permission_required
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from billing import clock
from billing.filters import end_of_today
from billing.models import Attempt, Invoice, Job, Mail, Order, Payment
from billing.models.guard import may
from billing.views.access import has_purchases
from billing.views.attention import KINDS
from billing.views.takings import ages_of, chart_of, first_day

if TYPE_CHECKING:
    from django.http.response import HttpResponseBase
    from django_stubs_ext import StrOrPromise

FIRST_FEW = 5
PERMISSIONS = tuple(
    f"billing.view_{model}"
    for model in ("invoice", "payment", "order", "attempt", "mail", "job", "unmatchedmoney", "dispute")
)


@dataclass(frozen=True, slots=True)
class Line:
    """One row of a block. ``who`` is a contact's name, ``note`` what else is known."""

    what: str
    url: str
    who: str = ""
    note: str = ""
    amount: Decimal | None = None
    currency: str = ""


@dataclass(frozen=True, slots=True)
class Block:
    """The first few of one kind, how many there are, and where all of them stand."""

    name: str
    title: str
    count: int
    lines: list[Line]
    url: str
    empty: str


@dataclass(frozen=True, slots=True)
class Kind:
    """How the rows of a block are found at a moment, how each is written, and which list holds them all."""

    name: str
    title: StrOrPromise
    empty: StrOrPromise
    rows: Callable[[datetime], QuerySet[Any]]
    write: Callable[[Any], Line]
    route: str
    query: Callable[[datetime], dict[str, Any]] = lambda now: {}
    anchor: str = ""

    def block(self, now: datetime) -> Block:
        rows = self.rows(now)
        count = rows.count()
        asked = urlencode(self.query(now))
        url = f"{reverse(f'billing:{self.route}')}{'?' if asked else ''}{asked}{self.anchor}"
        lines = [self.write(row) for row in rows[:FIRST_FEW]] if count else []
        return Block(self.name, str(self.title), count, lines, url, str(self.empty))


@require_safe
@login_required
@permission_required("contacts.view_contact", raise_exception=True)
def home(request: HttpRequest) -> HttpResponseBase:
    """Whoever has nothing to do with purchases is led on to the contacts."""
    if not has_purchases() or not all(may(request.user, permission) for permission in PERMISSIONS):
        return redirect("contacts:list")
    return _page(request)


def _page(request: HttpRequest) -> HttpResponse:
    now, today = clock.now(), clock.today()
    came = Payment.objects.by_day(first_day(today))
    owed = Invoice.objects.unpaid_by_age(today)
    currencies = sorted({settings.DEFAULT_CURRENCY, *(row["currency"] for row in (*came, *owed))})
    asked = request.GET.get("currency", "")
    currency = asked if asked in currencies else settings.DEFAULT_CURRENCY
    ages = ages_of(currency, owed, today)
    context = {
        "blocks": [kind.block(now) for kind in BLOCKS],
        "others": [(kind, kind.rows().count()) for kind in KINDS if kind.name != "attempts"],
        "today": today,
        "currency": currency,
        "currencies": currencies,
        "chart": chart_of(currency, came, today),
        "ages": ages,
        "unpaid": sum(age.amount for age in ages),
    }
    return render(request, "billing/home/page.html", context)


# -- a row of each block


def _attempt(attempt: Attempt) -> Line:
    return Line(
        what=str(attempt.invoice),
        url=reverse("billing:invoice", args=[attempt.invoice_id]),
        who=attempt.invoice.contact.name,
        note=f"{attempt.get_kind_display()} · {attempt.get_state_display()}",
        amount=attempt.amount,
        currency=attempt.currency,
    )


def _declined(payment: Payment) -> Line:
    known = [payment.method_label, payment.decline_reason or payment.decline_code]
    return Line(
        what=str(payment.invoice),
        url=reverse("billing:invoice", args=[payment.invoice_id]),
        who=payment.invoice.contact.name,
        note=" · ".join(filter(None, known)),
        amount=payment.amount,
        currency=payment.currency,
    )


def _invoice(invoice: Invoice, note: str, amount: Decimal) -> Line:
    return Line(
        what=str(invoice),
        url=reverse("billing:invoice", args=[invoice.pk]),
        who=invoice.contact.name,
        note=note,
        amount=amount,
        currency=invoice.currency,
    )


def _in_collections(invoice: Invoice) -> Line:
    assert invoice.charge_due_at is not None  # the question asks for those only
    at = date_format(timezone.localtime(invoice.charge_due_at), "j M, H:i")
    return _invoice(invoice, _now("card charged again %(at)s") % {"at": at}, invoice.balance)


def _draft(invoice: Invoice) -> Line:
    since = date_format(timezone.localtime(invoice.created_at))
    return _invoice(invoice, _now("since %(day)s") % {"day": since}, invoice.total)


def _order(order: Order) -> Line:
    return Line(
        what=order.summary,
        url=reverse("billing:order", args=[order.pk]),
        who=order.contact.name,
        note=_now("next charge %(next)s") % {"next": order.next_words},
        amount=order.amount,
        currency=order.currency,
    )


def _expiring(order: Order) -> Line:
    assert order.card is not None  # the question asks for those only
    line = _order(order)
    expires = _now("%(card)s expires %(when)s") % {"card": order.card, "when": order.card.expiry}
    return Line(line.what, line.url, line.who, f"{expires} · {line.note}", line.amount, line.currency)


def _mail(mail: Mail) -> Line:
    url = reverse("billing:mail", args=[mail.pk])
    return Line(mail.subject, url, mail.contact.name, " · ".join(filter(None, [mail.to, mail.error])))


def _job(job: Job) -> Line:
    tried = ""
    if job.failures > 1:
        tried = _now("failed %(count)s times in a row") % {"count": job.failures}
    next_try = ""
    if job.next_try_at:
        at = date_format(timezone.localtime(job.next_try_at), "H:i")
        next_try = _now("next try %(at)s") % {"at": at}
    note = " · ".join(filter(None, [tried, next_try, job.error]))
    return Line(job.label, f"{reverse('billing:health')}#jobs", note=note)


def _yesterday(now: datetime) -> date:
    return clock.day_of(now) - date.resolution


def _of_yesterday(now: datetime) -> dict[str, Any]:
    day = _yesterday(now)
    return {"type": "payment", "status": "declined", "date_from": day, "date_to": day}


BLOCKS = (
    Kind(
        "unknown",
        _("Outcome unknown"),
        _("The gateway has answered every charge and refund."),
        lambda now: Attempt.objects.unanswered().select_related("invoice__contact"),
        _attempt,
        "attention",
        anchor="#attempts",
    ),
    Kind(
        "declined",
        _("Declined yesterday"),
        _("No card was declined yesterday."),
        lambda now: Payment.objects.declined_on(_yesterday(now)).select_related("invoice__contact"),
        _declined,
        "payments",
        _of_yesterday,
    ),
    Kind(
        "collections",
        _("Collections due today"),
        _("No card is charged again today."),
        lambda now: Invoice.objects.collections_due(end_of_today()).select_related("contact"),
        _in_collections,
        "invoices",
        lambda now: {"needs": "retry"},
    ),
    Kind(
        "past_due",
        _("Orders past due"),
        _("Every order has been paid so far."),
        lambda now: Order.objects.past_due().select_related("contact"),
        _order,
        "orders",
        lambda now: {"status": "past_due"},
    ),
    Kind(
        "expiring",
        _("Expiring cards"),
        _("Every order's card works on the day of its next charge."),
        lambda now: Order.objects.with_expiring_card().select_related("contact", "card"),
        _expiring,
        "orders",
        lambda now: {"needs": "card"},
    ),
    Kind(
        "drafts",
        _("Drafts older than a week"),
        _("No draft has been lying for more than a week."),
        lambda now: Invoice.objects.old_drafts(now).select_related("contact"),
        _draft,
        "invoices",
        lambda now: {"needs": "draft"},
    ),
    Kind(
        "mails",
        _("E-mails that failed"),
        _("Every e-mail was sent, or still will be."),
        lambda now: Mail.objects.failed().select_related("contact").defer("text", "html"),
        _mail,
        "invoices",
        lambda now: {"needs": "mail"},
    ),
    Kind(
        "jobs",
        _("Jobs that failed"),
        _("What is done by itself works."),
        lambda now: Job.objects.failing(),
        _job,
        "health",
        anchor="#jobs",
    ),
)
"""In the order in which they cannot wait."""
