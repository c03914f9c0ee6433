"""The processes of one job: one works at a time, and another takes over from whoever is killed or stopped."""

from __future__ import annotations

import functools
import gc
import os
import signal
import time
import traceback
from collections.abc import Callable, Sequence
from typing import Any, NoReturn, Protocol

from django.db import connections, transaction

from billing.gateways import Gateway
from tests.crash.acts import Stage
from tests.crash.counter import Counter
from tests.crash.orders import Orders, written
from tests.crash.plan import Deed, Trial, quiet
from tests.crash.sale import Sale
from tests.crash.scene import Scene
from tests.mortal import die_with_parent

CALLS = [name for name, member in vars(Gateway).items() if callable(member) and not name.startswith("_")]


def run(
    trials: Sequence[Trial],
    scene: Scene,
    counter: Counter,
    *,
    until: float,
    plant: Callable[[type], None] | None = None,
) -> None:
    """Do the trials, one after the other, until the time is up. Raises RuntimeError if the harness fails."""
    scene.keep_time()
    watch_calls(counter.gateway, scene)
    healthy = [quiet(deed, number=-1 - n, steps=counter.steps) for n, deed in enumerate(Deed)]
    orders = written([*healthy, *trials], counter, at=scene.now())
    warm_up(healthy, scene, counter, orders)
    if plant:
        plant(counter.gateway)
    connections.close_all()
    gc.disable()  # or each fork would copy the memory that its garbage collector looks at
    job, asleep = os.getpid(), 0
    while True:
        worker = os.fork()
        if not worker:
            die_with_parent(job)
            work(trials, scene, counter, orders, until)
        status = os.waitpid(worker, os.WUNTRACED)[1]
        if asleep and asleep != scene.marks.asleep:  # a worker woke it
            os.waitpid(asleep, 0)
            asleep = 0
        if os.WIFSTOPPED(status):
            asleep = worker
        elif os.waitstatus_to_exitcode(status) == 0:
            return
        elif os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            raise RuntimeError(f"A process of trial {scene.marks.trial} failed: status {status}.")


def work(trials: Sequence[Trial], scene: Scene, counter: Counter, orders: Orders, until: float) -> NoReturn:
    """Go on where the last process stopped."""
    marks = scene.marks
    while marks.position < len(trials):
        if marks.act == 0:
            if marks.position and time.monotonic() > until:
                break
            if counter.start_over(marks.position):
                orders.store_cards_anew(counter)
            scene.begin(trials[marks.position].number)
        stage = stage_of(trials[marks.position], scene, counter, orders)
        while marks.act < len(stage.acts):
            marks.act += 1  # before it is done: whoever takes over goes on with the next
            play(stage.acts[marks.act - 1], scene)
            stage.end_if_woken()
        marks.position, marks.act = marks.position + 1, 0
    connections.close_all()
    os._exit(0)


def stage_of(trial: Trial, scene: Scene, counter: Counter, orders: Orders) -> Stage:
    return (Sale if trial.selling else Stage)(trial, scene, counter, orders)


def play(act: Callable[[], None], scene: Scene) -> None:
    """A deed may end in an error page; what it left behind is put right by the acts that follow."""
    try:
        act()
    except Exception:  # noqa: BLE001  # whatever it is, it is a finding
        scene.note(raised=traceback.format_exc())


def warm_up(trials: Sequence[Trial], scene: Scene, counter: Counter, orders: Orders) -> None:
    """Let every deed be done once here, so that no process has to load and compile what it needs for it.

    Raises RuntimeError if one fails: where nothing moves, nothing can be found wrong.
    """
    for trial in trials:
        scene.begin(trial.number)
        stage = stage_of(trial, scene, counter, orders)
        for act in stage.acts:
            play(act, scene)
        if not stage.went_well:
            raise RuntimeError(f"“{trial.deed}” fails even when nothing goes wrong.")


def watch_calls(gateway: type, scene: Scene) -> None:
    """Note every call to the gateway that is made while a transaction is open."""
    for name in CALLS:
        call = getattr(gateway, name, None)
        if call:
            setattr(gateway, name, watched(call, scene))


class TakesNotes(Protocol):
    def note(self, *, raised: str) -> None: ...


def watched(call: Callable[..., Any], scene: TakesNotes) -> Callable[..., Any]:
    @functools.wraps(call)
    def calling(*args: Any, **kwargs: Any) -> Any:
        if transaction.get_connection().in_atomic_block:
            scene.note(raised=f"{call.__name__} was called inside a transaction.")
        return call(*args, **kwargs)

    return calling
