"""The sandbox as the harness meets it: there is no network, so what a network does is done to its calls."""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date, datetime
from typing import Any
from unittest.mock import patch
from uuid import UUID

from billing.gateways import CardDetails, NoAnswer
from billing.gateways.sandbox import pages
from billing.gateways.sandbox.gateway import SandboxGateway
from billing.gateways.sandbox.models import Charge, Refund
from billing.gateways.sandbox.numbers import BEHAVIOURS, NUMBERS, read_card, read_number
from billing.statuses import AttemptState
from tests.crash import plan
from tests.crash.blows import Blow, Fault
from tests.crash.counter import Moved
from tests.crash.scene import Scene

NUMBER_OF = {each.behaviour.name: number for number, each in NUMBERS.items()}
ACTED = {Fault.DROPPED_AFTER, Fault.ERROR_AFTER}


class SandboxCounter:
    name: str = "sandbox"
    gateway: type = SandboxGateway
    behaviours: Mapping[str, int] = {**plan.BEHAVIOURS, "charged-lost": 5, "uncharged-lost": 5}

    steps: Mapping[str, int] = {}

    def start_over(self, done: int) -> bool:
        return False

    def card(self, behaviour: str) -> CardDetails:
        number = NUMBER_OF[behaviour]
        return SandboxGateway().store_card(number, exp_month=12, exp_year=2045, today=date(2020, 1, 1))

    @contextmanager
    def trouble(self, blow: Blow, scene: Scene) -> Iterator[None]:
        original, calls = getattr(SandboxGateway, blow.call), [0]
        failed: set[UUID] = set()

        def troubled(*args: Any, **kwargs: Any) -> Any:
            key = kwargs.get("key")
            if key in failed:  # a gateway that once answered 500 repeats that for the same key
                raise NoAnswer(f"The {blow.call} under {key} failed before.")
            calls[0] += 1
            if calls[0] != blow.nth:
                return original(*args, **kwargs)
            scene.note(struck=blow.fault, whom=blow.whom)
            if key and blow.fault in (Fault.ERROR_BEFORE, Fault.ERROR_AFTER):
                failed.add(key)
            if blow.fault in ACTED:
                original(*args, **kwargs)
            elif blow.fault is Fault.SLOWER:
                scene.act_later(functools.partial(original, *args, **kwargs))
            raise NoAnswer(f"{blow.call}: {blow.fault}")

        with patch.object(SandboxGateway, blow.call, troubled):
            yield

    def pay(self, page: str, behaviour: str, *, confirms: bool, at: datetime) -> None:
        assert BEHAVIOURS[behaviour].can_be_saved
        typed = read_card(read_number(NUMBER_OF[behaviour]), exp_month=12, exp_year=2045, today=at.date())
        pages.take_card(page, typed, now=at)
        (pages.approve_at_bank if confirms else pages.refuse_at_bank)(page, now=at)

    def ledger(self) -> Iterator[Moved]:
        for charge in Charge.objects.moved().iterator():
            yield Moved(charge.key, False, charge.amount, charge.currency)
        refunds = Refund.objects.filter(state=AttemptState.APPROVED).select_related("charge")
        for refund in refunds.order_by("pk").iterator():
            yield Moved(refund.key, True, refund.amount, refund.charge.currency)
