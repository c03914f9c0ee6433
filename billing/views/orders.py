"""Subscriptions and payment plans: the page of one, and what is done to it."""

from __future__ import annotations

import functools

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from billing import clock
from billing.actions import ORDER_ACTIONS, ORDER_STEPS, Action
from billing.forms.begin import BeginForm
from billing.forms.orders import ORDER_FORMS
from billing.models import Order, RechargeSettings
from billing.views.access import DeskRequest, desk
from billing.views.act import dialog
from billing.views.answers import came_from
from billing.views.invoices import LATEST
from billing.views.paging import section
from contacts.models import Contact


class OrderActionConverter:
    """The part of an address that names an action of an order: exactly the names that its table knows."""

    regex = "|".join(ORDER_ACTIONS)

    def to_python(self, value: str) -> Action:
        return ORDER_ACTIONS[value]

    def to_url(self, value: Action | str) -> str:
        return value if isinstance(value, str) else value.name


@require_safe
@desk("billing.view_order")
def order(request: DeskRequest, pk: int) -> HttpResponse:
    found = get_object_or_404(Order.objects.select_related("contact", "card", "origin"), pk=pk)
    lines, today = found.regular_lines(), clock.today()
    context = {
        "order": found,
        "contact": found.contact,
        "recharging": RechargeSettings.current(),
        "lines": [(line, line.amounts(found.currency).total) for line in lines],
        "upcoming": found.upcoming(lines, today),
        "invoices": section("invoices", found.asked().for_list(), request.GET),
        "today": today,
        "mails": found.mails_about()[:LATEST],
        "events": section("events", found.events.for_timeline(), request.GET),
    }
    return render(request, "billing/orders/order.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_order")
def act(request: DeskRequest, pk: int, action: Action) -> HttpResponse:
    """The dialog of an action (GET) and the action itself (POST)."""
    found = get_object_or_404(Order.objects.select_related("contact", "card"), pk=pk)
    back = came_from(request, reverse("billing:order", args=[pk]))
    make = functools.partial(ORDER_FORMS[action.name], order=found, user=request.user)
    return dialog(request, make, action, back)


@require_safe
@desk("billing.view_order")
def why_not(request: DeskRequest, pk: int) -> HttpResponse:
    """Every action that is not offered now, each with the reason."""
    found = get_object_or_404(Order, pk=pk)
    reasons = found.unavailable_actions(request.user)
    context = {
        "about": found,
        "reasons": reasons,
        "back": came_from(request, reverse("billing:order", args=[pk])),
    }
    return render(request, "billing/invoices/why_not.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_order")
def begin(request: DeskRequest, pk: int) -> HttpResponse:
    """New subscription or plan."""
    contact = get_object_or_404(Contact, pk=pk)
    back = came_from(request, reverse("billing:purchases", args=[pk]) + "#orders")
    make = functools.partial(BeginForm, contact=contact, user=request.user)
    return dialog(request, make, ORDER_STEPS["begin"], back)
