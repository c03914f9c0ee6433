"""One environment variable at a time; a missing or malformed one is refused with a sentence that names it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.core.exceptions import ImproperlyConfigured
from environ import Env

from billing.money import EXPONENTS

FALSE_STRINGS = ("false", "off", "n", "no", "0")
HOST = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)
STRIPE_CHECKOUT = "https://checkout.stripe.com"
THIS_MACHINE = ("localhost", "127.0.0.1", "::1")
SMTP_PORTS = {"smtp": 25, "smtps": 587, "smtp+tls": 587, "smtp+ssl": 465}


class Environment:
    """An empty variable counts as a missing one: that is how compose files and unit files leave one out.

    Every method raises ImproperlyConfigured. Its sentence shows no value that may hold a password.
    """

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = {name: value.strip() for name, value in variables.items() if value.strip()}

    def flag(self, name: str, *, default: bool) -> bool:
        word = self._text(name, default=str(default)).lower()
        if word not in (*Env.BOOLEAN_TRUE_STRINGS, *FALSE_STRINGS):
            raise ImproperlyConfigured(f"{name} is {word!r}: it must be 1 or 0.")
        return word in Env.BOOLEAN_TRUE_STRINGS

    def choice(self, name: str, choices: Collection[str], *, default: str) -> str:
        word = self._text(name, default=default)
        if word not in choices:
            raise ImproperlyConfigured(f"{name} is {word!r}: it must be {' or '.join(choices)}.")
        return word

    def secret_key(self, name: str, *, default: str | None) -> str:
        """Fewer than 50 characters are refused, as by Django's own check security.W009."""
        key = self._text(name, default=default, purpose="at least 50 random characters that sign sessions")
        if len(key) < 50:
            raise ImproperlyConfigured(
                f"{name} has {len(key)} characters: it must have at least 50 random ones."
            )
        return key

    def base_url(self, name: str, *, default: str | None) -> str:
        """The desk's own address without a slash at its end. Where none is assumed, it must be https."""
        url = self._text(
            name, default=default, purpose="this desk's address, such as https://desk.example.com"
        )
        if not _is_origin(url.rstrip("/")):
            raise ImproperlyConfigured(f"{name} is {url!r}: it must look like https://desk.example.com.")
        if default is None and not url.startswith("https:"):
            raise ImproperlyConfigured(f"{name} is {url!r}: it must begin with https:// when DEBUG is off.")
        return url.rstrip("/")

    def origin(self, name: str) -> str:
        """Scheme, host and port of a server that is sent secrets, without a slash at its end; nothing when it
        is not set.
        """
        url = self._text(name, default="").rstrip("/")
        if url and not _is_origin(url):
            raise ImproperlyConfigured(f"{name} is {url!r}: it must look like https://api.example.com.")
        if url.startswith("http:") and urlsplit(url).hostname not in THIS_MACHINE:
            raise ImproperlyConfigured(
                f"{name} is {url!r}: it must begin with https:// unless it is on this machine."
            )
        return url

    def stripe_key(self, name: str, *, required: bool) -> str:
        """A secret or restricted key of Stripe's; nothing when it is not set."""
        shapes = "sk_live_…, rk_live_…, sk_test_… or rk_test_…"
        return self._stripe(name, r"[sr]k_(live|test)_\w+", shapes, required=required)

    def stripe_secret(self, name: str, *, required: bool) -> str:
        """What Stripe signs its messages with; nothing when it is not set."""
        return self._stripe(name, r"whsec_[\w+/=]+", "whsec_…", required=required)

    def _stripe(self, name: str, shape: str, looks: str, *, required: bool) -> str:
        value = self._variables.get(name, "")
        if required and not value:
            raise ImproperlyConfigured(f"{name} is missing: GATEWAY=stripe needs it; it looks like {looks}.")
        if value and not re.fullmatch(shape, value, re.ASCII):
            raise ImproperlyConfigured(f"{name} is malformed: it must look like {looks}.")
        return value

    def hosts(self, name: str, *, default: Collection[str]) -> list[str]:
        hosts = [host.strip() for host in self._text(name, default=",".join(default)).split(",")]
        for host in hosts:
            if host != "*" and not HOST.fullmatch(host.removeprefix(".")):
                raise ImproperlyConfigured(
                    f"{name} holds {host!r}: it must be host names between commas, without scheme or port."
                )
        return hosts

    def time_zone(self, name: str, *, default: str) -> str:
        zone = self._text(name, default=default)
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise ImproperlyConfigured(f"{name} is {zone!r}: not a time zone of the IANA database.") from None
        return zone

    def currency(self, name: str, *, default: str) -> str:
        code = self._text(name, default=default)
        if code not in EXPONENTS:
            raise ImproperlyConfigured(f"{name} is {code!r}: not a currency code of ISO 4217, such as USD.")
        return code

    def database(self, name: str, *, default: Path) -> dict[str, Any]:
        """SQLite or PostgreSQL, with the options under which money is safe in each."""
        if name not in self._variables:
            return _sqlite(default)
        if self._scheme(name) == "sqlite":
            if not re.match("sqlite:///.", self._variables[name]):
                raise ImproperlyConfigured(
                    f"{name} names no file: it must look like sqlite:////path/to/desk.sqlite3."
                )
            return _sqlite(Env.db_url_config(self._variables[name])["NAME"])
        config = self._url(name, Env.db_url_config, example="postgres://user:password@host:5432/name")
        if config["ENGINE"] != "django.db.backends.postgresql" or not config["NAME"]:
            raise ImproperlyConfigured(f"{name} must name a database of postgres:// or a file of sqlite:///.")
        return _postgresql(config)

    def cache(self, name: str, *, default: str) -> dict[str, Any]:
        return self._url(name, Env.cache_url_config, default=default, example="dbcache://table")

    def email(self, name: str, *, default: str | None) -> dict[str, Any]:
        """Django's ``EMAIL_*`` settings."""
        example = "smtp+tls://user:password@host:587"
        self._text(name, default=default, purpose=f"the mail server, such as {example}")
        config = self._url(name, Env.email_url_config, default=default or "", example=example)
        if port := SMTP_PORTS.get(self._scheme(name, default=default or "")):
            if not config["EMAIL_HOST"]:
                raise ImproperlyConfigured(f"{name} names no mail server: it must look like {example}.")
            config["EMAIL_PORT"] = config["EMAIL_PORT"] or port
        return {setting: value for setting, value in config.items() if setting.startswith("EMAIL_")}

    def _text(self, name: str, *, default: str | None, purpose: str = "") -> str:
        value = self._variables.get(name, default)
        if value is None:
            raise ImproperlyConfigured(
                f"{name} is missing: set it to {purpose}, or set DEBUG=1 for trying out."
            )
        return value

    def _scheme(self, name: str, *, default: str = "") -> str:
        return self._text(name, default=default).partition(":")[0]

    def _url(
        self, name: str, parse: Callable[[str], dict[str, Any]], *, default: str = "", example: str
    ) -> dict[str, Any]:
        url = self._text(name, default=default)
        try:
            if "://" in url:
                return parse(url)
        except (ImproperlyConfigured, ValueError):
            pass  # django-environ's own words would show the password
        raise ImproperlyConfigured(f"{name} is malformed: it must look like {example}.")


def hosted_pages(stripe_key: str, stripe_api: str) -> list[str]:
    """Where customers are led to type a card, besides the desk's own pages."""
    if not stripe_key:
        return []
    return [STRIPE_CHECKOUT, *([stripe_api] if stripe_api else [])]


def _is_origin(url: str) -> bool:
    try:
        parts = urlsplit(url)
        host = parts.netloc if parts.port is None else parts.netloc.removesuffix(f":{parts.port}")
    except ValueError:
        return False
    return bool(HOST.fullmatch(host)) and url in (f"http://{parts.netloc}", f"https://{parts.netloc}")


def _sqlite(file: Path | str) -> dict[str, Any]:
    """A writer waits for its turn at BEGIN, where it holds nothing yet; what is committed is on the disk."""
    return {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": file,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 20,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;",
        },
    }


def _postgresql(config: dict[str, Any]) -> dict[str, Any]:
    return {
        **config,
        "CONN_MAX_AGE": config.get("CONN_MAX_AGE", 60),
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {"connect_timeout": 10, **config.get("OPTIONS", {})},
    }
