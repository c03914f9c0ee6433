"""The workers: processes that run the jobs whenever they are told what day it is, one of which is killed
every few seconds, with another to take its place.
"""

from __future__ import annotations

import os
import signal
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from ctypes import Structure, c_long
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import RawArray, RawValue
from pathlib import Path
from random import Random
from typing import Any, NoReturn

from billing import clock
from billing.gateways.sandbox import clock as desk_clock
from billing.models.job import PERIODS
from billing.tasks import tick
from tests.crash.forks import fork
from tests.mortal import die_with_parent

NAP = 0.01
"""Seconds between two looks at what the others have come to."""
PATIENCE = 600.0
"""Seconds after which the harness itself is taken to hang."""
MOST_WORKERS = 64


class Post(Structure):
    """What one worker has come to, in memory that outlives it: ``step`` is the last one it has finished."""

    _fields_ = [("step", c_long), ("ticks", c_long)]
    step: int
    ticks: int


@dataclass(slots=True)
class Workers:
    """``errors``: a file to which each job that failed is written."""

    count: int
    kill_every: float
    dice: Random
    errors: Path
    kills: int = 0
    _posts: Any = field(init=False)
    _step: Any = field(init=False)
    _processes: list[int] = field(default_factory=list)
    _next_kill: float = field(init=False)

    def __post_init__(self) -> None:
        self._posts, self._step = RawArray(Post, self.count), RawValue(c_long, 0)
        self._next_kill = time.monotonic() + self.kill_every

    def start(self) -> None:
        self._processes = [self._hire(place) for place in range(self.count)]

    def _hire(self, place: int) -> int:
        parent = os.getpid()
        process = fork()
        if process:
            return process
        die_with_parent(parent)
        try:
            self._work(place)
        except BaseException:  # noqa: BLE001  # this process ends here whatever comes
            self._write_error(traceback.format_exc())
            os._exit(1)

    def _work(self, place: int) -> NoReturn:
        """Run the jobs, at each step until nothing more is due."""
        post = self._posts[place]
        while True:
            if post.step == self._step.value:
                time.sleep(NAP)
                continue
            step = self._step.value
            desk_clock.look()
            while self._finds_work():
                post.ticks += 1
            post.step = step

    def _finds_work(self) -> bool:
        results = tick(clock.now())
        failed = [name for name, counts in results.items() if counts is None or counts["failed"]]
        if failed:
            self._write_error(f"{clock.now():%Y-%m-%d}: {', '.join(failed)} failed")
        works = (counts for name, counts in results.items() if name not in PERIODS)
        return any(works) and not failed

    def _write_error(self, words: str) -> None:
        with self.errors.open("a") as file:
            file.write(f"{words}\n")

    # -- the parent's side

    def run(self, *, kills: bool) -> bool:
        """Let all of them work until nothing is due; whether one was killed meanwhile."""
        self._step.value += 1
        before, until = self.kills, time.monotonic() + PATIENCE
        while busy := [place for place in range(self.count) if self._posts[place].step != self._step.value]:
            if time.monotonic() > until:
                raise TimeoutError(f"The workers {busy} do not come to an end.")
            self._replace_the_dead(busy)
            if kills and time.monotonic() > self._next_kill:
                self._kill(self.dice.choice(busy))
            time.sleep(NAP)
        return self.kills > before

    def _kill(self, place: int) -> None:
        os.kill(self._processes[place], signal.SIGKILL)
        os.waitpid(self._processes[place], 0)
        self._processes[place] = self._hire(place)
        self.kills += 1
        self._next_kill = time.monotonic() + self.kill_every

    def _replace_the_dead(self, places: Sequence[int]) -> None:
        """Raise RuntimeError for one that ended by itself: nobody but this one kills."""
        for place in places:
            if os.waitpid(self._processes[place], os.WNOHANG)[0]:
                raise RuntimeError(f"A worker has ended: {self.errors.read_text()[-2000:]}")

    def stop(self) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError, ChildProcessError):  # one that has ended by itself
                os.kill(process, signal.SIGKILL)
                os.waitpid(process, 0)

    @property
    def ticks(self) -> int:
        return sum(post.ticks for post in self._posts)
