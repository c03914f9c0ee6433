"""Idempotency keys, by https://docs.stripe.com/api/idempotent_requests."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Answer = tuple[int, dict[str, Any]]
NOT_KEPT = (401, 403, 409, 429)


def error(status: int, message: str, *, type_: str = "invalid_request_error", **more: Any) -> Answer:
    return status, {"error": {"type": type_, "message": message, **more}}


@dataclass
class Use:
    path: str
    body: str
    answer: Answer | None = None


class Keys:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._uses: dict[str, Use] = {}

    def once(self, key: str, path: str, body: str, do: Callable[[], Answer]) -> Answer:
        """The first answer to the key, whatever it was; 400 when it was first used for another request."""
        if not key:
            return do()
        with self._lock:
            use = self._uses.get(key)
            if use is None:
                use = self._uses[key] = Use(path, body)
            else:
                return self._again(use, key, path, body)
        try:
            use.answer = do()
        finally:
            if use.answer is None or use.answer[0] in NOT_KEPT:
                with self._lock:
                    del self._uses[key]
        return use.answer

    def _again(self, use: Use, key: str, path: str, body: str) -> Answer:
        if (use.path, use.body) != (path, body):
            words = (
                "Keys for idempotent requests can only be used with the same parameters they were first used"
                f" with. Try using a key other than '{key}' if you meant to execute a different request."
            )
            return error(400, words, type_="idempotency_error")
        if use.answer is None:
            words = f"There is currently another in-progress request using this Idempotent Key ({key})."
            return error(409, words, type_="idempotency_error")
        return use.answer
