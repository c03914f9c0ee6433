from __future__ import annotations

from copy import copy

from django.contrib import messages
from django.contrib.auth.decorators import login_required, permission_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django.views.decorators.vary import vary_on_headers
from django_htmx.middleware import HtmxDetails

from contacts.forms import ContactForm
from contacts.models import ORDERS, Contact, ContactChanged

PER_PAGE = 25
SUGGESTIONS = 8
LONGEST_QUERY = 200


class HtmxRequest(HttpRequest):
    htmx: HtmxDetails


@require_safe
@login_required
@permission_required("contacts.view_contact", raise_exception=True)
@vary_on_headers("HX-Request", "HX-Target")
def contact_list(request: HtmxRequest) -> HttpResponse:
    query = request.GET.get("q", "").replace("\0", "").strip()[:LONGEST_QUERY]
    order = request.GET.get("sort", "")
    order = order if order in ORDERS else "name"
    contacts = Contact.objects.search(query).for_list(order)
    if request.htmx.target == "found":
        return render(
            request,
            "contacts/_found.html",
            {"contacts": contacts[:SUGGESTIONS] if query else (), "query": query},
        )
    page = Paginator(contacts, PER_PAGE).get_page(request.GET.get("page"))
    template = "contacts/_list.html" if request.htmx.target == "contacts" else "contacts/list.html"
    return render(request, template, {"page": page, "query": query, "order": order})


@require_safe
@login_required
@permission_required("contacts.view_contact", raise_exception=True)
def detail(request: HttpRequest, pk: int) -> HttpResponse:
    return render(request, "contacts/detail.html", {"contact": get_object_or_404(Contact, pk=pk)})


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@permission_required("contacts.add_contact", raise_exception=True)
def new(request: HttpRequest) -> HttpResponse:
    form = ContactForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and (contact := form.store()):
        messages.success(request, _("%(name)s is a contact now.") % {"name": contact.name})
        return redirect(contact)
    return render(request, "contacts/form.html", {"form": form}, status=422 if form.errors else 200)


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
@permission_required("contacts.change_contact", raise_exception=True)
def edit(request: HttpRequest, pk: int) -> HttpResponse:
    contact = get_object_or_404(Contact, pk=pk)
    form = ContactForm(request.POST if request.method == "POST" else None, instance=copy(contact))
    differences: list[dict[str, str]] = []
    if request.method == "POST" and form.is_valid():
        try:
            if form.store():
                messages.success(
                    request, _("The details of %(name)s are stored.") % {"name": form.instance.name}
                )
                return redirect(contact)
        except ContactChanged as changed:
            differences, form = form.differences(changed), form.merged(changed)
    context = {"form": form, "contact": contact, "differences": differences}
    return render(
        request, "contacts/form.html", context, status=409 if differences else 422 if form.errors else 200
    )
