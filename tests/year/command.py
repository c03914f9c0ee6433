"""The command line: how many orders, for how long, and what is printed."""

from __future__ import annotations

import argparse
import logging
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random
from typing import NamedTuple

from django.conf import settings
from django.db import connection
from django.utils import timezone

from tests.crash import ground
from tests.year import bugs
from tests.year.course import Year, first_day
from tests.year.sales import Sale, all_drawn
from tests.year.table import differences, figures
from tests.year.verdict import Deviation, deviations
from tests.year.workers import MOST_WORKERS, Workers


class Options(NamedTuple):
    orders: int
    workers: int
    kill_every: float
    seed: int
    days: int
    plant: list[str]


def options(given: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(
        prog="python -m tests.year",
        description="Works on a database of its own, beside the one that DATABASE_URL names.",
    )
    parser.add_argument("--orders", type=_number(1, 100_000), default=1000)
    parser.add_argument("--workers", type=_number(1, MOST_WORKERS), default=4)
    parser.add_argument(
        "--kill-every", type=float, default=3.0, metavar="SECONDS", help="kill -9 one of the workers; 0: none"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311  # it is printed
    parser.add_argument("--days", type=_number(20, 3000), default=366)
    parser.add_argument(
        "--plant", choices=sorted(bugs.BUGS), nargs="+", default=[], help="bugs, to see them found"
    )
    return Options(**vars(parser.parse_args(given)))


def _number(least: int, most: int) -> Callable[[str], int]:
    def number(typed: str) -> int:
        value = int(typed)
        if not least <= value <= most:
            raise argparse.ArgumentTypeError(f"{value} is not between {least} and {most}")
        return value

    return number


def main(given: Sequence[str] | None = None) -> int:
    """0: the year was as the calendar has it. 1: it was not. 2: the harness itself failed."""
    asked = options(given)
    first = first_day(timezone.now().date())
    print(f"Seed {asked.seed}, {connection.display_name}, {asked.days} days from {first}")
    settings.DEBUG = False  # or Django would keep every query
    settings.SANDBOX_GATEWAY = True
    logging.disable(logging.CRITICAL)  # lost answers are meant
    for bug in asked.plant:
        bugs.BUGS[bug]()
    sales = all_drawn(asked.seed, asked.orders, first, asked.days)
    with (
        tempfile.TemporaryDirectory(prefix="counterfoil_year_") as folder,
        ground.databases(1, Path(folder), what_for="year") as (name,),
    ):
        ground.use(name)
        errors = Path(folder) / "errors"
        errors.touch()
        workers = Workers(asked.workers, asked.kill_every or float("inf"), Random(asked.seed), errors)  # noqa: S311
        found = live(sales, Year(sales, workers, first, asked.days), errors)
    print(differences(found))
    return 1 if found else 0


def live(sales: Sequence[Sale], year: Year, errors: Path) -> list[Deviation]:
    """Let the year pass, and look through what it has left."""
    began = time.monotonic()
    year.pass_by()
    lived = time.monotonic()
    found = deviations(sales, year.story, errors)
    workers, looked = year.workers, time.monotonic()
    print(figures(sales, year.story))
    print(
        f"{workers.count} workers, {workers.kills} killed, {workers.ticks} ticks with work:"
        f" {lived - began:.0f} s, the slowest day {year.story.slowest:.1f} s;"
        f" looked through in {looked - lived:.0f} s"
    )
    return found
