"""localstripe, the program behind the shim, and how it is asked."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from tests.stripe.keys import Answer

PATIENCE = 20
ROOT = Path(__file__).parents[2]
WITHOUT_ITS_FILE = (
    "import pickle, runpy; from tests.mortal import die_with_parent; die_with_parent({parent});"
    " pickle.dump = lambda *a, **k: None; runpy.run_module('localstripe', run_name='__main__')"
)
"""It writes all that it knows to /tmp after every change; nobody reads it here, and it grows slow by that."""


class NotInstalled(Exception):
    """There is no localstripe to start on this machine; the message is the reason."""


class Behind:
    def __init__(self, port: int) -> None:
        self._line = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        self._lock = threading.Lock()

    def get(self, path: str, **query: Any) -> Answer:
        return self._ask("GET", path + (f"?{urlencode(flat(query))}" if query else ""), "")

    def post(self, path: str, **form: Any) -> Answer:
        return self._ask("POST", path, urlencode(flat(form)))

    def forget(self) -> None:
        """Empty its books: it grows slower with all that it knows."""
        self._ask("DELETE", "/_config/data", "")

    def hang_up(self) -> None:
        self._line.close()

    def made(self, path: str, **form: Any) -> dict[str, Any]:
        """What came of a request that cannot be refused."""
        status, answer = self.post(path, **form)
        assert status == 200, answer
        return answer

    def _ask(self, method: str, path: str, body: str) -> Answer:
        headers = {
            "Authorization": "Bearer sk_test_behind",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        with self._lock:
            was_open = self._line.sock is not None
            try:
                status, text = self._sent(method, path, body, headers)
            except ConnectionError:
                if not was_open:
                    raise
                status, text = self._sent(method, path, body, headers)  # the line was idle for too long
        try:
            return status, json.loads(text)
        except ValueError:
            return status, {"error": {"type": "api_error", "message": text[:200]}}

    def _sent(self, method: str, path: str, body: str, headers: dict[str, str]) -> tuple[int, str]:
        try:
            self._line.request(method, path, body, headers)
            response = self._line.getresponse()
            return response.status, response.read().decode()
        except BaseException:
            self._line.close()
            raise


def flat(form: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """``{"metadata": {"attempt": 1}}`` as a form has it: ``metadata[attempt]=1``."""
    found: dict[str, str] = {}
    for name, value in form.items():
        full = f"{prefix}[{name}]" if prefix else name
        if isinstance(value, dict):
            found |= flat(value, full)
        elif isinstance(value, list):
            found |= flat({str(index): one for index, one in enumerate(value)}, full)
        elif value is not None:
            found[full] = str(value)
    return found


def nested(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """A form's pairs as the tree that their names describe."""
    tree: dict[str, Any] = {}
    for name, value in pairs:
        *path, last = re.findall(r"[^\[\]]+", name)
        branch = tree
        for step in path:
            branch = branch.setdefault(step, {})
        branch[last] = value
    return tree


@contextmanager
def localstripe() -> Iterator[Behind]:
    """Start it with nothing in its books, and end it. Raises NotInstalled."""
    if find_spec("localstripe") is None:
        raise NotInstalled('localstripe is not installed: pip install -e ".[dev,stripe-tests]"')
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    program_text = WITHOUT_ITS_FILE.format(parent=os.getpid())
    program = subprocess.Popen(
        [sys.executable, "-c", program_text, "--port", str(port), "--from-scratch"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    behind = Behind(port)
    try:
        yield _awake(behind, program)
    finally:
        behind.hang_up()
        program.kill()
        program.wait()


def _awake(behind: Behind, program: subprocess.Popen[bytes]) -> Behind:
    patient_until = time.monotonic() + PATIENCE
    while time.monotonic() < patient_until:
        if program.poll() is not None:
            raise NotInstalled(
                f"localstripe does not start on this machine: it ended with {program.returncode}"
            )
        try:
            behind.get("/v1/balance")
        except OSError:
            time.sleep(0.05)
        else:
            return behind
    raise NotInstalled(f"localstripe did not answer within {PATIENCE} seconds")
