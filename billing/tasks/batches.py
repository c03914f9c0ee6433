"""How much one run takes on, and how an error is told."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from smtplib import SMTPResponseException
from time import monotonic

MOST_AT_ONCE = 200
LONGEST = timedelta(minutes=2)
"""No run claims anything after this long, so that each claim is still fresh when it is worked on."""

Proceed = Callable[[], bool]
"""Asked before each item; a worker that is told to stop answers no."""


def always() -> bool:
    return True


class Batch:
    """How many more items one run may take on."""

    def __init__(self, most: int, proceed: Proceed) -> None:
        self._left, self._proceed = most, proceed
        self._until = monotonic() + LONGEST.total_seconds()

    def goes_on(self) -> bool:
        self._left -= 1
        return self._left >= 0 and monotonic() < self._until and self._proceed()


def error_words(error: Exception) -> str:
    """What the server, or the way to it, said: ``451 4.3.0 Try again later``."""
    if isinstance(error, SMTPResponseException):
        return f"{error.smtp_code} {text_of(error.smtp_error)}"
    return f"{type(error).__name__}: {error}"


def text_of(words: bytes | str) -> str:
    return words.decode(errors="replace") if isinstance(words, bytes) else words
