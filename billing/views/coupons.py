"""Coupons' codes: issue one to a contact, or one to each of many, copy one, withdraw one."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from functools import partial

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from billing import clock
from billing.actions import CODE_ACTIONS, CODE_STEPS
from billing.filters import Unreadable, read_ids
from billing.forms.coupons import CODE_FORMS, CouponField, IssueCodeForm, ManyForm, many_preview
from billing.models import Coupon, CouponCode
from billing.models.coupons.issuing import IssuePlan, issue_codes, key_of
from billing.models.guard import AlreadyDone, Invalid, NotAllowed, Refused
from billing.models.offering import role_sentence
from billing.views.access import DeskRequest, desk, refused
from billing.views.answers import came_from
from billing.views.paging import PER_PAGE
from billing.views.records import dialog
from contacts.models import Contact, ContactQuerySet

ASKED = ["GET", "HEAD", "POST"]
LONGEST_QUERY = 200


@require_http_methods(ASKED)
@desk("contacts.view_contact", "billing.view_couponcode")
def issue(request: DeskRequest, pk: int) -> HttpResponse:
    """Issue a code to this contact."""
    contact = get_object_or_404(Contact, pk=pk)
    back = came_from(request, reverse("billing:purchases", args=[pk]) + "#coupons")
    action = CODE_STEPS["issue_code"]
    if request.user.has_perm(action.codename) and not Coupon.objects.for_issuing().exists():
        sentence = _("There is no personal coupon to issue a code of: make one in the back office first.")
        return refused(request, sentence, status=409, back=back)
    make = partial(IssueCodeForm, record=CouponCode(contact=contact), user=request.user)
    return dialog(request, make, action, back)


@require_http_methods(ASKED)
@desk("billing.view_couponcode")
def withdraw(request: DeskRequest, pk: int) -> HttpResponse:
    code = _code(pk)
    make = partial(CODE_FORMS["withdraw"], record=code, user=request.user)
    return dialog(request, make, CODE_ACTIONS["withdraw"], _home_of(request, code))


@require_safe
@desk("billing.view_couponcode")
def copy(request: DeskRequest, pk: int) -> HttpResponse:
    """The browser copies it by itself; without scripts this page shows it to be copied."""
    code, action = _code(pk), CODE_ACTIONS["copy_code"]
    back, refusal = _home_of(request, code), code.refusal(action, request.user)
    if refusal:
        status = 403 if isinstance(refusal, NotAllowed) else 409
        return refused(request, str(refusal), status=status, back=back)
    return render(request, "billing/coupons/copy.html", {"code": code, "action": action, "back": back})


def _code(pk: int) -> CouponCode:
    personal = CouponCode.objects.filter(contact__isnull=False)
    return get_object_or_404(personal.select_related("coupon", "contact"), pk=pk)


def _home_of(request: DeskRequest, code: CouponCode) -> str:
    return came_from(request, reverse("billing:purchases", args=[code.contact_id]) + "#coupons")


# -- to many


@dataclass(frozen=True, slots=True)
class Chosen:
    """Contacts as the page names them: those that a search finds, all of them or the ticked ones."""

    query: str
    ids: tuple[int, ...]
    everything: bool

    @classmethod
    def read(cls, request: DeskRequest) -> Chosen:
        """Raises Unreadable for an id that is none."""
        data = request.POST if request.method == "POST" else request.GET
        query = data.get("q", "").replace("\0", "").strip()[:LONGEST_QUERY]
        return cls(query, read_ids(data.getlist("ids")), data.get("who") == "all")

    @property
    def found(self) -> ContactQuerySet:
        return Contact.objects.search(self.query)

    @property
    def contacts(self) -> QuerySet[Contact]:
        """Raises Unreadable when nobody is chosen."""
        if self.everything:
            return self.found
        if not self.ids:
            raise Unreadable(_("Nobody is chosen: tick the contacts that are meant, or choose all of them."))
        return Contact.objects.filter(pk__in=self.ids)

    @property
    def joined_ids(self) -> str:
        return ",".join(map(str, self.ids))


@require_http_methods(ASKED)
@desk("contacts.view_contact", "billing.view_coupon")
def issue_many(request: DeskRequest) -> HttpResponse:
    """The list (GET); what would happen (the first POST); the deed (the second one, with its key)."""
    action = CODE_STEPS["issue_code"]
    back = came_from(request, reverse("contacts:list"))
    if not request.user.has_perm(action.codename):
        return refused(request, role_sentence(action), status=403, back=back)
    try:
        chosen = Chosen.read(request)
    except Unreadable as unreadable:
        return refused(request, str(unreadable), status=422, back=back)
    if request.method != "POST":
        return _list(request, ManyForm(initial={"coupon": request.GET.get("coupon", "")}), chosen)
    try:
        return _posted(request, chosen)
    except AlreadyDone as already:
        messages.info(request, _("This was done already: %(text)s") % {"text": already.event.text})
        return HttpResponseRedirect(reverse("billing:coupon_issue"))
    except Refused as refusal:
        return refused(request, str(refusal), status=409, back=back)


def _posted(request: DeskRequest, chosen: Chosen) -> HttpResponse:
    key_of(request.user, _key(request)).refuse_used()
    form = ManyForm(request.POST)
    if not form.is_valid():
        return _list(request, form, chosen, status=422)
    given = form.cleaned_data
    try:
        plan = IssuePlan.of(given["coupon"], chosen.contacts, again=given["again"])
        if not form.confirmed(plan):
            return _confirm(request, form, plan, chosen, stale=bool(given["key"]))
        event = issue_codes(
            request.user,
            coupon=given["coupon"],
            contacts=chosen.contacts,
            again=given["again"],
            at=clock.now(),
            key=given["key"],
        )
    except Unreadable as unreadable:
        form.add_error(None, str(unreadable))
    except Invalid as invalid:
        form.add_error(invalid.field if invalid.field in form.fields else None, str(invalid))
    else:
        messages.success(request, event.text)
        where = urlencode({"q": chosen.query, "coupon": given["coupon"].pk})
        return HttpResponseRedirect(f"{reverse('billing:coupon_issue')}?{where}")
    return _list(request, form, chosen, status=422)


def _key(request: DeskRequest) -> uuid.UUID | None:
    try:
        return uuid.UUID(request.POST.get("key", ""))
    except ValueError:
        return None  # not confirmed yet, or the form says so in its own words


def _list(request: DeskRequest, form: ManyForm, chosen: Chosen, *, status: int = 200) -> HttpResponse:
    rows = chosen.found.for_list()
    context = {
        "form": form,
        "coupon": _coupon(request),
        "chosen": chosen,
        "page": Paginator(rows, PER_PAGE).get_page(request.GET.get("page")),
        "has_coupons": Coupon.objects.for_issuing().exists(),
    }
    return render(request, "billing/coupons/issue.html", context, status=status)


def _coupon(request: DeskRequest) -> Coupon | None:
    """The one that the address names, if it is one of which codes are issued."""
    try:
        coupon: Coupon = CouponField().clean(request.GET.get("coupon"))
    except ValidationError:
        return None
    return coupon


def _confirm(
    request: DeskRequest, form: ManyForm, plan: IssuePlan, chosen: Chosen, *, stale: bool
) -> HttpResponse:
    context = {
        "action": CODE_STEPS["issue_code"],
        "coupon": form.cleaned_data["coupon"],
        "form": ManyForm(form.asked_again(plan)),
        "plan": plan,
        "preview": many_preview(form.cleaned_data["coupon"], plan),
        "chosen": chosen,
        "stale": stale,
        "back": f"{reverse('billing:coupon_issue')}?{urlencode({'q': chosen.query})}",
    }
    return render(request, "billing/coupons/confirm.html", context, status=409 if stale else 200)
