"""When the forms take nothing from a visitor who seems to try cards out."""

from __future__ import annotations

from datetime import datetime

from billing.models.attempt import Attempt
from billing.models.selling.form import OrderForm
from billing.models.visiting import HOUR, TooManyDeclines, declines_end
from contacts.models import Contact


def too_many_declines(
    form: OrderForm, *, email: str, opened_from: str, at: datetime
) -> TooManyDeclines | None:
    """After five declines within an hour from one address, or under one e-mail address, or on this form by
    visitors whose addresses are not known. Two queries.

    Not after five on the form by anybody: a stranger could close a shop with five bad cards.
    """
    declines = Attempt.objects.page_declines(since=at - 2 * HOUR)
    ordered = declines.filter(invoice__order_form__isnull=False)
    nowhere = ordered.filter(invoice__order_form=form, opened_from="")
    here = declines.filter(opened_from=opened_from) if opened_from else nowhere
    by_contact = ordered.filter(invoice__contact__in=Contact.objects.by_email(email))
    return declines_end([here, by_contact] if email else [here], at)
