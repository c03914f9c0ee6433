"""One action on many invoices: show who takes part, start the run once, and let it go on by itself."""

from __future__ import annotations

import uuid

from django.core.paginator import Paginator
from django.http import Http404, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from billing.actions import Action
from billing.filters import InvoiceFilter, Selection, Unreadable
from billing.forms.bulk import BulkForm
from billing.models import Bulk
from billing.models.bulk import MOST_AT_ONCE, VERBS, Plan
from billing.models.offering import role_sentence
from billing.views.access import DeskRequest, desk, refused
from billing.views.answers import came_from, go
from billing.views.paging import PER_PAGE, Section

AT_A_TIME = 25
"""Invoices that one request deals with: about half a second."""
SHOWN = 50
"""Refused invoices that the dialog names; of the others it says how many."""


@require_POST
@desk("billing.view_invoice")
def act_many(request: DeskRequest, action: Action) -> HttpResponse:
    """The first POST, of a bulk bar, asks; the second, of the dialog, starts the run."""
    back = came_from(request, reverse("billing:invoices"))
    if action.name not in VERBS:
        raise Http404(_("This action is done to one invoice at a time."))
    if not request.user.has_perm(action.codename):
        return refused(request, role_sentence(action), status=403, back=back)
    started = _started(request, action)
    if started:
        return _go_on(request, started, back)
    try:
        selection = Selection.read(request.POST, InvoiceFilter)
        selection.check()
    except Unreadable as unreadable:
        return refused(request, str(unreadable), status=422, back=back)
    if selection.everything and selection.rows.count() > MOST_AT_ONCE:
        words = _("More than %(most)s invoices match: narrow the filter and take them in parts.")
        return refused(request, words % {"most": f"{MOST_AT_ONCE:,}"}, status=422, back=back)
    plan = Plan.of(action, selection.rows, request.user)
    return _confirm(request, plan, selection, back)


def _started(request: DeskRequest, action: Action) -> Bulk | None:
    """The run that the dialog's one-time key has started already."""
    try:
        key = uuid.UUID(request.POST.get("key", ""))
    except ValueError:
        return None
    return Bulk.objects.filter(pk=key, made_by=request.user, action=action.name).first()


def _confirm(request: DeskRequest, plan: Plan, selection: Selection, back: str) -> HttpResponse:
    if "key" not in request.POST:
        return _ask(request, BulkForm(plan=plan), selection, back)
    form = BulkForm(request.POST, plan=plan)
    if not form.is_valid():
        return _ask(request, form, selection, back, status=422)
    if form.is_stale or not plan.ids:
        # The change may be what the first of two clicks has done meanwhile.
        started = _started(request, plan.action)
        return _go_on(request, started, back) if started else _ask_again(request, plan, selection, back)
    run = Bulk.begin(request.user, plan, key=form.cleaned_data["key"], arguments=form.arguments)
    if (run.made_by_id, run.action) != (request.user.pk, plan.action.name):  # the key of another run
        raise Http404
    run.advance(request.user, most=AT_A_TIME)
    return _go_on(request, run, back)


def _ask(
    request: DeskRequest,
    form: BulkForm,
    selection: Selection,
    back: str,
    *,
    status: int = 200,
    notice: str = "",
) -> HttpResponse:
    plan = form.plan
    context = {
        "form": form,
        "plan": plan,
        "action": plan.action,
        "preview": form.preview(),
        "refused": plan.refused[:SHOWN],
        "more": max(0, len(plan.refused) - SHOWN),
        "selection": selection,
        "query": selection.filter.query.urlencode(),
        "notice": notice,
        "back": back,
    }
    return render(request, "billing/bulk/confirm.html", context, status=status)


def _ask_again(request: DeskRequest, plan: Plan, selection: Selection, back: str) -> HttpResponse:
    """The invoices changed meanwhile: the same dialog on the new state, with everything that was typed."""
    data = request.POST.copy()
    data["state"], data["key"] = plan.state, str(uuid.uuid4())
    notice = _("The invoices have changed since you opened this. Nothing was done; please look again.")
    return _ask(request, BulkForm(data, plan=plan), selection, back, status=409, notice=notice)


def _go_on(request: DeskRequest, run: Bulk, back: str) -> HttpResponse:
    """A short run ends in place with a toast; a long one, or a browser without scripts, goes to its page."""
    page = f"{reverse('billing:bulk', args=[run.pk])}?{urlencode({'next': back})}"
    if not (request.htmx and run.is_finished):
        return go(request, page)
    text = _("%(action)s: %(done)s done, %(refused)s not.") % {
        "action": run.label,
        "done": run.done,
        "refused": len(run.refused),
    }
    return trigger_client_event(
        HttpResponse(status=204), "done", {"text": text, "href": page, "label": _("Details")}
    )


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_invoice")
def bulk(request: DeskRequest, pk: uuid.UUID) -> HttpResponse:
    """How far a run has got (GET), and its next part (POST). Only whoever started it sees it."""
    run = get_object_or_404(Bulk, pk=pk, made_by=request.user)
    if request.method == "POST":
        run.advance(request.user, most=AT_A_TIME)
        if not request.htmx:
            return HttpResponseRedirect(request.get_full_path())
    rows = Paginator(run.refused, PER_PAGE).get_page(request.GET.get("refused"))
    context = {
        "run": run,
        "section": Section("refused", rows, request.GET),
        "back": came_from(request, reverse("billing:invoices")),
    }
    return render(request, "billing/bulk/run.html", context)
