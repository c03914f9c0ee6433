"""The database under the tests is set up as the one under the desk."""

from django.db import connection


def test_a_request_is_no_transaction(db: None) -> None:
    assert connection.settings_dict["ATOMIC_REQUESTS"] is False


def test_connections_keep_money_safe(transactional_db: None) -> None:
    if connection.vendor == "postgresql":
        assert connection.settings_dict["CONN_HEALTH_CHECKS"]
        assert connection.settings_dict["CONN_MAX_AGE"] == 60
    else:
        assert pragma("journal_mode") == "wal"
        assert pragma("synchronous") == 2
        assert pragma("busy_timeout") == 20_000
        assert pragma("foreign_keys") == 1


def pragma(name: str) -> str | int:
    with connection.cursor() as cursor:
        value: str | int = cursor.execute(f"PRAGMA {name}").fetchone()[0]
    return value
