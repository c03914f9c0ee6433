"""``python -m tests.stripe [PORT]``: one line of JSON with the address, then work until killed."""

from __future__ import annotations

import json
import signal
import sys

from tests.stripe.shim import running


def main(port: int) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that localstripe goes too
    with running(port) as (origin, _shim):
        sys.stdout.write(json.dumps({"url": origin}) + "\n")
        sys.stdout.flush()
        signal.pause()


main(int(sys.argv[1]) if len(sys.argv) > 1 else 0)
