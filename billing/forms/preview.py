"""What a dialog says will happen, before the button is pressed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from billing import money
from billing.models.partners.settling import Difference

MOST_COMMISSIONS = 50
"""Lines of a dialog's table of commissions."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the before → after table; equal sides mean that it stays."""

    label: str
    before: str
    after: str

    @property
    def changes(self) -> bool:
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Earned:
    """One line of the table of commissions. ``difference`` is empty where nothing changes."""

    label: str
    before: str
    after: str
    difference: str


@dataclass(frozen=True, slots=True)
class Preview:
    """``deed`` is what the button says.

    ``money`` says whether it moves or is only recorded; ``undo`` whether it can be undone.
    """

    sentence: str
    deed: str
    changes: list[Change] = field(default_factory=list)
    money: str = ""
    mails: list[str] = field(default_factory=list)
    undo: str = ""
    warnings: list[str] = field(default_factory=list)
    commissions: list[Earned] = field(default_factory=list)
    more_commissions: int = 0
    """How many lines of that table are left out."""


def earned(found: Iterable[Difference]) -> list[Earned]:
    """What partners have now and afterwards; the sums of each."""
    return [
        Earned(
            str(each.partner),
            money.show(each.before, each.currency),
            money.show(each.after, each.currency),
            money.show(each.amount, each.currency) if each.amount else "",
        )
        for each in found
    ]
