"""How declined cards are retried: the installation's settings, and the copy of them that an invoice keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from billing.models.terms import days_words
from billing.statuses import AtTheEnd

NAME = _("Recharge settings")
"""Who writes off what could not be collected, as the timeline calls it."""
MOST_DAYS = 3650


class RechargeTerms(models.Model):
    """Columns that the settings and each invoice's copy of them have in common."""

    every_days = models.PositiveSmallIntegerField(
        _("retry every … days"), default=3, help_text=_("Counted from the day of the first decline.")
    )
    for_days = models.PositiveSmallIntegerField(
        _("for … days"), default=90, help_text=_("The last day on which a card is retried, and the end.")
    )
    most_retries = models.PositiveSmallIntegerField(
        _("at most … retries"), null=True, blank=True, help_text=_("Empty: as many as the days allow.")
    )
    stops_on_hard = models.BooleanField(
        _("stop on hard declines"),
        default=True,
        help_text=_("Such as a stolen card or a closed account: nothing more is charged to it."),
    )
    at_the_end = models.CharField(_("at the end"), max_length=9, choices=AtTheEnd, default=AtTheEnd.WRITE_OFF)
    mails_first_failure = models.BooleanField(_("e-mail the customer about the first decline"), default=True)
    mails_each_failure = models.BooleanField(_("e-mail the customer about each further one"), default=True)
    mails_recovered = models.BooleanField(_("e-mail the customer when it is paid after all"), default=True)
    mails_written_off = models.BooleanField(_("e-mail staff when it is written off at the end"), default=True)

    class Meta:
        abstract = True

    def terms(self) -> dict[str, Any]:
        """The columns by name, for a copy."""
        return {field.name: getattr(self, field.name) for field in RechargeTerms._meta.local_fields}

    @property
    def rhythm(self) -> str:
        """``every 3 days``."""
        return ngettext("every day", "every %(every)s days", self.every_days) % {"every": self.every_days}

    @property
    def words(self) -> str:
        """``every 3 days for 90 days, at most 10 times; then written off``."""
        words = _now("%(rhythm)s for %(days)s") % {"rhythm": self.rhythm, "days": days_words(self.for_days)}
        if self.most_retries:
            most = ngettext("at most %(most)s time", "at most %(most)s times", self.most_retries)
            words += ", " + most % {"most": self.most_retries}
        stays = _now("then it stays in Collections")
        return f"{words}; {_now('then written off') if self.is_written_off else stays}"

    @property
    def is_written_off(self) -> bool:
        return self.at_the_end == AtTheEnd.WRITE_OFF


def constraints_of(name: str) -> list[models.BaseConstraint]:
    """What must be true of the terms of every ``name``."""
    return [
        models.CheckConstraint(
            condition=Q(every_days__gte=1, for_days__gte=F("every_days"), for_days__lte=MOST_DAYS),
            name=f"{name}_days_in_order",
        ),
        models.CheckConstraint(
            condition=Q(most_retries__isnull=True) | Q(most_retries__gte=1),
            name=f"{name}_retries_at_least_one",
        ),
        models.CheckConstraint(condition=Q(at_the_end__in=AtTheEnd.values), name=f"{name}_end_known"),
    ]


class RechargeSettings(RechargeTerms):
    """The one row of them. What enters Collections takes a copy: a change is for those that come later."""

    class Meta:
        default_permissions = ("view", "add", "change")
        verbose_name = _("recharge settings")
        verbose_name_plural = _("recharge settings")
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(pk=1), name="recharge_settings_one_row"),
            *constraints_of("recharge_settings"),
        ]

    def __str__(self) -> str:
        return str(NAME)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.pk = 1
        super().save(*args, **kwargs)

    @classmethod
    def current(cls) -> RechargeSettings:
        """As they stand; the defaults while nobody has changed them."""
        return cls.objects.first() or cls(pk=1)

    def clean(self) -> None:
        """Refuse what the database would refuse, in words. Raises ValidationError."""
        faults = dict(self._faults())
        if faults:
            raise ValidationError(faults)

    def _faults(self) -> Iterator[tuple[str, str]]:
        every, days, most = self.every_days, self.for_days, self.most_retries
        if every < 1:
            rule = _now("Retry every … days is %(every)s: it must be at least 1.")
            yield "every_days", rule % {"every": every}
        if every and not every <= days <= MOST_DAYS:
            rule = _now(
                "For … days is %(days)s: it must be at least %(every)s, for one retry, and at most %(most)s."
            )
            yield "for_days", rule % {"days": days, "every": every, "most": MOST_DAYS}
        if most is not None and most < 1:
            yield (
                "most_retries",
                _now("At most … retries is %(most)s: leave it empty for no limit.") % {"most": most},
            )
