"""Stripe as the harness meets it: its library talks to the shim, which fails on request and keeps books."""

from __future__ import annotations

import functools
import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from ctypes import c_double
from datetime import datetime
from decimal import Decimal
from multiprocessing.sharedctypes import RawValue
from typing import Any
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import stripe
from django.conf import settings

from billing import gateways, money
from billing.gateways import CardDetails
from billing.gateways.stripe import line
from billing.gateways.stripe.gateway import StripeGateway, make
from tests.crash import plan
from tests.crash.blows import Blow, Fault
from tests.crash.counter import Moved
from tests.crash.scene import PATIENCE, Scene
from tests.stripe.behind import ROOT
from tests.stripe.cards import CARDS, NUMBERS

HURRIED = 0.5
"""Seconds that the desk waits for an answer while a call is to be slower than that."""
STARTS_OVER_AFTER = 500
"""Trials, since localstripe grows slower with all that it knows."""
KINDS = {
    Fault.REFUSED: ("refused",),
    Fault.DROPPED_BEFORE: ("dropped_before",),
    Fault.DROPPED_AFTER: ("dropped_after",),
    Fault.ERROR_BEFORE: ("500_before", "500_kept"),
    Fault.ERROR_AFTER: ("500_after",),
    Fault.SLOWER: ("held",),
    Fault.CONFLICT: ("409",),
    Fault.TOO_MANY: ("429",),
}
"""The shim's words; of two, the trial's number decides."""
REQUESTS = {
    "prepare": ("POST", "/payment_intents$"),
    "confirm": ("POST", "/payment_intents/[^/]+/confirm$"),
    "retrieve": ("GET", "/payment_intents/[^/]+$"),
    "cancel": ("POST", "/payment_intents/[^/]+/cancel$"),
    "refund": ("POST", "/refunds$"),
    "find_refund": ("GET", "/refunds$"),
    "pay_page": ("POST", "/checkout/sessions$"),
    "card_page": ("POST", "/checkout/sessions$"),
    "page_result": ("GET", "/checkout/sessions/[^/]+$"),
    "expire_page": ("POST", "/checkout/sessions/[^/]+/expire$"),
}


class StripeCounter:
    name: str = "stripe"
    gateway: type = StripeGateway
    behaviours: Mapping[str, int] = plan.BEHAVIOURS
    steps: Mapping[str, int] = {"KWD": 10}

    def __init__(self) -> None:
        """Start a shim for this job alone, which dies with it."""
        self._shim = subprocess.Popen(
            [sys.executable, "-m", "tests.stripe", "0", str(os.getpid())],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._shim.stdout is not None
        origin = json.loads(self._shim.stdout.readline())["url"]
        self._place = urlsplit(origin).netloc
        self._past = tempfile.TemporaryFile("w+")  # noqa: SIM115  # it is open as long as the job
        self._patience = RawValue(c_double, line.TIMEOUT)
        stripe.RequestsClient.request = _patient(stripe.RequestsClient.request, self._patience)  # type: ignore[method-assign]
        settings.GATEWAY, settings.STRIPE_API_BASE = "stripe", origin
        settings.STRIPE_API_KEY, settings.STRIPE_WEBHOOK_SECRET = "sk_test_crash", "whsec_crash"
        gateways.register(self.name, make)

    def start_over(self, done: int) -> bool:
        if not done or done % STARTS_OVER_AFTER:
            return False
        self._past.write(json.dumps(self._ask("GET", "ledger")) + "\n")
        self._past.flush()
        self._ask("POST", "over")
        return True

    def card(self, behaviour: str) -> CardDetails:
        number = NUMBERS[behaviour]
        token = self._ask("POST", "cards", {"card": behaviour})["token"]
        return CardDetails(token, CARDS[number].brand.capitalize(), number[-4:], 12, 2045)

    @contextmanager
    def trouble(self, blow: Blow, scene: Scene) -> Iterator[None]:
        """Whoever asks first is hit, which may be a second resolver, as with a real line."""
        method, path = REQUESTS[blow.call]
        kinds = KINDS[blow.fault]
        fault = {"kind": kinds[scene.marks.trial % len(kinds)], "method": method, "path": path}
        self._ask("POST", "faults", [{**fault, "skip": blow.nth - 1}])
        if blow.fault is Fault.SLOWER:
            self._patience.value = HURRIED
        try:
            yield
        finally:
            self._patience.value = line.TIMEOUT
            if not self._ask("DELETE", "faults")["faults"]:
                scene.note(struck=blow.fault, whom=blow.whom)
                if blow.fault is Fault.SLOWER:
                    scene.act_later(functools.partial(self._ask, "POST", "let_go"))

    def pay(self, page: str, behaviour: str, *, confirms: bool, at: datetime) -> None:
        for form in (
            {"do": "pay", "number": NUMBERS[behaviour]},
            {"do": "approve" if confirms else "refuse"},
        ):
            self._send("POST", f"/c/pay/{page}", urlencode(form))

    def ledger(self) -> Iterator[Moved]:
        self._past.seek(0)
        for books in (*map(json.loads, self._past), self._ask("GET", "ledger")):
            for charge in books["charges"]:
                yield _moved(charge, is_refund=False)
            for refund in books["refunds"]:
                if refund["status"] == "succeeded":
                    yield _moved(refund, is_refund=True)

    def _ask(self, method: str, what: str, body: object = None) -> Any:
        return json.loads(self._send(method, f"/_shim/{what}", "" if body is None else json.dumps(body)))

    def _send(self, method: str, path: str, body: str) -> bytes:
        """The answer, whatever it is: a redirect leads out of the test. Raises RuntimeError for an error."""
        connection = http.client.HTTPConnection(self._place, timeout=PATIENCE)
        try:
            connection.request(method, path, body)
            answer = connection.getresponse()
            text = answer.read()
        finally:
            connection.close()
        if answer.status >= 400:
            raise RuntimeError(f"{method} {path}: {answer.status} {text.decode()}")
        return text


def _patient(request: Any, patience: Any) -> Any:
    """The library's call, waiting for as long as the harness says now, in whichever process."""

    @functools.wraps(request)
    def requested(self: Any, *args: Any, **kwargs: Any) -> Any:
        self._timeout = patience.value
        return request(self, *args, **kwargs)

    return requested


def _moved(row: dict[str, Any], *, is_refund: bool) -> Moved:
    currency = row["currency"].upper()
    key = UUID(row["attempt"]) if row["attempt"] else None
    return Moved(key, is_refund, Decimal(row["amount"]) * money.quantum(currency), currency)
