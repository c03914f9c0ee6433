"""Programs beside the tests that do not outlive them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys

DEATH_OF_PARENT = 1
"""PR_SET_PDEATHSIG of Linux' prctl."""


def die_with_parent(parent: int) -> None:
    """However the parent ends, kill -9 included, and even if this process is stopped. Linux only."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(DEATH_OF_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it was quicker
        os._exit(1)
