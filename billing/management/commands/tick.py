from __future__ import annotations

from collections import Counter
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from billing import clock, wakeups
from billing.gateways.sandbox.clock import ClockRefused, move
from billing.tasks import tick


class Command(BaseCommand):
    help = (
        "Bills orders, charges them, asks gateways and sends mails that are due, once."
        " For cron, every minute; `work` does it too."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--at",
            metavar="MOMENT",
            help="on a sandbox: first move the desk's clock on to this moment, such as 2027-03-01T00:00Z, or"
            " 2027-03-01T00:00 in the desk's own time zone. From there it goes on, never back.",
        )

    def handle(self, *, at: str | None = None, **options: Any) -> None:
        if at is not None:
            _move(at)
        began = timezone.now()  # noqa: TID251  # the Tasks API stamps by the real time
        results = tick(clock.now())
        wakeups.forget(before=began)
        for name, counts in results.items():
            self.stdout.write(f"{name}: {in_words(counts)}")
        if None in results.values():
            raise CommandError("Not every job could be run; the log says why.")


def _move(typed: str) -> None:
    try:
        move(_read(typed))
    except ClockRefused as refusal:
        raise CommandError(f"--at is refused. {refusal}") from refusal


def _read(typed: str) -> datetime:
    try:
        at = datetime.fromisoformat(typed)
        return at if at.tzinfo else timezone.make_aware(at)
    except (ValueError, OverflowError):
        raise CommandError(
            f"--at is “{typed[:40]}”: write a moment of ISO 8601, such as 2027-03-01T00:00Z."
        ) from None


def in_words(counts: Counter[str] | None) -> str:
    """``3 approved, 1 unknown``; None stands for a job that failed."""
    if counts is None:
        return "failed"
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "nothing was due"
