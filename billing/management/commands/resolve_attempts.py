from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from billing import clock
from billing.management.commands.tick import in_words
from billing.models import Attempt
from billing.tasks import Asked, ends, resolve_attempts


class Command(BaseCommand):
    help = "Asks the gateways how unfinished attempts ended, and settles them. Never charges again."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--all",
            action="store_true",
            help="ask about every attempt that its own process has had its two minutes for, due or not",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        now = clock.now()
        if options["all"]:
            Attempt.objects.call_up(now)
        asked = resolve_attempts(now)
        for each in asked:
            self.stdout.write(line_about(each))
        self.stdout.write(f"Asked about {len(asked)}: {in_words(ends(asked))}.")
        persons = sum(attempt.needs_a_person(now) for attempt in Attempt.objects.in_flight())
        if persons:
            self.stdout.write(self.style.ERROR(f"{persons} without an answer for days: a person must look."))


def line_about(asked: Asked) -> str:
    attempt = asked.attempt
    end = f"failed, {asked.error}" if asked.error else attempt.get_state_display()
    return f"{attempt.key} {attempt.invoice} {attempt}: {end}"
