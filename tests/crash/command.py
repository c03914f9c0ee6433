"""The command line: how many trials, which of them, and what is printed."""

from __future__ import annotations

import argparse
import logging
import os
import random
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from dataclasses import asdict
from json import dumps, loads
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.db import connection, connections

from tests.crash import bugs, ground, job
from tests.crash.counter import Counter
from tests.crash.plan import Deed, Trial, drawn
from tests.crash.sandbox import SandboxCounter
from tests.crash.scene import Scene
from tests.crash.stripe import StripeCounter
from tests.crash.table import differences, table, totals
from tests.crash.verdict import Verdict, verdicts
from tests.mortal import die_with_parent

COUNTERS: dict[str, type[Counter]] = {"sandbox": SandboxCounter, "stripe": StripeCounter}
FOREVER = 1_000_000.0


class Options(NamedTuple):
    trials: int
    seed: int
    gateway: str
    minutes: float
    jobs: int
    only: int | None
    deed: list[Deed]
    plant: str


def options(given: Sequence[str] | None) -> Options:
    parser = argparse.ArgumentParser(prog="python -m tests.crash", description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))  # noqa: S311  # it is printed
    parser.add_argument("--gateway", choices=sorted(COUNTERS), default="sandbox")
    parser.add_argument(
        "--minutes", type=float, default=FOREVER, help="stop after the trial at that time, or the first"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="trials at a time")
    parser.add_argument("--only", type=int, help="do this one trial, and show what the desk logs")
    parser.add_argument(
        "--deed", choices=list(Deed), type=Deed, action="append", default=[], help="leave all others out"
    )
    parser.add_argument("--plant", choices=sorted(bugs.BUGS), default="", help="a bug, to see it found")
    return Options(**vars(parser.parse_args(given)))


def main(given: Sequence[str] | None = None) -> int:
    """0: the books agree after every trial. 1: they do not. 2: the harness itself failed."""
    asked = options(given)
    print(f"Seed {asked.seed}, {asked.gateway} gateway, {connection.display_name}")
    settings.DEBUG = False  # or Django would keep every query
    if asked.only is None:
        logging.disable(logging.CRITICAL)  # most trials go wrong on purpose
    trials = plan(asked)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="counterfoil_crash_") as folder:
        found = spread(trials, asked, Path(folder))
    if found is None:
        return 2
    seconds = time.monotonic() - began
    print(table(trials, found))
    print(totals(found))
    print(f"{len(found)} trials in {seconds:.1f} s: {len(found) / seconds:.1f} per second")
    lines = differences(found, f"python -m tests.crash --gateway {asked.gateway} --seed {asked.seed}")
    print("\n".join(lines), end="\n" if lines else "")
    return 1 if lines or not found else 0


def plan(asked: Options) -> list[Trial]:
    counter = COUNTERS[asked.gateway]
    numbers = range(asked.trials) if asked.only is None else [asked.only]
    trials = [drawn(asked.seed, number, counter.behaviours, counter.steps) for number in numbers]
    return [trial for trial in trials if not asked.deed or trial.deed in asked.deed]


def spread(trials: list[Trial], asked: Options, folder: Path) -> list[Verdict] | None:
    """Do the trials in as many jobs as were asked for, each on a database of its own; None if one failed."""
    jobs = min(asked.jobs, len(trials))
    until = time.monotonic() + asked.minutes * 60
    with ground.databases(jobs, folder) as names:
        connections.close_all()
        workers = [
            one_job(trials[n::jobs], asked, name, folder / str(n), until) for n, name in enumerate(names)
        ]
        failed = [os.waitpid(worker, 0)[1] for worker in workers]
    if any(failed):
        return None
    files = [folder / f"{n}.verdicts" for n in range(jobs)]
    found = [Verdict(**given) for file in files for given in loads(file.read_text())]
    return sorted(found, key=lambda each: each.trial)


def one_job(trials: list[Trial], asked: Options, database: str, file: Path, until: float) -> int:
    """In a process of its own, whose id this is."""
    command = os.getpid()
    process = os.fork()
    if process:
        return process
    die_with_parent(command)
    try:
        ground.use(database)
        counter, journal = COUNTERS[asked.gateway](), file.with_suffix(".journal")
        job.run(trials, Scene(journal), counter, until=until, plant=bugs.BUGS.get(asked.plant))
        found = [asdict(each) for each in verdicts(trials, journal, counter)]
        file.with_suffix(".verdicts").write_text(dumps(found))
    except BaseException:  # noqa: BLE001  # this process ends here whatever comes
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    finally:
        connections.close_all()
    os._exit(0)
