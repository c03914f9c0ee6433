from __future__ import annotations

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from billing import wakeups
from billing.tasks import tick


class Command(BaseCommand):
    help = (
        "Bills orders, charges them, asks gateways and sends mails that are due, once."
        " For cron, every minute; `work` does it too."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        now = timezone.now()
        results = tick(now)
        wakeups.forget(before=now)
        for name, counts in results.items():
            self.stdout.write(f"{name}: {in_words(counts)}")
        if None in results.values():
            raise CommandError("Not every job could be run; the log says why.")


def in_words(counts: Counter[str] | None) -> str:
    """``3 approved, 1 unknown``; None stands for a job that failed."""
    if counts is None:
        return "failed"
    return ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "nothing was due"
