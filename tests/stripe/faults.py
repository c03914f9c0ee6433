"""Failures to order: the next requests that match are treated badly, each in the way that was asked for."""

from __future__ import annotations

import re
import threading
from dataclasses import asdict, dataclass, fields
from typing import Any

KINDS = {
    "refused": "the connection is reset before the request is read; nothing is done",
    "dropped_before": "the request is read, nothing is done, the connection closes",
    "dropped_after": "the request is done, the connection closes without an answer",
    "500_before": "500; nothing is done, nothing is remembered under the key",
    "500_kept": "500; nothing is done, and the same key is answered 500 ever after",
    "500_after": "the request is done and answered 500, and so is the same key ever after",
    "slow": "the request is done, the answer comes after `seconds`",
    "slow_before": "the request is done only after `seconds`, when nobody waits for it any more",
    "held": "the request is done only after `POST /_shim/let_go`, when nobody waits for it any more",
    "409": "409: the key is at work elsewhere; nothing is done",
    "429": "429: too many requests; nothing is done",
}


@dataclass
class Fault:
    """Strikes ``times`` of the requests whose method and path match, once ``skip`` of them have passed."""

    kind: str
    path: str = ".*"
    method: str = ".*"
    times: int = 1
    skip: int = 0
    seconds: float = 30

    def strikes(self, method: str, path: str) -> bool:
        if self.times <= 0 or not (re.fullmatch(self.method, method) and re.search(self.path, path)):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        return True


class Faults:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ordered: list[Fault] = []

    def order(self, wanted: list[dict[str, Any]]) -> None:
        """Raises ValueError for a fault that there is none of."""
        known = {field.name for field in fields(Fault)}
        for one in wanted:
            if one.get("kind") not in KINDS or set(one) - known:
                raise ValueError(f"{one} is no fault: kinds are {', '.join(KINDS)}.")
        with self._lock:
            self._ordered += [Fault(**one) for one in wanted]

    def clear(self) -> list[dict[str, Any]]:
        """Call off those that have not struck, which are returned."""
        with self._lock:
            called_off = [asdict(fault) for fault in self._ordered if fault.times > 0]
            self._ordered = []
        return called_off

    def listed(self) -> list[dict[str, Any]]:
        with self._lock:
            return [asdict(fault) for fault in self._ordered if fault.times]

    def take(self, method: str, path: str) -> Fault | None:
        with self._lock:
            return next((fault for fault in self._ordered if fault.strikes(method, path)), None)
