"""What a program pays for particular products, and from which sum on."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.commissions import PERCENT_PLACES, Rate
from billing.models.base import amount_field
from billing.models.product import Product
from billing.money import ZERO
from billing.statuses import RateKind

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

UNKNOWN_CURRENCY = _("Currency is “%(currency)s”: it is not in ISO 4217, for example USD.")


def percent_field(label: StrOrPromise) -> models.DecimalField[Decimal | int, Decimal]:
    return models.DecimalField(
        label,
        default=ZERO,
        max_digits=7,
        decimal_places=PERCENT_PLACES,
        validators=[MinValueValidator(0), MaxValueValidator(100)],
    )


class ProgramRate(models.Model):
    """What one product earns instead of the program's own percentages: a percentage, or an amount for each
    unit on invoices of its currency.
    """

    program = models.ForeignKey("billing.PartnerProgram", models.CASCADE, related_name="rates")
    product = models.ForeignKey(
        Product, models.CASCADE, related_name="commission_rates", verbose_name=_("product")
    )
    kind = models.CharField(_("rate is"), max_length=7, choices=RateKind, default=RateKind.PERCENT)
    level_1 = models.DecimalField(_("level 1"), max_digits=money.MAX_DIGITS, decimal_places=4, default=ZERO)
    level_2 = models.DecimalField(_("level 2"), max_digits=money.MAX_DIGITS, decimal_places=4, default=ZERO)
    currency = models.CharField(_("currency"), max_length=3, blank=True, help_text=_("Of an amount."))

    class Meta:
        verbose_name = _("rate of a product")
        verbose_name_plural = _("rates of products")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["program", "product", "currency"], name="program_rate_one_per_product_and_currency"
            ),
            models.CheckConstraint(
                condition=Q(kind=RateKind.PERCENT, currency="", level_1__lte=100, level_2__lte=100)
                | (Q(kind=RateKind.FLAT) & ~Q(currency="")),
                name="program_rate_percent_or_amount",
            ),
            models.CheckConstraint(
                condition=Q(level_1__gte=0, level_2__gte=0), name="program_rate_not_negative"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} · {self.level_1.normalize():f} / {self.level_2.normalize():f} {self.unit}"

    @property
    def unit(self) -> str:
        return self.currency or "%"

    def at(self, level: int) -> Rate:
        return Rate(RateKind(self.kind), self.level_1 if level == 1 else self.level_2)

    def clean(self) -> None:
        """An amount has a currency and no more decimals than it; a percentage has none and is at most 100."""
        found: dict[str, Any] = {}
        if self.kind == RateKind.FLAT and self.currency not in money.EXPONENTS:
            found["currency"] = UNKNOWN_CURRENCY % {"currency": self.currency}
        if self.kind == RateKind.PERCENT and self.currency:
            rule = _("Currency is %(currency)s: a percentage has none.")
            found["currency"] = rule % {"currency": self.currency}
        for name, label in (("level_1", _("Level 1")), ("level_2", _("Level 2"))):
            value = getattr(self, name)
            if value is not None and "currency" not in found:
                rules = self._faults(label, value)
                found |= {name: rules} if rules else {}
        if found:
            raise ValidationError(found)

    def _faults(self, label: Any, value: Decimal) -> list[str]:
        words = {"label": label, "value": value, "currency": self.currency}
        if value < 0:
            return [_now("%(label)s is %(value)s: it must be 0 or more.") % words]
        if self.kind == RateKind.PERCENT:
            return [_now("%(label)s is %(value)s: it must be 100 or less.") % words] if value > 100 else []
        if money.is_too_fine(value, self.currency):
            places = money.exponent(self.currency)
            rule = _now("%(label)s is %(value)s: %(currency)s has %(places)s decimals.")
            return [rule % {**words, "places": places}]
        return []


class Threshold(models.Model):
    """What a partner must have earned in a currency before it is paid out; without one, anything is."""

    program = models.ForeignKey("billing.PartnerProgram", models.CASCADE, related_name="thresholds")
    currency = models.CharField(_("currency"), max_length=3)
    amount = amount_field(_("at least"))

    class Meta:
        verbose_name = _("least sum that is paid out")
        verbose_name_plural = _("least sums that are paid out")
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["program", "currency"], name="threshold_one_per_program_and_currency"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="threshold_not_negative"),
        ]

    def __str__(self) -> str:
        return money.show(self.amount, self.currency)

    def clean(self) -> None:
        """The currency must be one, and the amount no finer than it allows."""
        if self.currency not in money.EXPONENTS:
            raise ValidationError({"currency": UNKNOWN_CURRENCY % {"currency": self.currency}})
        if money.is_too_fine(self.amount, self.currency):
            words = {"value": self.amount, "currency": self.currency}
            rule = _now("At least is %(value)s: %(currency)s has %(places)s decimals.")
            raise ValidationError({"amount": rule % {**words, "places": money.exponent(self.currency)}})
