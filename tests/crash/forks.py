"""Forks of processes that work on a database: a connection cannot be shared, so it stays with the parent."""

from __future__ import annotations

import os

from django.db import connections
from django.db.backends.base.base import BaseDatabaseWrapper

LEFT: list[BaseDatabaseWrapper] = []
"""The parent's connections as a child has them: kept, since whoever collects them would end them for both."""


def fork() -> int:
    """0 in the child, which opens a connection of its own as soon as it needs one."""
    for each in connections.all(initialized_only=True):
        if each.vendor == "sqlite":  # it would take the parent's locks for the child's own
            each.close()
    process = os.fork()
    if not process:
        _leave_connections()
    return process


def _leave_connections() -> None:
    """Without a word to the server, and without holding the line open: it must drop when the parent is
    killed.
    """
    for each in connections.all(initialized_only=True):
        if each.connection:
            os.close(each.connection.fileno())
        LEFT.append(each)
        del connections[each.alias]
