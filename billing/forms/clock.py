"""Until when the desk's clock is moved on."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing import clock
from billing.forms.days import DayField
from billing.periods import Interval

FARTHEST = timedelta(days=366)
STRIDES = (
    (_("One day"), Interval(1, "day")),
    (_("One week"), Interval(1, "week")),
    (_("One month"), Interval(1, "month")),
)


class ClockForm(forms.Form):
    """A day to come, or ``bound_for``, the day that the clock is on its way to or has reached: a button that
    is pressed twice asks for the same.
    """

    to = DayField(label=_("Until"), error_messages={"required": _("Until is missing: write a day to come.")})

    def __init__(self, *args: Any, bound_for: date | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.today, self.bound_for = clock.today(), bound_for
        first, last = self.today + date.resolution, self.today + FARTHEST
        self.fields["to"].widget.attrs.update(min=first.isoformat(), max=last.isoformat())

    @property
    def strides(self) -> list[tuple[str, date]]:
        """What the buttons offer: words, and the day that each leads to."""
        return [(str(words), interval.date_of(self.today, 1)) for words, interval in STRIDES]

    def clean_to(self) -> date:
        to: date = self.cleaned_data["to"]
        if to == self.bound_for or self.today < to <= self.today + FARTHEST:
            return to
        words = {"to": to, "today": self.today, "last": self.today + FARTHEST}
        if to <= self.today:
            rule = _now("Until is %(to)s: it must be later than %(today)s, the day that it is at the desk.")
        else:
            rule = _now("Until is %(to)s: it must be %(last)s or earlier, a year from the day at the desk.")
        raise ValidationError(rule % words)
