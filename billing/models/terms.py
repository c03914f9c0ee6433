"""How often something is asked for, and what stands before the first regular payment.

The rule, for a product sold as a subscription or on a plan, and for the orders it starts:

* **What an invoice's lines say is what is owed now; the terms say what comes later.** Picking such a product
  in the editor fills the line with what its first invoice asks (``Product.first_price``), and the set-up fee
  into a line of its own. Whatever the agent makes of these lines is what the invoice asks.
* Issuing the invoice starts one order per line. Without trial days and without a delay the invoice is the
  order's payment no. 1, the day of issuing is the anchor, and the order asks on from payment no. 2. With
  either, the invoice is none of the payments: it asks for the set-up fee and the price of the trial, and
  payment no. 1 comes so many days later, which day is the anchor.
* A trial of days has one price, asked once, on the first invoice. A trial of payments asks its price for the
  first payments. Trials stand *before* what was agreed: a plan of 12 payments with 2 of trial makes 14.
* Quantity and tax of the regular payments are the line's. Their price is the line's too, unless the line asks
  for a trial or waits for a delay: then it is the product's. A discount is of its invoice alone; a coupon
  for all payments goes along (``models.discounting``).
* The terms are the product's at the moment of issuing or, of what a customer ordered on a form, those that
  the customer agreed to; the order keeps them.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing import money
from billing.money import ZERO
from billing.periods import MOST_EVERY, Interval
from billing.statuses import OrderKind, Unit

MOST_PAYMENTS = 1200
"""Payments of a plan, and of a trial: a hundred years of months."""


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """What an order is begun with; ``payments``: of a plan, without its trial. Amounts in its currency."""

    kind: OrderKind
    every: int
    unit: str
    payments: int | None = None
    trial_payments: int = 0
    trial_price: Decimal = ZERO
    setup_fee: Decimal = ZERO

    @property
    def payments_total(self) -> int | None:
        return self.payments + self.trial_payments if self.payments else None


class Recurs(models.Model):
    """Columns that a product and an order have in common.

    ``trial_price`` is per piece, for each of ``trial_payments`` or, of a product, for its trial of days.
    """

    every = models.PositiveSmallIntegerField(_("every"), default=1)
    unit = models.CharField(_("unit"), max_length=8, choices=Unit, default=Unit.MONTH)
    trial_payments = models.PositiveSmallIntegerField(
        _("payments of the trial"), default=0, help_text=_("For a trial that is counted in payments.")
    )
    trial_price = models.DecimalField(
        _("price of the trial"),
        default=ZERO,
        max_digits=money.MAX_DIGITS,
        decimal_places=money.DECIMAL_PLACES,
    )
    setup_fee = models.DecimalField(
        _("set-up fee"),
        default=ZERO,
        max_digits=money.MAX_DIGITS,
        decimal_places=money.DECIMAL_PLACES,
        help_text=_("Asked once, with the first invoice."),
    )

    class Meta:
        abstract = True

    @property
    def interval(self) -> Interval:
        return Interval(self.every, self.unit)

    @property
    def rhythm(self) -> str:
        """``every month``, ``every 2 weeks``."""
        return rhythm_of(self.every, self.unit)


def rhythm_of(every: int, unit: str) -> str:
    words = {
        Unit.DAY: ngettext("every day", "every %(every)s days", every),
        Unit.WEEK: ngettext("every week", "every %(every)s weeks", every),
        Unit.MONTH: ngettext("every month", "every %(every)s months", every),
        Unit.QUARTER: ngettext("every quarter", "every %(every)s quarters", every),
        Unit.YEAR: ngettext("every year", "every %(every)s years", every),
    }
    return words[Unit(unit)] % {"every": every}


def payments_words(count: int) -> str:
    return ngettext("%(count)s payment", "%(count)s payments", count) % {"count": count}


def days_words(count: int) -> str:
    return ngettext("%(count)s day", "%(count)s days", count) % {"count": count}


def faults_of(given: dict[str, Any]) -> dict[str, str]:
    """What is out of range in typed terms, by field."""
    limits = {
        "every": (_("Every"), 1, MOST_EVERY),
        "payments": (_("Number of payments"), 1, MOST_PAYMENTS),
        "trial_payments": (_("Payments of the trial"), 0, MOST_PAYMENTS),
        "trial_days": (_("Days of the trial"), 0, 3650),
        "delay_days": (_("Delay in days"), 0, 3650),
    }
    found = {}
    for name, (label, least, most) in limits.items():
        value = given.get(name)
        if value is not None and not least <= value <= most:
            rule = _now("%(label)s is %(value)s: it must be between %(least)s and %(most)s.")
            found[name] = rule % {"label": label, "value": value, "least": least, "most": most}
    return found


def constraints_of(name: str) -> list[models.BaseConstraint]:
    """What must be true of the terms of every ``name``."""
    return [
        models.CheckConstraint(
            condition=Q(every__gte=1, every__lte=MOST_EVERY), name=f"{name}_every_1_to_400"
        ),
        models.CheckConstraint(condition=Q(unit__in=Unit.values), name=f"{name}_unit_known"),
        models.CheckConstraint(
            condition=Q(trial_price__gte=0, setup_fee__gte=0), name=f"{name}_terms_not_negative"
        ),
    ]
