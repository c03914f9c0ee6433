"""The tests' own Stripe keeps keys, faults and books as it says: what is proved with it rests on that."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest

from tests.stripe import behind
from tests.stripe.desk import Stripe
from tests.stripe.faults import KINDS

CUSTOMERS = "/v1/customers"


def ask(
    stripe: Stripe, path: str, key: str = "", *, method: str = "POST", **form: str
) -> tuple[int, dict[str, Any]]:
    """One request, as the library would make it. Raises OSError or HTTPException when the line is cut."""
    line = http.client.HTTPConnection(urlsplit(stripe.origin).netloc, timeout=10)
    headers = {"Authorization": "Bearer sk_test_1", "Content-Type": "application/x-www-form-urlencoded"}
    try:
        line.request(method, path, urlencode(form), {**headers, **({"Idempotency-Key": key} if key else {})})
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        line.close()


def control(stripe: Stripe, method: str, path: str, asked: object = None) -> tuple[int, Any]:
    line = http.client.HTTPConnection(urlsplit(stripe.origin).netloc, timeout=10)
    try:
        line.request(method, path, json.dumps(asked) if asked is not None else None)
        answer = line.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        line.close()


def test_a_key_gives_its_first_answer_again(stripe: Stripe) -> None:
    first = ask(stripe, CUSTOMERS, "a", name="Ada")
    assert ask(stripe, CUSTOMERS, "a", name="Ada") == first
    assert ask(stripe, CUSTOMERS, "b", name="Ada") != first
    for path, name in ((CUSTOMERS, "Grace"), ("/v1/setup_intents", "Ada")):
        status, refused = ask(stripe, path, "a", name=name)
        assert (status, refused["error"]["type"]) == (400, "idempotency_error")


def test_a_key_at_work_is_refused_elsewhere(stripe: Stripe) -> None:
    with stripe.shim.lock:  # the first request waits inside
        first = threading.Thread(target=ask, args=(stripe, CUSTOMERS, "a"), kwargs={"name": "Ada"})
        first.start()
        while "a" not in stripe.shim.keys._uses:
            time.sleep(0.01)
        assert ask(stripe, CUSTOMERS, "a", name="Ada")[0] == 409
    first.join()
    assert ask(stripe, CUSTOMERS, "a", name="Ada")[0] == 200


@pytest.mark.parametrize(
    ("kind", "status", "is_done", "replayed"),
    [
        ("refused", 0, False, 200),
        ("dropped_before", 0, False, 200),
        ("dropped_after", 0, True, 200),
        ("500_before", 500, False, 200),
        ("500_kept", 500, False, 500),
        ("500_after", 500, True, 500),
        ("slow", 200, True, 200),
        ("slow_before", 200, True, 200),
        ("409", 409, False, 200),
        ("429", 429, False, 200),
    ],
)
def test_each_fault_does_what_it_says(
    stripe: Stripe, kind: str, status: int, is_done: bool, replayed: int
) -> None:
    customer, _slash, method = stripe.token("approves").partition("/")
    order = {"amount": "100", "currency": "usd", "customer": customer, "payment_method": method}
    intent = ask(stripe, "/v1/payment_intents", "a", **order)[1]["id"]
    confirm = f"/v1/payment_intents/{intent}/confirm"
    control(stripe, "POST", "/_shim/faults", [{"kind": kind, "path": "/confirm$", "seconds": 0.1}])
    try:
        answered = ask(stripe, confirm, "b")[0]
    except (OSError, http.client.HTTPException):
        answered = 0
    assert answered == status
    assert bool(control(stripe, "GET", "/_shim/ledger")[1]["charges"]) is is_done
    assert ask(stripe, confirm, "b")[0] == replayed


def test_a_held_request_is_done_when_it_is_let_go(stripe: Stripe) -> None:
    control(stripe, "POST", "/_shim/faults", [{"kind": "held", "path": "/customers$"}])
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(ask(stripe, CUSTOMERS, name="Ada")[0]))
    asking.start()
    asking.join(0.2)
    assert asking.is_alive()
    assert control(stripe, "POST", "/_shim/let_go", {})[0] == 200
    asking.join(10)
    assert answers == [200]


def test_all_kinds_of_faults_are_tried_above() -> None:
    assert len(KINDS) == 11


def test_faults_skip_count_and_can_be_called_off(stripe: Stripe) -> None:
    fault = {"kind": "429", "path": "^/v1/customers$", "method": "POST", "skip": 1, "times": 2}
    assert control(stripe, "POST", "/_shim/faults", [fault])[0] == 200
    answers = [ask(stripe, CUSTOMERS, name="Ada")[0] for _ in range(4)]
    assert answers == [200, 429, 429, 200]
    control(stripe, "POST", "/_shim/faults", [fault])
    assert len(control(stripe, "GET", "/_shim/faults")[1]["faults"]) == 1
    assert len(control(stripe, "DELETE", "/_shim/faults")[1]["faults"]) == 1
    assert control(stripe, "GET", "/_shim/faults")[1]["faults"] == []
    for unknown in ({"kind": "flood"}, {"kind": "429", "colour": "red"}):
        assert control(stripe, "POST", "/_shim/faults", [unknown])[0] == 400


def test_parameters_that_stripe_no_longer_takes_are_refused(stripe: Stripe) -> None:
    order = {"amount": "100", "currency": "usd", "payment_method_types[0]": "card"}
    status, answer = ask(stripe, "/v1/payment_intents", **order)
    assert (status, answer["error"]["code"]) == (400, "payment_method_types_no_longer_supported")


def test_starting_over_empties_the_books(stripe: Stripe) -> None:
    paid = stripe.ask("payments", amount=100, currency="usd")
    assert control(stripe, "GET", "/_shim/ledger")[1]["charges"][0]["attempt"] is None
    assert [one["type"] for one in control(stripe, "GET", "/_shim/events")[1]["events"]] == [
        "payment_intent.succeeded"
    ]
    assert control(stripe, "POST", "/_shim/over", {})[0] == 200
    assert control(stripe, "GET", "/_shim/ledger")[1] == {"charges": [], "refunds": []}
    assert ask(stripe, f"/v1/payment_intents/{paid['id']}", method="GET")[0] == 404


def test_where_localstripe_is_not_installed_the_reason_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "find_spec", lambda name: None)
    with pytest.raises(behind.NotInstalled, match="pip install"), behind.localstripe():
        pass


def test_a_localstripe_that_does_not_start_is_told_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(behind, "WITHOUT_ITS_FILE", "raise SystemExit(3)")
    with pytest.raises(behind.NotInstalled, match="it ended with 3"), behind.localstripe():
        pass


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent died")
def test_both_programs_end_when_whoever_started_them_is_killed(stripe: Stripe) -> None:
    starts = (
        "import os, subprocess, sys; command = [sys.executable, '-m', 'tests.stripe', '0', str(os.getpid())];"
        " shim = subprocess.Popen(command); print(shim.pid, flush=True); shim.wait()"
    )
    starter = subprocess.Popen([sys.executable, "-c", starts], cwd=behind.ROOT, stdout=subprocess.PIPE)
    with starter:
        assert starter.stdout is not None
        shim = int(starter.stdout.readline())
        assert b"http" in starter.stdout.readline()
        programs = {shim, *children_of(shim)}
        assert len(programs) == 2
        starter.kill()
    until = time.monotonic() + 10
    while any(map(is_alive, programs)):
        assert time.monotonic() < until
        time.sleep(0.01)


def children_of(process: int) -> set[int]:
    rows = {int(file.parent.name): state_of(file) for file in Path("/proc").glob("[0-9]*/stat")}
    return {child for child, row in rows.items() if row[1:2] == [str(process)]}


def is_alive(process: int) -> bool:
    """A dead one that nobody asks about may be listed as Z for a while."""
    return state_of(Path(f"/proc/{process}/stat"))[:1] not in ([], ["Z"])


def state_of(file: Path) -> list[str]:
    """State, parent and so on; nothing if the process is gone."""
    try:
        return file.read_text().rpartition(") ")[2].split()
    except OSError:
        return []
