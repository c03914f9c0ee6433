"""Partners: the page of one, who referred whom, approval and payout."""

from __future__ import annotations

import functools
from typing import Any

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing.actions import COMMISSION_ACTIONS, PROGRAM_ACTIONS
from billing.filters import CommissionFilter, Selection, Unreadable
from billing.forms.partners import ApproveForm, EnrolForm, PayOutForm, ReferrersForm
from billing.models import Commission, Partner, PartnerProgram, Payout, Referral
from billing.models.guard import AlreadyDone, Refused, Stale
from billing.models.offering import role_sentence
from billing.models.partners.commission import MOST_AT_ONCE
from billing.statuses import CommissionStatus
from billing.views.access import DeskRequest, desk, refused
from billing.views.answers import came_from, done
from billing.views.paging import section
from billing.views.records import dialog
from contacts.models import Contact

ASKED = ["GET", "HEAD", "POST"]
APPROVE = COMMISSION_ACTIONS["approve"]


# -- a contact


@require_safe
@desk("contacts.view_contact", "billing.view_partner")
def referrals(request: DeskRequest, pk: int) -> HttpResponse:
    """The tab: who referred the contact, and, of a partner, whom they referred and what they earned."""
    contact = get_object_or_404(Contact, pk=pk)
    partners = {partner.program_id: partner for partner in _partners_of(contact)}
    referred = {row.program_id: row for row in _referrals_of(contact)}
    owned = list(partners.values())
    context = {
        "contact": contact,
        "programs": [
            (program, referred.get(program.pk), partners.get(program.pk))
            for program in PartnerProgram.objects.order_by("name")
        ],
        "partners": owned,
        "figures": Commission.objects.filter(partner__in=owned).figures_by_currency() if owned else [],
        "referred": section("referred", Partner.referred_by(owned), request.GET) if owned else None,
        "commissions": section(
            "commissions", Commission.objects.filter(partner__in=owned).for_list(), request.GET
        )
        if owned
        else None,
    }
    return render(request, "billing/partners/tab.html", context)


def _partners_of(contact: Contact) -> list[Partner]:
    return list(Partner.objects.with_names().filter(contact=contact).order_by("program__name"))


def _referrals_of(contact: Contact) -> list[Referral]:
    rows = Referral.objects.filter(contact=contact)
    return list(rows.select_related("first__contact", "last__contact"))


@require_http_methods(ASKED)
@desk("billing.view_partner")
def enrol(request: DeskRequest, pk: int, program: int) -> HttpResponse:
    return _of_contact(request, pk, program, EnrolForm)


@require_http_methods(ASKED)
@desk("billing.view_referral")
def referrers(request: DeskRequest, pk: int, program: int) -> HttpResponse:
    return _of_contact(request, pk, program, ReferrersForm)


def _of_contact(request: DeskRequest, pk: int, program: int, form: Any) -> HttpResponse:
    contact = get_object_or_404(Contact, pk=pk)
    record = get_object_or_404(PartnerProgram, pk=program)
    make = functools.partial(form, record=record, user=request.user, contact=contact)
    back = came_from(request, reverse("billing:referrals", args=[pk]))
    return dialog(request, make, PROGRAM_ACTIONS[form.verb], back)


# -- a partner


@require_safe
@desk("billing.view_partner", "billing.view_commission")
def partner(request: DeskRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Partner.objects.with_names(), pk=pk)
    payouts = Payout.objects.filter(commissions__partner=found).distinct().for_list()
    context = {
        "partner": found,
        "contact": found.contact,
        "figures": Commission.objects.filter(partner=found).figures_by_currency(),
        "commissions": section(
            "commissions", Commission.objects.filter(partner=found).for_list(), request.GET
        ),
        "payouts": section("payouts", payouts, request.GET),
        "referred": section("referred", Partner.referred_by([found]), request.GET),
    }
    return render(request, "billing/partners/partner.html", context)


# -- commissions


@require_http_methods(ASKED)
@desk("billing.view_commission")
def approve(request: DeskRequest) -> HttpResponse:
    """Asked by a row's link (GET), or by the bulk bar's POST; the dialog's POST has the one-time key."""
    back = came_from(request, reverse("billing:commissions"))
    if not request.user.has_perm(APPROVE.codename):
        return refused(request, role_sentence(APPROVE), status=403, back=back)
    data = request.POST if request.method == "POST" else request.GET
    try:
        selection = Selection.read(data, CommissionFilter)
        selection.check()
    except Unreadable as unreadable:
        return refused(request, str(unreadable), status=422, back=back)
    chosen = selection.rows.count()
    if chosen > MOST_AT_ONCE:
        words = _("More than %(most)s commissions match: narrow the filter and take them in parts.")
        return refused(request, words % {"most": f"{MOST_AT_ONCE:,}"}, status=422, back=back)
    rows = selection.rows.filter(status=CommissionStatus.PENDING).only("amount", "currency", "status")
    return _approve(request, selection, rows, chosen, back)


def _approve(request: DeskRequest, selection: Selection, rows: Any, chosen: int, back: str) -> HttpResponse:
    if "key" not in request.POST:
        form = ApproveForm(rows=rows, chosen=chosen)
        return _ask(request, form, selection, back)
    form = ApproveForm(request.POST, rows=rows, chosen=chosen)
    if not form.is_valid():
        return _ask(request, form, selection, back, status=422)
    try:
        event = form.do(request.user)
    except AlreadyDone as already:
        event = already.event
    except Stale as stale:
        again = ApproveForm(rows=rows, chosen=chosen)
        return _ask(request, again, selection, back, status=409, notice=str(stale))
    except Refused as refusal:
        return refused(request, str(refusal), status=409, back=back)
    return done(request, event, back=back)


def _ask(
    request: DeskRequest,
    form: ApproveForm,
    selection: Selection,
    back: str,
    *,
    status: int = 200,
    notice: str = "",
) -> HttpResponse:
    if not form.rows:
        words = _("None of these commissions is pending: nothing is to be approved.")
        return refused(request, words, status=409, back=back)
    context = {
        "form": form,
        "action": APPROVE,
        "preview": form.preview(),
        "selection": selection,
        "query": selection.filter.query.urlencode(),
        "notice": notice,
        "back": back,
    }
    return render(request, "billing/partners/approve.html", context, status=status)


# -- payouts


@require_http_methods(ASKED)
@desk("billing.view_partnerprogram")
def pay_out(request: DeskRequest, pk: int) -> HttpResponse:
    record = get_object_or_404(PartnerProgram, pk=pk)
    make = functools.partial(PayOutForm, record=record, user=request.user)
    back = came_from(request, reverse("billing:commissions"))
    return dialog(request, make, PROGRAM_ACTIONS["pay_out"], back)


@require_safe
@desk("billing.view_payout")
def payouts(request: DeskRequest) -> HttpResponse:
    found = section("page", Payout.objects.for_list(), request.GET)
    return render(request, "billing/partners/payouts.html", {"section": found})


@require_safe
@desk("billing.view_payout")
def payout(request: DeskRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Payout.objects.select_related("program", "made_by"), pk=pk)
    shares = section("shares", found.shares(), request.GET)
    return render(request, "billing/partners/payout.html", {"payout": found, "shares": shares})
