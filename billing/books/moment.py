from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def one_moment() -> Iterator[None]:
    """Read everything as of one moment, so that what is being changed meanwhile is no contradiction.

    Nobody is kept waiting: PostgreSQL gives a snapshot, SQLite a read transaction beside its writer.
    Inside a transaction of the caller's this is the caller's affair.
    """
    if connection.in_atomic_block:
        yield
    elif connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield
    else:
        with connection.cursor() as cursor:
            cursor.execute("BEGIN DEFERRED")  # atomic() would begin IMMEDIATE, and lock out every writer
            try:
                yield
            finally:
                cursor.execute("ROLLBACK")
