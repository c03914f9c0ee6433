"""Whom an order is for: the contact with the e-mail address that was typed.

Whoever types an address on a public page need not be its owner. So nothing that is on file is ever replaced,
only what is missing is filled in; what was typed otherwise is told in the timeline; and no page says whether
the contact was known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.db import IntegrityError, transaction
from django.utils.text import capfirst
from django.utils.translation import gettext as _now

from billing.models.guard import Deed, tell
from billing.models.invoice import Invoice
from contacts.models import Contact, tidy

DETAILS = (
    *("name", "email", "phone", "company"),
    *("street", "street_2", "postal_code", "city", "region", "country"),
)


def contact_of(typed: Mapping[str, str]) -> Contact:
    """The contact with the typed e-mail address, made now if there is none, in the caller's transaction."""
    known = Contact.objects.by_email(typed["email"])
    try:
        with transaction.atomic():
            return known.first() or Contact.objects.create(**_given(typed))
    except IntegrityError:  # another order with this address was quicker
        return known.get()


def fill_in(invoice: Invoice, typed: Mapping[str, str]) -> None:
    """Give the invoice's contact what it lacks, and tell what else was typed, in the caller's transaction.

    Never the address by which it was found: it may have been given to somebody else since.
    """
    contact = invoice.contact
    contact.refresh_from_db(from_queryset=Contact.objects.select_for_update(no_key=True))
    on_file = {name: tidy(str(getattr(contact, name))) for name in DETAILS}
    given = {name: value for name, value in _given(typed).items() if name != "email"}
    missing = {name: value for name, value in given.items() if not on_file[name]}
    for name, value in missing.items():
        setattr(contact, name, value)
    if missing:
        contact.save(update_fields=[*missing, "updated_at"])
    others = [
        _now("%(field)s “%(typed)s”, on file “%(kept)s”")
        % {"field": label, "typed": value, "kept": on_file[name]}
        for name, label, value in _different(typed, on_file)
    ]
    if others:
        text = _now("Typed on the order form and not taken over: %(others)s.")
        tell(invoice, None, "order_details_differ", Deed(text % {"others": "; ".join(others)}))


def _given(typed: Mapping[str, str]) -> dict[str, str]:
    return {name: typed[name] for name in DETAILS if typed.get(name)}


def _different(typed: Mapping[str, str], on_file: Mapping[str, str]) -> Iterator[tuple[str, str, str]]:
    for name, value in _given(typed).items():
        kept = on_file[name]
        if kept and kept.casefold() != value.casefold():
            label = str(Contact._meta.get_field(name).verbose_name)  # type: ignore[union-attr]
            yield name, capfirst(label), value
