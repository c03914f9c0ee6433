"""``python -m tests.stripe [PORT [PARENT]]``: one line of JSON with the address, then work until killed.

Given the number of the process that started it, it ends when that one does.
"""

from __future__ import annotations

import json
import signal
import sys

from tests.mortal import die_with_parent
from tests.stripe.shim import running


def main(port: int = 0, parent: int = 0) -> None:
    if parent:
        die_with_parent(parent)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that localstripe goes too
    with running(port) as (origin, _shim):
        sys.stdout.write(json.dumps({"url": origin}) + "\n")
        sys.stdout.flush()
        signal.pause()


main(*map(int, sys.argv[1:]))
