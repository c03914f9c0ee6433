"""What the address of a list asks for: a query string in, rows in a fixed order out.

The same string travels with the bulk bar and the export, so "all that match" means the same rows there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Choices, Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Abs
from django.http import QueryDict
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.text import format_lazy
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django_filters import ChoiceFilter, Filter, FilterSet, MultipleChoiceFilter

from billing import clock, money
from billing.forms.days import DayField
from billing.forms.fields import AmountField, NumberField, PlainTextField
from billing.models import Commission, Invoice, Mail, Order, Payment
from billing.models.saved_filter import LONGEST_QUERY
from billing.statuses import (
    CommissionKind,
    CommissionStatus,
    InvoiceStatus,
    OrderKind,
    OrderStatus,
    PaymentMethod,
    PaymentStatus,
    PaymentType,
)
from contacts.models import Contact

LARGEST_ID = 2**63 - 1
MOST_IDS = 10_000
"""Rows ticked one by one; SQLite takes no more than 32,766 values in a query."""

Sorting = tuple[Any, ...]


class DayFilter(Filter):  # type: ignore[misc]  # django-filter brings no types
    field_class = DayField


class AmountFilter(Filter):  # type: ignore[misc]
    field_class = AmountField


class CurrencyField(PlainTextField):
    """A currency's code, typed; a list of all of them would be most of the page."""

    def to_python(self, value: Any) -> str:
        code = super().to_python(value).upper()
        if code and code not in money.EXPONENTS:
            rule = _now("%(label)s is “%(value)s”: write a code of ISO 4217 such as USD.")
            raise ValidationError(rule % {"label": self.label, "value": code[:40]}, code="invalid")
        return code


class CurrencyFilter(Filter):  # type: ignore[misc]
    field_class = CurrencyField


class TextFilter(Filter):  # type: ignore[misc]
    field_class = PlainTextField


class IdFilter(Filter):  # type: ignore[misc]
    field_class = NumberField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_value=1, max_value=LARGEST_ID, decimal_places=0, **kwargs)


def in_order(name: str) -> dict[str, Sorting]:
    """Both orders of a column that is never empty, each with a unique tail so that pages never overlap."""
    return {name: (name, "id"), f"-{name}": (f"-{name}", "-id")}


def unknown(label: Any) -> dict[str, Any]:
    """The refusal of a value that a list of choices does not hold."""
    return {"invalid_choice": format_lazy(_("{label} is “%(value)s”: choose one of the list."), label=label)}


def choices_of(label: Any, kind: type[Choices]) -> ChoiceFilter:
    return ChoiceFilter(
        choices=kind.choices, label=label, empty_label=_("Any"), error_messages=unknown(label)
    )


def matters_of(choices: dict[str, Any]) -> ChoiceFilter:
    """What of the rows a person should look at, as the home page counts them."""
    label = _("Needs a person")
    return ChoiceFilter(
        method="needing",
        choices=list(choices.items()),
        label=label,
        empty_label=_("Any"),
        error_messages=unknown(label),
    )


def end_of_today() -> datetime:
    """The next midnight here."""
    tomorrow = clock.today() + date.resolution
    return datetime.combine(tomorrow, time.min, tzinfo=timezone.get_current_timezone())


def search_field(label: Any, what: Any) -> TextFilter:
    widget = forms.TextInput(
        attrs={
            "type": "search",
            "placeholder": what,
            "aria-label": what,
            "dir": "auto",
            "autocomplete": "off",
        }
    )
    return TextFilter(method="search", label=label, max_length=200, widget=widget)


class ListFilter(FilterSet):  # type: ignore[misc]
    """Filters of one list. ``sorts`` names its orders; ``preset`` is the one without being asked for."""

    sorts: ClassVar[dict[str, Sorting]] = {}
    preset: ClassVar[str] = ""

    contact = IdFilter(field_name="contact_id", label=_("Contact"), widget=forms.HiddenInput)

    def get_form_class(self) -> type[forms.Form]:
        """Every field belongs to the form ``filters`` of the page, wherever it stands there."""
        form_class: type[forms.Form] = super().get_form_class()
        for field in form_class.base_fields.values():
            field.widget.attrs["form"] = "filters"
        return form_class

    @classmethod
    def of(cls, query: str) -> ListFilter:
        """The filter of a query string that a form brought back."""
        return cls(QueryDict(query[:LONGEST_QUERY].replace("\0", "")))

    @property
    def sort(self) -> str:
        wanted = self.data.get("sort", "")
        return wanted if wanted in self.sorts else self.preset

    @cached_property
    def rows(self) -> QuerySet[Any]:
        """What matches, in the order asked for; nothing while a filter cannot be read."""
        if not self.is_valid():
            return self.queryset.none()  # type: ignore[no-any-return]
        return self.qs.order_by(*self.sorts[self.sort])  # type: ignore[no-any-return]

    def among(self, ids: Iterable[int]) -> QuerySet[Any]:
        """The rows with these ids, whatever the filters say, in the order asked for."""
        rows = self.queryset.filter(pk__in=ids)
        return rows.order_by(*self.sorts[self.sort])  # type: ignore[no-any-return]

    @property
    def active(self) -> int:
        """How many filters are set, beside the search box."""
        return sum(1 for name in self.filters if name != "q" and any(self.data.getlist(name)))

    @property
    def query(self) -> QueryDict:
        """What of the address matters: the filters that are set, and an order that was asked for."""
        kept = QueryDict(mutable=True)
        for name in self.filters:
            values = [value for value in self.data.getlist(name) if value]
            if values:
                kept.setlist(name, values)
        if self.sort != self.preset:
            kept["sort"] = self.sort
        return kept

    def narrowed(self, rows: QuerySet[Any], text: str, columns: tuple[str, ...]) -> QuerySet[Any]:
        """Rows that hold ``text`` in one of ``columns``, or whose contact is found by it.

        Digits alone are a number or a reference here: among contacts they would find every phone and address.
        """
        found = Q() if text.isdigit() else Q(contact__in=Contact.objects.search(text).values("pk"))
        for column in columns:
            # every number has a digit, so that names need not be looked for among the numbers
            if not column.endswith("number") or any(map(str.isdigit, text)):
                found |= Q(**{f"{column}__icontains": text})
        return rows.filter(found)


class InvoiceFilter(ListFilter):
    preset = "-date"
    sorts: ClassVar = {
        "date": ("invoice_date", "id"),
        "-date": ("-invoice_date", "-id"),
        "due": ("due_on", "id"),
        "-due": ("-due_on", "-id"),
        # drafts, which have no number yet, stand at the end where the next numbers will
        "number": (F("number").asc(nulls_last=True), "id"),
        "-number": (F("number").desc(nulls_first=True), "-id"),
        **in_order("total"),
        **in_order("balance"),
    }

    q = search_field(_("Search"), _("Number, reference, name, e-mail"))
    status = MultipleChoiceFilter(
        choices=InvoiceStatus.choices,
        label=_("Status"),
        widget=forms.CheckboxSelectMultiple,
        error_messages=unknown(_("Status")),
    )
    date_from = DayFilter(field_name="invoice_date", lookup_expr="gte", label=_("Date from"))
    date_to = DayFilter(field_name="invoice_date", lookup_expr="lte", label=_("Date to"))
    amount_min = AmountFilter(field_name="total", lookup_expr="gte", label=_("Total from"))
    amount_max = AmountFilter(field_name="total", lookup_expr="lte", label=_("Total to"))
    due_from = DayFilter(field_name="due_on", lookup_expr="gte", label=_("Due from"))
    due_to = DayFilter(field_name="due_on", lookup_expr="lte", label=_("Due to"))
    currency = CurrencyFilter(label=_("Currency"), max_length=3)
    needs = matters_of(
        {
            "retry": _("Card charged again today"),
            "draft": _("Draft for more than a week"),
            "mail": _("E-mail that failed"),
        }
    )

    class Meta:
        model = Invoice
        fields: ClassVar[list[str]] = []

    def needing(self, rows: QuerySet[Invoice], name: str, matter: str) -> QuerySet[Invoice]:
        found = {
            "retry": lambda: Invoice.objects.collections_due(end_of_today()),
            "draft": lambda: Invoice.objects.old_drafts(clock.now()),
            "mail": lambda: Invoice.objects.filter(
                Exists(Mail.objects.failed().filter(invoice=OuterRef("pk")))
            ),
        }[matter]()
        return rows.filter(pk__in=found.order_by().values("pk"))

    def search(self, rows: QuerySet[Invoice], name: str, text: str) -> QuerySet[Invoice]:
        return self.narrowed(rows, text, ("number", "external_ref"))


class PaymentFilter(ListFilter):
    preset = "-date"
    sorts: ClassVar = {
        "date": ("received_on", "id"),
        "-date": ("-received_on", "-id"),
        **in_order("amount"),
    }

    q = search_field(_("Search"), _("Reference, last four, number, name, e-mail"))
    type = choices_of(_("Type"), PaymentType)
    status = choices_of(_("Status"), PaymentStatus)
    method = choices_of(_("Method"), PaymentMethod)
    gateway = TextFilter(field_name="gateway", label=_("Gateway"), max_length=20)
    date_from = DayFilter(field_name="received_on", lookup_expr="gte", label=_("Date from"))
    date_to = DayFilter(field_name="received_on", lookup_expr="lte", label=_("Date to"))
    amount_min = AmountFilter(method="at_least", label=_("Amount from"))
    amount_max = AmountFilter(method="at_most", label=_("Amount to"))
    currency = CurrencyFilter(label=_("Currency"), max_length=3)

    class Meta:
        model = Payment
        fields: ClassVar[list[str]] = []

    def search(self, rows: QuerySet[Payment], name: str, text: str) -> QuerySet[Payment]:
        if len(text) == 4 and text.isascii() and text.isdigit():
            found = rows.filter(card_last4=text) | rows.filter(gateway_ref__endswith=text)
            return found | self.narrowed(rows, text, ("reference", "invoice__number"))
        return self.narrowed(rows, text, ("gateway_ref", "reference", "invoice__number"))

    def at_least(self, rows: QuerySet[Payment], name: str, amount: Any) -> QuerySet[Payment]:
        """By size, since nobody types the minus sign of a refund."""
        return rows.alias(size=Abs("amount")).filter(size__gte=amount)

    def at_most(self, rows: QuerySet[Payment], name: str, amount: Any) -> QuerySet[Payment]:
        return rows.alias(size=Abs("amount")).filter(size__lte=amount)


class OrderFilter(ListFilter):
    preset = "next"
    sorts: ClassVar = {
        # those that will not be charged again stand at the end
        "next": (F("next_charge_on").asc(nulls_last=True), "id"),
        "-next": (F("next_charge_on").desc(nulls_last=True), "-id"),
        **in_order("amount"),
    }

    q = search_field(_("Search"), _("Product, name, e-mail"))
    status = MultipleChoiceFilter(
        choices=OrderStatus.choices,
        label=_("Status"),
        widget=forms.CheckboxSelectMultiple,
        error_messages=unknown(_("Status")),
    )
    kind = choices_of(_("Kind"), OrderKind)
    next_from = DayFilter(field_name="next_charge_on", lookup_expr="gte", label=_("Next charge from"))
    next_to = DayFilter(field_name="next_charge_on", lookup_expr="lte", label=_("Next charge to"))
    gateway = TextFilter(field_name="card__gateway", label=_("Gateway"), max_length=20)
    currency = CurrencyFilter(label=_("Currency"), max_length=3)
    needs = matters_of({"card": _("Card expires before the next charge")})

    class Meta:
        model = Order
        fields: ClassVar[list[str]] = []

    def needing(self, rows: QuerySet[Order], name: str, matter: str) -> QuerySet[Order]:
        return rows.filter(pk__in=Order.objects.with_expiring_card().order_by().values("pk"))

    def search(self, rows: QuerySet[Order], name: str, text: str) -> QuerySet[Order]:
        return self.narrowed(rows, text, ("summary",))


class CommissionFilter(ListFilter):
    """``contact`` is the partner's, as is the name that is searched for; ``payout`` a batch by its number."""

    preset = "-date"
    sorts: ClassVar = {
        "date": ("earned_on", "id"),
        "-date": ("-earned_on", "-id"),
        **in_order("amount"),
    }

    contact = IdFilter(field_name="partner__contact_id", label=_("Contact"), widget=forms.HiddenInput)
    q = search_field(_("Search"), _("Partner's name, code, invoice"))
    status = MultipleChoiceFilter(
        choices=CommissionStatus.choices,
        label=_("Status"),
        widget=forms.CheckboxSelectMultiple,
        error_messages=unknown(_("Status")),
    )
    kind = choices_of(_("Kind"), CommissionKind)
    program = TextFilter(
        field_name="partner__program__name", lookup_expr="iexact", label=_("Program"), max_length=100
    )
    date_from = DayFilter(field_name="earned_on", lookup_expr="gte", label=_("Date from"))
    date_to = DayFilter(field_name="earned_on", lookup_expr="lte", label=_("Date to"))
    amount_min = AmountFilter(method="at_least", label=_("Amount from"))
    amount_max = AmountFilter(method="at_most", label=_("Amount to"))
    currency = CurrencyFilter(label=_("Currency"), max_length=3)
    payout = IdFilter(field_name="payout_id", label=_("Payout no."))

    class Meta:
        model = Commission
        fields: ClassVar[list[str]] = []

    def search(self, rows: QuerySet[Commission], name: str, text: str) -> QuerySet[Commission]:
        found = Q(partner__code__icontains=text)
        if any(map(str.isdigit, text)):
            found |= Q(invoice__number__icontains=text)
        if not text.isdigit():
            found |= Q(partner__contact__in=Contact.objects.search(text).values("pk"))
        return rows.filter(found)

    def at_least(self, rows: QuerySet[Commission], name: str, amount: Any) -> QuerySet[Commission]:
        """By size, since nobody types the minus sign of a clawback."""
        return rows.alias(size=Abs("amount")).filter(size__gte=amount)

    def at_most(self, rows: QuerySet[Commission], name: str, amount: Any) -> QuerySet[Commission]:
        return rows.alias(size=Abs("amount")).filter(size__lte=amount)


class Unreadable(Exception):
    """A selection that means no rows; ``str()`` is the sentence for the person who made it."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Rows of a list that something is to be done with: those ticked, or everything that matches."""

    filter: ListFilter
    ids: tuple[int, ...]
    everything: bool

    @classmethod
    def read(cls, data: QueryDict, kind: type[ListFilter]) -> Selection:
        """What a bulk bar or a link says: ``ids``, ``all`` and ``filter``, or the filters themselves."""
        chosen = kind.of(data.get("filter", data.urlencode()))
        return cls(chosen, read_ids(data.getlist("ids")), data.get("all") == "1")

    def check(self) -> None:
        """Raise Unreadable when it means nothing, or a filter that decides about it cannot be read."""
        if not self.everything:
            if not self.ids:
                raise Unreadable(_now("Nothing is selected: tick the rows that are meant first."))
            return
        errors = [error for found in self.filter.errors.values() for error in found]
        if errors:
            raise Unreadable(
                _now("The filter cannot be read. %(errors)s") % {"errors": " ".join(map(str, errors))}
            )

    @property
    def rows(self) -> QuerySet[Any]:
        """In the order of the list."""
        return self.filter.rows if self.everything else self.filter.among(self.ids)

    @property
    def joined_ids(self) -> str:
        return ",".join(map(str, self.ids))


def read_ids(values: list[str]) -> tuple[int, ...]:
    """Numbers between commas, each once, in their order. Raises Unreadable."""
    ids: dict[int, None] = {}
    for word in (word.strip() for value in values for word in value.split(",")):
        if not word:
            continue
        if not (word.isascii() and word.isdigit() and len(word) < 20 and int(word) <= LARGEST_ID):
            raise Unreadable(
                _now("The selection holds “%(value)s”, which is no record's number.") % {"value": word[:40]}
            )
        ids[int(word)] = None
    if len(ids) > MOST_IDS:
        raise Unreadable(
            _now("%(count)s rows are selected one by one: at most %(most)s can be. Use a filter instead.")
            % {"count": len(ids), "most": MOST_IDS}
        )
    return tuple(ids)
