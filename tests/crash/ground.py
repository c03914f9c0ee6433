"""Databases of the harness's own, beside the one that DATABASE_URL names, which it never touches."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connection, connections


@contextmanager
def databases(count: int, folder: Path, *, what_for: str = "crash") -> Iterator[list[str]]:
    """The names of so many databases, each with all tables and no rows; dropped when the block ends.

    What a process has written survives its kill -9 whether or not it has reached the disk, so nobody waits
    for the disk here.
    """
    at = connection.settings_dict
    if connection.vendor == "sqlite":
        at["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
        yield _files(count, folder)
        return
    at["OPTIONS"]["options"] = "-c synchronous_commit=off"
    base = f"{at['NAME']}_{what_for}_{os.getpid()}"
    names = [base, *(f"{base}_{n}" for n in range(1, count))]
    try:
        _create_on_server(names)
        yield names
    finally:
        with _server() as cursor:
            for name in names:
                cursor.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def use(name: str) -> None:
    """Work on this database from now on, in this process and in those that come from it."""
    connections.close_all()
    connection.settings_dict["NAME"] = name


def _files(count: int, folder: Path) -> list[str]:
    first = folder / "0.sqlite3"
    _make_tables(str(first))
    names = [first, *(folder / f"{n}.sqlite3" for n in range(1, count))]
    for name in names[1:]:
        shutil.copy(first, name)
    return [str(name) for name in names]


def _create_on_server(names: list[str]) -> None:
    with _server() as cursor:
        cursor.execute(f'CREATE DATABASE "{names[0]}"')
    _make_tables(names[0])
    with _server() as cursor:
        for name in names[1:]:
            cursor.execute(f'CREATE DATABASE "{name}" TEMPLATE "{names[0]}"')


def _make_tables(name: str) -> None:
    """As the models are now: walking there through all migrations takes longer than a hundred trials."""
    use(name)
    settings.MIGRATION_MODULES = {app.label: None for app in apps.get_app_configs()}
    call_command("migrate", run_syncdb=True, verbosity=0)
    connections.close_all()


def _server() -> Any:
    """A cursor at no database of ours, as creating and dropping one asks for."""
    connections.close_all()
    return connection._nodb_cursor()
