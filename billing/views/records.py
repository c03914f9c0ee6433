"""One action on a record that is not an invoice's: ask, show what will happen, do it once, answer."""

from __future__ import annotations

import functools
import uuid
from collections.abc import Callable
from typing import Any

from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from billing.actions import DISPUTE_ACTIONS, MONEY_ACTIONS, NOTICE_ACTIONS, Action
from billing.forms.records import DISPUTE_FORMS, MONEY_FORMS, NOTICE_FORMS, RecordForm
from billing.models import Dispute, GatewayEvent, UnmatchedMoney
from billing.models.guard import AlreadyDone, Invalid, NotAllowed, Refused, Stale
from billing.views.access import DeskRequest, desk, refused
from billing.views.answers import came_from, done

MakeForm = Callable[..., RecordForm]
"""The dialog's form, already told what it is about."""
ASKED = ["GET", "HEAD", "POST"]


@require_http_methods(ASKED)
@desk("billing.view_unmatchedmoney")
def match(request: DeskRequest, pk: int) -> HttpResponse:
    return _of_a_matter(request, UnmatchedMoney.objects.all(), pk, MONEY_ACTIONS["match"], MONEY_FORMS)


@require_http_methods(ASKED)
@desk("billing.view_unmatchedmoney")
def set_aside(request: DeskRequest, pk: int) -> HttpResponse:
    return _of_a_matter(request, UnmatchedMoney.objects.all(), pk, MONEY_ACTIONS["set_aside"], MONEY_FORMS)


@require_http_methods(ASKED)
@desk("billing.view_dispute")
def record_dispute(request: DeskRequest, pk: int) -> HttpResponse:
    return _of_a_matter(request, Dispute.objects.for_list(), pk, DISPUTE_ACTIONS["record"], DISPUTE_FORMS)


@require_http_methods(ASKED)
@desk("billing.view_gatewayevent")
def replay(request: DeskRequest, pk: int) -> HttpResponse:
    return _of_a_matter(request, GatewayEvent.objects.all(), pk, NOTICE_ACTIONS["replay"], NOTICE_FORMS)


def _of_a_matter(
    request: DeskRequest, rows: QuerySet[Any], pk: int, action: Action, forms: dict[str, type[RecordForm]]
) -> HttpResponse:
    record = get_object_or_404(rows, pk=pk)
    make = functools.partial(forms[action.name], record=record, user=request.user)
    return dialog(request, make, action, came_from(request, reverse("billing:attention")))


def dialog(request: DeskRequest, make: MakeForm, action: Action, back: str) -> HttpResponse:
    """Any action that a form on a record asks for: the question (GET), the deed and its answer (POST)."""
    if request.method == "POST":
        return _do(request, make, action, back)
    form = make()
    refusal = form.record.refusal(action, request.user)
    if refusal:
        return _refuse(request, refusal, back)
    if request.htmx.target == "preview":
        context = {"preview": make(request.GET).preview(), "action": action}
        return render(request, "billing/invoices/_preview.html", context)
    return _ask(request, form, action, back)


def _do(request: DeskRequest, make: MakeForm, action: Action, back: str) -> HttpResponse:
    form = make(request.POST)
    try:
        form.record.one_time_key(_key(request), request.user, action.name).refuse_used()
        refusal = form.record.refusal(action, request.user)
        if refusal:
            return _refuse(request, refusal, back)
        if not form.is_valid():
            return _ask(request, form, action, back, status=422)
        event = form.do()
    except AlreadyDone as already:
        event = already.event
    except Invalid as invalid:
        form.add_error(invalid.field if invalid.field in form.fields else None, str(invalid))
        return _ask(request, form, action, back, status=422)
    except Stale as stale:
        form.record.refresh_from_db()
        return _ask(request, make(), action, back, status=409, notice=str(stale))
    except Refused as refusal:
        return _refuse(request, refusal, back)
    return done(request, event, back=back)


def _ask(
    request: DeskRequest, form: RecordForm, action: Action, back: str, *, status: int = 200, notice: str = ""
) -> HttpResponse:
    context = {
        "form": form,
        "record": form.record,
        "action": action,
        "preview": form.preview(),
        "back": back,
        "notice": notice,
    }
    return render(request, "billing/attention/act.html", context, status=status)


def _refuse(request: DeskRequest, refusal: Refused, back: str) -> HttpResponse:
    status = 403 if isinstance(refusal, NotAllowed) else 409
    return refused(request, str(refusal), status=status, back=back)


def _key(request: DeskRequest) -> uuid.UUID | None:
    try:
        return uuid.UUID(request.POST.get("key", ""))
    except ValueError:
        return None  # the form says so in its own words
