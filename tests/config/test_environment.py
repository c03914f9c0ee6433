"""Each variable alone: what it takes, and the sentence with which it refuses the rest."""

from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment

SQLITE = Path("/var/lib/counterfoil/desk.sqlite3")


def read(method: str, value: str | None, **default: Any) -> Any:
    """NAME read by the method, out of an environment in which it alone is set (or nothing is)."""
    environment = Environment({} if value is None else {"NAME": value})
    return getattr(environment, method)("NAME", **default)


def refusal(method: str, value: str | None, **default: Any) -> str:
    with pytest.raises(ImproperlyConfigured) as refused:
        read(method, value, **default)
    return str(refused.value)


@pytest.mark.parametrize(("word", "meaning"), [("1", True), ("true", True), ("0", False), ("False", False)])
def test_flag_is_read(word: str, meaning: bool) -> None:
    assert read("flag", word, default=not meaning) is meaning


@pytest.mark.parametrize("value", [None, "", "  "])
def test_an_empty_variable_counts_as_a_missing_one(value: str | None) -> None:
    assert read("flag", value, default=True) is True


def test_a_flag_that_is_neither_is_refused() -> None:
    assert refusal("flag", "maybe", default=False) == "NAME is 'maybe': it must be 1 or 0."


def test_a_choice_outside_the_list_is_refused() -> None:
    assert read("choice", "basic", choices=("basic", "plus"), default="plus") == "basic"
    sentence = refusal("choice", "gold", choices=("basic", "plus"), default="plus")
    assert sentence == "NAME is 'gold': it must be basic or plus."


def test_a_key_that_begins_with_a_dollar_is_taken_as_it_is() -> None:
    assert read("secret_key", "$" * 50, default=None) == "$" * 50


def test_a_missing_key_is_asked_for() -> None:
    sentence = refusal("secret_key", None, default=None)
    assert sentence == (
        "NAME is missing: set it to at least 50 random characters that sign sessions, "
        "or set DEBUG=1 for trying out."
    )


def test_a_short_key_is_refused_and_not_shown() -> None:
    assert refusal("secret_key", "hunter2", default=None) == (
        "NAME has 7 characters: it must have at least 50 random ones."
    )


@pytest.mark.parametrize(
    "url",
    ["https://desk.example.com", "https://desk.example.com:8443/", "https://192.0.2.7", "https://[::1]:8000"],
)
def test_a_base_url_is_taken_without_its_last_slash(url: str) -> None:
    assert read("base_url", url, default=None) == url.removesuffix("/")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "desk.example.com",
            "https://",
            "ftp://desk.example.com",
            "https://desk.example.com/billing",
            "https://a b",
        ),
        *(
            "https://desk.example.com?x=1",
            "https://me@desk.example.com",
            "https://desk:port",
            "https://desk:99999",
        ),
        *("https://[::1", "https://desk.example.com#top"),
    ],
)
def test_a_base_url_of_another_shape_is_refused(url: str) -> None:
    assert refusal("base_url", url, default=None) == (
        f"NAME is {url!r}: it must look like https://desk.example.com."
    )


def test_plain_http_is_for_trying_out() -> None:
    assert read("base_url", "http://desk.test", default="http://localhost:8000") == "http://desk.test"
    assert refusal("base_url", "http://desk.test", default=None) == (
        "NAME is 'http://desk.test': it must begin with https:// when DEBUG is off."
    )


def test_hosts_stand_between_commas() -> None:
    hosts = read("hosts", "desk.example.com, .example.org,[::1],192.0.2.7,*", default=[])
    assert hosts == ["desk.example.com", ".example.org", "[::1]", "192.0.2.7", "*"]
    assert read("hosts", None, default=["desk.example.com"]) == ["desk.example.com"]


@pytest.mark.parametrize(
    "host", ["https://desk.example.com", "desk.example.com:8000", "a b", "*.example.com"]
)
def test_a_host_with_more_than_a_name_is_refused(host: str) -> None:
    assert refusal("hosts", f"localhost,{host}", default=[]) == (
        f"NAME holds {host!r}: it must be host names between commas, without scheme or port."
    )


@pytest.mark.parametrize("zone", ["Mars/Phobos", "Europe", "../etc/passwd", "/etc/passwd"])
def test_a_time_zone_that_does_not_exist_is_refused(zone: str) -> None:
    assert read("time_zone", "Europe/London", default="UTC") == "Europe/London"
    assert refusal("time_zone", zone, default="UTC") == (
        f"NAME is {zone!r}: not a time zone of the IANA database."
    )


@pytest.mark.parametrize("code", ["usd", "XYZ", "XAU", "$"])
def test_a_currency_that_nobody_pays_with_is_refused(code: str) -> None:
    assert read("currency", "KWD", default="USD") == "KWD"
    assert refusal("currency", code, default="USD") == (
        f"NAME is {code!r}: not a currency code of ISO 4217, such as USD."
    )


@pytest.mark.parametrize("url", [None, f"sqlite:///{SQLITE}"])
def test_sqlite_gets_the_options_that_keep_money_safe(url: str | None) -> None:
    database = read("database", url, default=SQLITE)
    assert database["ENGINE"] == "django.db.backends.sqlite3"
    assert str(database["NAME"]) == str(SQLITE)
    assert database["OPTIONS"] == {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
    }


def test_postgresql_connections_are_kept_and_looked_after() -> None:
    database = read("database", "postgres://me:p%40ss@db.test:5433/desk?sslmode=require", default=SQLITE)
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["USER"], database["PASSWORD"]) == ("me", "p@ss")
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.test", 5433, "desk")
    assert (database["CONN_MAX_AGE"], database["CONN_HEALTH_CHECKS"]) == (60, True)
    assert database["OPTIONS"] == {"connect_timeout": 10, "sslmode": "require"}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("s3cret", "NAME is malformed: it must look like postgres://user:password@host:5432/name."),
        (
            "postgres://me:s3cret@db:x/desk",
            "NAME is malformed: it must look like postgres://user:password@host:5432/name.",
        ),
        ("postgres://me:s3cret@db", "NAME must name a database of postgres:// or a file of sqlite:///."),
        ("mysql://me:s3cret@db/desk", "NAME must name a database of postgres:// or a file of sqlite:///."),
        ("mangodb://me:s3cret@db/desk", "NAME must name a database of postgres:// or a file of sqlite:///."),
        ("sqlite://:memory:", "NAME names no file: it must look like sqlite:////path/to/desk.sqlite3."),
        ("sqlite://desk.sqlite3", "NAME names no file: it must look like sqlite:////path/to/desk.sqlite3."),
        ("sqlite://", "NAME names no file: it must look like sqlite:////path/to/desk.sqlite3."),
    ],
)
def test_a_database_that_cannot_be_is_refused_without_its_password(url: str, sentence: str) -> None:
    assert refusal("database", url, default=SQLITE) == sentence


def test_a_cache_is_named_by_its_address() -> None:
    cache = read("cache", None, default="locmemcache://")
    assert cache["BACKEND"] == "django.core.cache.backends.locmem.LocMemCache"
    cache = read("cache", "dbcache://cached", default="locmemcache://")
    assert (cache["BACKEND"], cache["LOCATION"]) == ("django.core.cache.backends.db.DatabaseCache", "cached")


@pytest.mark.parametrize("url", ["nowhere", "stonecache://", "dbcache"])
def test_a_cache_of_no_known_kind_is_refused(url: str) -> None:
    assert refusal("cache", url, default="locmemcache://") == (
        "NAME is malformed: it must look like dbcache://table."
    )


@pytest.mark.parametrize(
    ("url", "port", "tls", "ssl"),
    [
        ("smtp+tls://me%40desk.test:p%40ss@mail.test", 587, True, None),
        ("smtp+ssl://me%40desk.test:p%40ss@mail.test", 465, None, True),
        ("smtp://me%40desk.test:p%40ss@mail.test", 25, None, None),
        ("smtp://me%40desk.test:p%40ss@mail.test:2525", 2525, None, None),
    ],
)
def test_a_mail_server_is_named_by_its_address(
    url: str, port: int, tls: bool | None, ssl: bool | None
) -> None:
    email = read("email", url, default=None)
    assert email["EMAIL_BACKEND"] == "django.core.mail.backends.smtp.EmailBackend"
    assert (email["EMAIL_HOST"], email["EMAIL_PORT"]) == ("mail.test", port)
    assert (email["EMAIL_HOST_USER"], email["EMAIL_HOST_PASSWORD"]) == ("me@desk.test", "p@ss")
    assert (email.get("EMAIL_USE_TLS"), email.get("EMAIL_USE_SSL")) == (tls, ssl)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("s3cret", "NAME is malformed: it must look like smtp+tls://user:password@host:587."),
        (
            "pigeon://me:s3cret@mail.test",
            "NAME is malformed: it must look like smtp+tls://user:password@host:587.",
        ),
        (
            "smtp://me:s3cret@mail.test:x",
            "NAME is malformed: it must look like smtp+tls://user:password@host:587.",
        ),
        ("smtp://", "NAME names no mail server: it must look like smtp+tls://user:password@host:587."),
    ],
)
def test_a_mail_server_that_cannot_be_is_refused_without_its_password(url: str, sentence: str) -> None:
    assert refusal("email", url, default=None) == sentence


@pytest.mark.parametrize("key", ["sk_live_51AbC", "rk_test_0123"])
def test_a_key_of_stripe_is_known_by_its_shape(key: str) -> None:
    assert read("stripe_key", key, required=True) == key
    assert read("stripe_key", None, required=False) == ""


@pytest.mark.parametrize(
    "key", ["pk_live_51AbC", "sk_51AbC", "sk_live_", "sk_live_a b", "sk_live_ä", "whsec_1"]
)
def test_another_key_is_refused_and_not_shown(key: str) -> None:
    assert refusal("stripe_key", key, required=False) == (
        "NAME is malformed: it must look like sk_live_…, rk_live_…, sk_test_… or rk_test_…."
    )


def test_a_secret_of_stripe_is_known_by_its_shape() -> None:
    assert read("stripe_secret", "whsec_a+/B9=", required=True) == "whsec_a+/B9="
    assert (
        refusal("stripe_secret", "s3cret", required=True) == "NAME is malformed: it must look like whsec_…."
    )


def test_what_stripe_needs_is_asked_for() -> None:
    assert refusal("stripe_secret", None, required=True) == (
        "NAME is missing: GATEWAY=stripe needs it; it looks like whsec_…."
    )


def test_another_server_is_named_by_scheme_host_and_port() -> None:
    assert read("origin", "http://127.0.0.1:8420/") == "http://127.0.0.1:8420"
    assert read("origin", "https://api.test") == "https://api.test"
    assert read("origin", None) == ""
    assert refusal("origin", "http://api.test") == (
        "NAME is 'http://api.test': it must begin with https:// unless it is on this machine."
    )
    assert refusal("origin", "https://api.test/v1") == (
        "NAME is 'https://api.test/v1': it must look like https://api.example.com."
    )
