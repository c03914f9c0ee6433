from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import TypeVar

from django.db import connection

Answer = TypeVar("Answer")


def at_once(call: Callable[[], Answer]) -> list[Answer]:
    """What eight threads are answered that make the same call in the same moment."""
    barrier = Barrier(8)

    def one() -> Answer:
        try:
            barrier.wait()
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        return [future.result() for future in [pool.submit(one) for _ in range(8)]]
