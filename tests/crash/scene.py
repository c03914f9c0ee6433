"""What the processes of one job share: how far they are, what time it is, and what is still under way.

Everything lies in memory that a fork inherits, so it outlives whoever is killed.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from ctypes import Structure, c_double, c_long
from datetime import UTC, datetime, timedelta
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any

from django.db import connections
from django.utils import timezone

from billing.gateways import NoAnswer
from tests.crash.forks import fork

PATIENCE = 60.0
"""Seconds after which the harness itself is taken to hang."""


class Marks(Structure):
    """``position`` in the job's list of trials and ``act``: what comes next. ``ahead``: seconds by which the
    clock is ahead of the real one. ``asleep``: the process that was stopped and has not ended yet.
    ``others``: 1 while another process does something at the same time, and ``ready`` once it is about to.
    ``seen``: the invoice's version on the form that is sent first.
    """

    _fields_ = [
        ("position", c_long),
        ("act", c_long),
        ("trial", c_long),
        ("asleep", c_long),
        ("others", c_long),
        ("ready", c_long),
        ("invoice", c_long),
        ("seen", c_long),
        ("ahead", c_double),
        ("slow_calls", c_long),
        ("slow_calls_done", c_long),
        ("slow_calls_may_act", c_long),
    ]
    position: int
    act: int
    trial: int
    asleep: int
    others: int
    ready: int
    invoice: int
    seen: int
    ahead: float
    slow_calls: int
    slow_calls_done: int
    slow_calls_may_act: int


class Scene:
    def __init__(self, journal: Path) -> None:
        self.marks: Marks = RawValue(Marks)
        self._journal = os.open(journal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def begin(self, trial: int) -> None:
        self.marks.trial, self.marks.invoice, self.marks.asleep, self.marks.ahead = trial, 0, 0, 0

    # -- time

    def keep_time(self) -> None:
        """Let every process that comes from this one read the scene's clock."""
        timezone.now = self.now

    def now(self) -> datetime:
        return datetime.now(tz=UTC) + timedelta(seconds=self.marks.ahead)

    def pass_time(self, hours: float) -> datetime:
        """Move the clock on for everybody, those who sleep included."""
        self.marks.ahead += hours * 3600
        return self.now()

    # -- what happened

    def note(self, **facts: Any) -> None:
        """One line in the journal of this trial, written at once, since the writer may be killed next."""
        line = json.dumps({"trial": self.marks.trial, **facts})
        os.write(self._journal, f"{line}\n".encode())

    # -- calls that outlive their caller's patience

    def act_later(self, call: Callable[[], object]) -> None:
        """Let another process make the call, once the scene lets slow calls act."""
        self.marks.slow_calls += 1
        if fork():
            return
        try:
            wait_until(lambda: bool(self.marks.slow_calls_may_act))
            with suppress(NoAnswer):  # nobody listens any more
                call()
        except BaseException:  # noqa: BLE001  # this process ends here whatever comes
            self.note(raised=traceback.format_exc())
        finally:
            connections.close_all()
            self.marks.slow_calls_done += 1
            os._exit(0)

    def let_slow_calls_act(self) -> None:
        self.marks.slow_calls_may_act = 1

    def await_slow_calls(self) -> None:
        self.let_slow_calls_act()
        wait_until(lambda: self.marks.slow_calls_done >= self.marks.slow_calls)
        self.marks.slow_calls = self.marks.slow_calls_done = self.marks.slow_calls_may_act = 0


def wait_until(true: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not true():
        if time.monotonic() > until:
            sys.exit("The crash harness waited in vain for another of its processes.")
        time.sleep(0.001)
