"""Another process that dies on the way, as a ``dying`` module of a package of tests lets it."""

from __future__ import annotations

import subprocess
import sys
import time

from django.db import connection

DIED = 9
PATIENCE = 20.0
"""Seconds after which a dead process's connection is taken to stay."""
OTHERS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


def run_to_death(environment: dict[str, str], module: str, *what: object) -> None:
    """Let ``main`` of the module do what is said in a Python of its own, in which it dies.

    The database has forgotten the dead process on return: until PostgreSQL notices that nobody is at the
    other end, it keeps the locks, and whoever comes next leaves those rows alone.
    """
    program = f"import django; django.setup(); from {module} import main; main(*{what!r})"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == DIED, done.stderr
    if connection.vendor == "postgresql":
        _wait_until_alone()


def _wait_until_alone() -> None:
    until = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:
        while True:
            cursor.execute(OTHERS)
            if cursor.fetchone() == (0,):
                return
            assert time.monotonic() < until, "The dead process's connection stays."
            time.sleep(0.005)
