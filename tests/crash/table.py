"""What the harness prints."""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterator, Sequence

from tests.crash.blows import Fault
from tests.crash.plan import Deed, Trial
from tests.crash.verdict import KINDS, Verdict, counts_as

COLUMNS = ("trials", "struck", "approved", "declined", "not charged", "differences")
MOST_SHOWN = 10


def table(trials: Sequence[Trial], found: Sequence[Verdict]) -> str:
    """One line for each deed and fault. ``struck``: trials in which the fault's place was reached."""
    by_number = {trial.number: trial for trial in trials}
    rows: dict[tuple[Deed, Fault], Tally[str]] = {}
    for verdict in found:
        trial = by_number[verdict.trial]
        row = rows.setdefault((trial.deed, trial.fault), Tally())
        row.update(["trials", counts_as(verdict)])
        row.update(struck=verdict.struck, differences=bool(verdict.differences))
    sums = sum(rows.values(), Tally[str]())
    lines = [_line("deed", "fault", COLUMNS)]
    for deed, fault in ((deed, fault) for deed in Deed for fault in Fault if (deed, fault) in rows):
        lines.append(_line(deed, fault, [rows[deed, fault][column] for column in COLUMNS]))
    lines.append(_line("all", "", [sums[column] for column in COLUMNS]))
    return "\n".join(lines)


def _line(deed: str, fault: str, values: Sequence[object]) -> str:
    cells = "".join(f"{value:>{len(name) + 2}}" for name, value in zip(COLUMNS, values, strict=True))
    return f"{deed:<24}{fault:<24}{cells}"


def totals(found: Sequence[Verdict]) -> str:
    """So many trials had a difference of each kind."""
    kinds = Tally(kind for verdict in found for kind in {kind for kind, _words in verdict.differences})
    return "\n".join(f"{kind}: {kinds[kind]}" for kind in KINDS)


def differences(found: Sequence[Verdict], command: str) -> list[str]:
    """The first trials that ended wrongly, each with the command that does it alone."""
    wrong = [verdict for verdict in found if verdict.differences]
    lines = [line for verdict in wrong[:MOST_SHOWN] for line in _story(verdict, command)]
    return [*lines, f"{len(wrong)} trials ended wrongly"] if wrong else []


def _story(verdict: Verdict, command: str) -> Iterator[str]:
    yield f"Trial {verdict.trial}: {command} --only {verdict.trial}"
    for kind, words in verdict.differences:
        yield f"  {kind}: {words}"
