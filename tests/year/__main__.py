"""``python -m tests.year --orders N --workers W --kill-every K --seed S``: let orders of every kind live
through a year, with workers that are killed at it, and compare what they have left with the calendar.
"""

import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from tests.year.command import main  # noqa: E402  # models can be imported only now

if __name__ == "__main__":
    sys.exit(main())
