from __future__ import annotations

import signal
from argparse import ArgumentParser
from threading import Event
from typing import Any

from django.core.management.base import BaseCommand

from billing.worker import work


class Command(BaseCommand):
    help = (
        "Bills orders, charges them, asks gateways and sends mails as they fall due, until SIGTERM or Ctrl-C."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--every", type=seconds, default=5.0, metavar="SECONDS", help="pause between two rounds (5)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = Event()
        for each in (signal.SIGTERM, signal.SIGINT):
            signal.signal(each, lambda *_: stopping.set())
        self.stdout.write("Working: orders, attempts and mails, as they fall due.")
        work(stopping, every=options["every"])
        self.stdout.write("Stopped.")


def seconds(typed: str) -> float:
    """Raises ValueError, which argparse turns into a sentence."""
    value = float(typed)
    if not 0 < value <= 3600:
        raise ValueError
    return value
