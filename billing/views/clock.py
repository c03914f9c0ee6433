"""The clock of a desk that is being tried out: what time it is there, and a way to let days pass."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from time import monotonic
from typing import TYPE_CHECKING, NamedTuple

from django.db.models import Count, Max
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from billing import clock
from billing.forms.clock import ClockForm
from billing.gateways.sandbox import clock as desk_clock
from billing.models import Event, Mail
from billing.views.access import DeskRequest, desk, refused
from billing.views.answers import go

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

    from billing.models.event import EventQuerySet

A_WHILE = 2.0
"""Seconds that one request lets days pass for; the page then asks for more."""
SHOWN = 25

NEWS = (
    ("bill", _("Payments of orders asked for")),
    ("charge_approved", _("Cards charged")),
    ("charge_declined", _("Cards declined")),
    ("charge_not_made", _("Charges not made")),
    ("charge_not_possible", _("Without a card that could pay")),
    ("run_collections", _("Moved to Collections")),
    ("write_off", _("Written off")),
    ("order_completed", _("Orders completed")),
)
"""Deeds that are counted, as the timelines name them."""


class Figure(NamedTuple):
    label: StrOrPromise
    times: int


@require_http_methods(["GET", "HEAD", "POST"])
@desk("sandbox.change_deskclock")
def page(request: DeskRequest, *, run_jobs: Callable[[datetime], object]) -> HttpResponse:
    """The desk's time and what has happened since it was last moved (GET); days that pass (POST)."""
    if why_not := desk_clock.refusal():
        return refused(request, why_not, status=409, back=reverse("home"))
    going = desk_clock.journey()
    form = ClockForm(
        request.POST if request.method == "POST" else None,
        bound_for=clock.day_of(going.bound_for) if going else None,
    )
    if not form.is_valid():
        return _shown(request, form, going, status=422 if form.is_bound else 200)
    until = monotonic() + A_WHILE
    desk_clock.set_out(form.cleaned_data["to"], **_last_rows())
    desk_clock.go_on(run_jobs, proceed=lambda: monotonic() < until)
    going = desk_clock.journey()
    if request.htmx and going and going.days_left:
        return _shown(request, ClockForm(), going)
    return go(request, request.path)  # the whole page: its head tells the time too


def _last_rows() -> dict[str, int]:
    lasts = (("events_before", Event), ("mails_before", Mail))
    return {name: model._default_manager.aggregate(last=Max("pk"))["last"] or 0 for name, model in lasts}


def _shown(
    request: DeskRequest, form: ClockForm, going: desk_clock.Journey | None, *, status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "now": clock.now(),
        "going": going,
        "figures": _figures(going) if going else [],
        "events": _events(going)[:SHOWN] if going else [],
    }
    return render(request, "billing/clock.html", context, status=status)


def _events(going: desk_clock.Journey) -> EventQuerySet:
    return Event.objects.filter(pk__gt=going.events_before).for_timeline()


def _figures(going: desk_clock.Journey) -> list[Figure]:
    """What the days have brought; nothing is left out but what did not happen."""
    since = Event.objects.filter(pk__gt=going.events_before)
    counts = dict(since.values_list("action").annotate(count=Count("pk")).order_by())
    figures = [Figure(label, counts.get(action, 0)) for action, label in NEWS]
    figures.append(Figure(_("E-mails written"), Mail.objects.filter(pk__gt=going.mails_before).count()))
    return [figure for figure in figures if figure.times]
