from __future__ import annotations

from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import models
from django.utils.translation import gettext_lazy as _

INVOICES = "invoice"


LONGEST = 40
"""Characters of a number."""


def check_format(value: str) -> None:
    """Refuse a format that cannot be filled, or would give every invoice the same number or one too long."""
    try:
        numbers = {value.format(number=n) for n in (1, 2, 10**12)}
        if len(numbers) == 3 and max(map(len, numbers)) <= LONGEST:
            return
    except (KeyError, IndexError, ValueError, AttributeError, TypeError):
        pass
    raise ValidationError(
        _(
            "Format is “%(value)s”: it must hold {number}, for example INV-{number:06d}, and give numbers of"
            " at most %(most)s characters."
        ),
        params={"value": value, "most": LONGEST},
    )


class Taken(NamedTuple):
    """A place in the run and the number written from it.

    The place stays comparable when the format changes.
    """

    sequence: int
    number: str


class Series(models.Model):
    """A gap-free run of numbers: taking one locks the row until the invoice that got it is committed or
    undone.
    """

    name = models.CharField(_("name"), max_length=30, unique=True)
    format = models.CharField(
        _("format"), max_length=40, default="INV-{number:06d}", validators=[check_format]
    )
    last = models.PositiveBigIntegerField(_("last number taken"), default=0)

    class Meta:
        default_permissions = ("view", "change")
        verbose_name = _("number series")
        verbose_name_plural = _("number series")

    def __str__(self) -> str:
        return self.name

    @classmethod
    def take(cls, count: int = 1, *, name: str = INVOICES) -> list[Taken]:
        """The next numbers, in order. Call inside the transaction that uses them."""
        cls.objects.get_or_create(name=name)
        series = cls.objects.select_for_update().get(name=name)
        first = series.last + 1
        series.last += count
        series.save(update_fields=["last"])
        return [Taken(n, series.format.format(number=n)) for n in range(first, first + count)]
