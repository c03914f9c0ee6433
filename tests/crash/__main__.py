"""``python -m tests.crash --trials N --seed S``: kill, freeze and cut off whoever moves money, at random, and
compare the gateway's own books with ours once the dust has settled.
"""

import os
import sys

import django

os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
django.setup()

from tests.crash.command import main  # noqa: E402  # models can be imported only now

if __name__ == "__main__":
    sys.exit(main())
