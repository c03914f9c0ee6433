"""One search box for everything, on every page: what it finds as one types, and the page of all of it."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from billing import searching
from billing.views.access import DeskRequest, desk
from contacts.models import Contact

MOST = 25
SUGGESTIONS = 5
"""Of each kind, while one types."""


@require_safe
@desk("contacts.view_contact", "billing.view_invoice", "billing.view_payment", "billing.view_card")
def search(request: DeskRequest) -> HttpResponse:
    text = searching.tidy(request.GET.get("q", ""))
    typing = request.htmx.target == "found"
    most = SUGGESTIONS if typing else MOST
    contacts = Contact.objects.search(text).for_list()[:most] if text else ()
    context = {
        "query": text,
        "contacts": list(contacts),
        "invoices": searching.invoices(text, most) if text else [],
        "payments": searching.payments(text, most) if text else [],
        "cards": searching.cards(text, most) if text else [],
        "most": most,
    }
    return render(request, "billing/search/_found.html" if typing else "billing/search/page.html", context)
