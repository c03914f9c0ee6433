#!/usr/bin/env python
"""Counterfoil's command line."""

import os
import sys
from importlib import import_module

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main(arguments: list[str]) -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    if arguments[1:2] == ["demo"] and "SECRET_KEY" not in os.environ:
        os.environ.setdefault("DEBUG", "1")  # the demo starts on a machine where nothing is set
    try:
        import_module(os.environ["DJANGO_SETTINGS_MODULE"])  # Django would carry on without, and hide why
    except ImproperlyConfigured as refusal:
        sys.exit(str(refusal))
    execute_from_command_line(arguments)


if __name__ == "__main__":
    main(sys.argv)
