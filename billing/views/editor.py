"""The invoice editor: a page for new invoices, drafts and open ones, and what it asks meanwhile."""

from __future__ import annotations

import json
import re
import uuid
from decimal import Decimal
from typing import Any

from django.contrib import messages
from django.http import HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from billing import money
from billing.actions import ACTIONS
from billing.forms.comparison import differences
from billing.forms.editor import Editor, Saved
from billing.forms.lines import Row, is_id
from billing.models import Event, Invoice, Product
from billing.models.base import MAX_LINES
from billing.models.guard import AlreadyDone, Gone, Invalid, NotAllowed, NotOffered, Stale
from billing.statuses import AttemptState
from billing.views.access import DeskRequest, desk, refused
from contacts.models import Contact

MATCHES = 8
LONGEST_QUERY = 200
ROW_BUTTON = re.compile(r"(up|down|remove|product)-([0-9]{1,9})", re.ASCII)


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_invoice")
def new(request: DeskRequest, pk: int) -> HttpResponse:
    contact = get_object_or_404(Contact, pk=pk)
    if not request.user.has_perm("billing.add_invoice"):
        sentence = _("Your role does not include creating invoices.")
        return refused(request, sentence, status=403, back=reverse("billing:purchases", args=[pk]))
    return _editor(request, contact, None)


@require_http_methods(["GET", "HEAD", "POST"])
@desk("billing.view_invoice")
def edit(request: DeskRequest, pk: int) -> HttpResponse:
    invoice = get_object_or_404(Invoice.objects.select_related("contact"), pk=pk)
    refusal = invoice.refusal(ACTIONS["edit"], request.user)
    if isinstance(refusal, NotAllowed) or (refusal and request.method != "POST"):
        status = 403 if isinstance(refusal, NotAllowed) else 409
        return refused(request, str(refusal), status=status, back=reverse("billing:invoice", args=[pk]))
    return _editor(request, invoice.contact, invoice)


@require_POST
@desk("billing.view_invoice")
def totals(request: DeskRequest) -> HttpResponse:
    """What the form that is being typed comes to, by the arithmetic that saving uses. Saves nothing."""
    contact, invoice = _subject(request)
    editor = Editor(request.user, contact=contact, invoice=invoice, data=request.POST)
    editor.read()
    return render(request, "billing/editor/_totals_update.html", _sums(editor))


@require_safe
@desk("billing.view_product")
def product_search(request: DeskRequest) -> HttpResponse:
    """Products that match ``q``, or the description of the line that is being typed."""
    query = request.GET.get("q") or request.GET.get("line-description", "")
    query = query.replace("\0", "").strip()[:LONGEST_QUERY]
    found = Product.objects.search(query).with_prices()[:MATCHES] if query else ()
    currency = request.GET.get("currency", "")
    offers = [
        (product.priced_in(currency) or product, json.dumps(_fillings(product, currency)))
        for product in found
    ]
    return render(request, "billing/editor/_products.html", {"offers": offers})


def _subject(request: DeskRequest) -> tuple[Contact, Invoice | None]:
    """Whose invoice the totals are for: ``?invoice=`` or, for a new one, ``?contact=``."""
    invoice, contact = request.GET.get("invoice", ""), request.GET.get("contact", "")
    if is_id(invoice):
        found = get_object_or_404(Invoice.objects.select_related("contact"), pk=int(invoice))
        return found.contact, found
    return get_object_or_404(Contact, pk=int(contact) if is_id(contact) else 0), None


def _fillings(product: Product, currency: str) -> list[dict[str, str]]:
    """The columns of the lines that the product takes: its own, and one for a set-up fee.

    What they ask is what the first invoice asks. A price that the product has not in this currency is left to
    the agent.
    """
    rate, sold = product.tax_rate, product.priced_in(currency)
    own = {
        "product": str(product.pk),
        "sku": product.sku,
        "description": product.name,
        "unit_price": _price(sold.first_price, currency) if sold else "",
        "tax": str(rate.pk) if rate and rate.is_active else "",
    }
    if not product.recurs or not (sold or product).setup_fee:
        return [own]
    fee = {
        "description": _("Set-up fee: %(product)s") % {"product": product.name},
        "unit_price": _price(sold.setup_fee, currency) if sold else "",
        "tax": own["tax"],
    }
    return [own, fee]


def _price(price: Decimal, currency: str) -> str:
    if currency in money.EXPONENTS and not money.is_too_fine(price, currency):
        return money.plain(price, currency)
    return f"{price.normalize():f}"


def _editor(request: DeskRequest, contact: Contact, invoice: Invoice | None) -> HttpResponse:
    data = request.POST if request.method == "POST" else None
    editor = Editor(request.user, contact=contact, invoice=invoice, data=data)
    if data is None:
        editor.lines.add()
        editor.read()
        return _page(request, editor)
    try:
        return _posted(request, editor)
    except AlreadyDone as already:
        return _first_result(request, already.event, contact)
    except (NotAllowed, Gone) as refusal:
        status = 403 if isinstance(refusal, NotAllowed) else 409
        return refused(
            request, str(refusal), status=status, back=reverse("billing:purchases", args=[contact.pk])
        )
    except Invalid as invalid:
        editor.refuse(invalid)
        return _page(request, editor, status=422)
    except (Stale, NotOffered) as refusal:
        return _conflict(request, editor, str(refusal))


def _posted(request: DeskRequest, editor: Editor) -> HttpResponse:
    editor.one_time_key.refuse_used()
    if editor.invoice:
        editor.invoice.require(ACTIONS["edit"], request.user)
    if _rearranged(editor, request.POST.get("do", "")):
        editor.read()
        return _page(request, editor)
    if not editor.is_valid():
        return _page(request, editor, status=422)
    return _landed(request, editor.save())


def _rearranged(editor: Editor, do: str) -> bool:
    """Whether a button of a browser without scripts asked for something else than saving."""
    lines, pressed = editor.lines, ROW_BUTTON.fullmatch(do)
    if pressed:
        name, number = pressed[1], int(pressed[2])
        match name:
            case "product":
                for row in _rows_of(get_object_or_404(Product, pk=number), editor):
                    lines.add(row)
            case "remove":
                lines.remove(number - 1)
            case _:
                lines.move(number - 1, -1 if name == "up" else 1)
    elif do == "add":
        lines.add()
    return bool(pressed) or do in {"add", "find", "totals"}


def _rows_of(product: Product, editor: Editor) -> list[Row]:
    assert editor.data is not None
    return [Row(**filling) for filling in _fillings(product, editor.data.get("currency", ""))]


def _sums(editor: Editor) -> dict[str, Any]:
    sums, invoice = editor.totals(), editor.invoice
    return {
        "editor": editor,
        "paid": money.show(invoice.paid, invoice.currency) if invoice and invoice.paid else "",
        "totals": sums,
        "amounts": json.dumps(sums.lines if sums else []),
        "coupons": json.dumps(sums.coupons if sums else []),
        "terms": json.dumps(sums.terms if sums else []),
        "deeds": list(editor.deeds()),
    }


def _page(request: DeskRequest, editor: Editor, *, status: int = 200, **context: Any) -> HttpResponse:
    editor.lines.render_choices()
    blank = Row()
    blank.tax_select = editor.lines.taxes.select("", wrong=False)
    query = request.POST.get("find", "").replace("\0", "").strip()[:LONGEST_QUERY]
    context |= {
        **_sums(editor),
        "contact": editor.contact,
        "invoice": editor.invoice,
        "blank": blank,
        "most_lines": MAX_LINES,
        "find": query,
        "found": Product.objects.search(query)[:MATCHES] if query else (),
        "sentences": list(editor.sentences()) if status == 422 else [],
    }
    return render(request, "billing/editor/page.html", context, status=status)


def _conflict(request: DeskRequest, editor: Editor, sentence: str) -> HttpResponse:
    """The invoice is no longer what the agent looked at: say what differs, and keep what was typed."""
    editor.refresh()
    editor.read()
    if editor.invoice is None:
        editor.problems.append(sentence)
        return _page(request, editor, status=422)
    invoice, readable = editor.invoice, editor.header.is_valid()
    context = {
        "conflict": sentence,
        "readable": readable,
        "differences": differences(invoice, editor.header.header(), editor.lines.inputs) if readable else [],
        "last": invoice.events.for_timeline().first(),
        "refusal": invoice.refusal(ACTIONS["edit"], request.user),
    }
    return _page(request, editor, status=409, **context)


def _landed(request: DeskRequest, saved: Saved) -> HttpResponse:
    attempt, page = saved.attempt, reverse("billing:invoice", args=[saved.invoice.pk])
    if attempt:
        attempt.refresh_from_db()
        if attempt.state != AttemptState.APPROVED:
            return HttpResponseRedirect(reverse("billing:attempt", args=[attempt.pk]))
        last = attempt.events.latest("id")
        saved.done.append(last.text)
    if saved.problem:
        words = {"invoice": saved.invoice, "problem": saved.problem}
        messages.error(request, _("%(invoice)s is saved, but the rest was not done: %(problem)s") % words)
    else:
        messages.success(request, f"{saved.invoice}: {saved.done[-1]}")
    return HttpResponseRedirect(page)


def _first_result(request: DeskRequest, event: Event, contact: Contact) -> HttpResponse:
    """A second click: where the first one led, with nothing done again."""
    assert event.key is not None
    payment = Event.objects.filter(key=uuid.uuid5(event.key, "pay")).first()
    if payment and payment.attempt and payment.attempt.state != AttemptState.APPROVED:
        return HttpResponseRedirect(reverse("billing:attempt", args=[payment.attempt.pk]))
    messages.info(request, _("This was saved already: %(text)s") % {"text": event.text})
    if event.invoice_id is None:
        return HttpResponseRedirect(reverse("billing:purchases", args=[contact.pk]))
    return HttpResponseRedirect(reverse("billing:invoice", args=[event.invoice_id]))
