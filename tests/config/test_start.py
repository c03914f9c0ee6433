"""How the desk starts, seen from outside: a process of its own for each environment."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PRODUCTION = {
    "SECRET_KEY": "k3y-of-a-desk-that-is-not-for-trying-out-0123456789-abcdefghij",
    "BASE_URL": "https://desk.example.com",
    "EMAIL_URL": "smtp+tls://desk%40example.com:s3cret@mail.example.com",
    "SANDBOX_GATEWAY": "1",
}
ANSWERS = """
import json
from django.test import Client
plain = Client().get("/login/", headers={"host": "desk.example.com"})
secure = Client().get("/admin/login/", secure=True, headers={"host": "desk.example.com"})
proxied = Client().get("/admin/login/", headers={"host": "desk.example.com", "x-forwarded-proto": "https"})
print(json.dumps({
    "plain": [plain.status_code, plain.get("location")],
    "secure": [secure.status_code, secure.get("location")],
    "proxied": proxied.status_code,
    "headers": dict(secure.headers),
}))
"""
STRIPE = {
    **PRODUCTION,
    "SANDBOX_GATEWAY": "0",
    "GATEWAY": "stripe",
    "STRIPE_API_KEY": "rk_live_0123456789",
    "STRIPE_WEBHOOK_SECRET": "whsec_0123456789",
}
GATEWAYS = """
import json
from billing import gateways
from billing.context import test_mark
installed = []
for name in ("sandbox", "stripe"):
    try:
        installed.append(gateways.get(name).name)
    except KeyError:
        pass
print(json.dumps({"installed": installed, "mark": test_mark()}))
"""
SETTINGS = """
import json
from django.conf import settings
print(json.dumps({name: getattr(settings, name) for name in %r}, default=str))
"""


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run manage.py where nothing is set but the variables."""
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        env={"PATH": os.environ["PATH"], **variables},
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def settings_of(*names: str, **variables: str) -> dict[str, object]:
    run = manage("shell", "--no-imports", "-c", SETTINGS % (names,), **variables)
    assert run.returncode == 0, run.stderr
    values: dict[str, object] = json.loads(run.stdout)
    return values


@pytest.mark.parametrize(
    ("variable", "purpose"),
    [
        ("SECRET_KEY", "at least 50 random characters that sign sessions"),
        ("BASE_URL", "this desk's address, such as https://desk.example.com"),
        ("EMAIL_URL", "the mail server, such as smtp+tls://user:password@host:587"),
    ],
)
def test_a_missing_variable_stops_the_start_with_one_sentence(variable: str, purpose: str) -> None:
    run = manage("check", **{**PRODUCTION, variable: ""})
    sentence = f"{variable} is missing: set it to {purpose}, or set DEBUG=1 for trying out."
    assert (run.returncode, run.stdout, run.stderr) == (1, "", f"{sentence}\n")


@pytest.mark.parametrize(
    ("variable", "value", "rest"),
    [
        (
            "ALLOWED_HOSTS",
            "a b",
            "holds 'a b': it must be host names between commas, without scheme or port.",
        ),
        ("BASE_URL", "desk", "is 'desk': it must look like https://desk.example.com."),
        ("CACHE_URL", "nowhere", "is malformed: it must look like dbcache://table."),
        (
            "DATABASE_URL",
            "nowhere",
            "is malformed: it must look like postgres://user:password@host:5432/name.",
        ),
        ("DEBUG", "perhaps", "is 'perhaps': it must be 1 or 0."),
        ("DEFAULT_CURRENCY", "DOUBLOON", "is 'DOUBLOON': not a currency code of ISO 4217, such as USD."),
        ("EDITION", "gold", "is 'gold': it must be basic or plus or pro or enterprise."),
        ("EMAIL_URL", "nowhere", "is malformed: it must look like smtp+tls://user:password@host:587."),
        ("GATEWAY", "piggybank", "is 'piggybank': it must be sandbox or stripe."),
        ("SANDBOX_GATEWAY", "perhaps", "is 'perhaps': it must be 1 or 0."),
        ("SECRET_KEY", "short", "has 5 characters: it must have at least 50 random ones."),
        ("STRIPE_API_BASE", "stripe", "is 'stripe': it must look like https://api.example.com."),
        (
            "STRIPE_API_KEY",
            "pk_live_s3cret",
            "is malformed: it must look like sk_live_…, rk_live_…, sk_test_… or rk_test_….",
        ),
        ("STRIPE_WEBHOOK_SECRET", "s3cret", "is malformed: it must look like whsec_…."),
        ("TIME_ZONE", "Mars/Phobos", "is 'Mars/Phobos': not a time zone of the IANA database."),
    ],
)
def test_a_malformed_variable_stops_the_start_with_one_sentence(variable: str, value: str, rest: str) -> None:
    run = manage("check", **{**PRODUCTION, variable: value})
    assert (run.returncode, run.stdout, run.stderr) == (1, "", f"{variable} {rest}\n")


def test_the_sandbox_takes_nobodys_money_by_accident() -> None:
    run = manage("check", **{**PRODUCTION, "SANDBOX_GATEWAY": "0"})
    assert run.returncode == 1
    assert run.stderr.startswith("GATEWAY is 'sandbox', which moves no money: set SANDBOX_GATEWAY=1")


@pytest.mark.parametrize(
    ("variable", "looks"),
    [
        ("STRIPE_API_KEY", "sk_live_…, rk_live_…, sk_test_… or rk_test_…"),
        ("STRIPE_WEBHOOK_SECRET", "whsec_…"),
    ],
)
def test_stripe_needs_its_key_and_its_secret(variable: str, looks: str) -> None:
    run = manage("check", **{**STRIPE, variable: ""})
    sentence = f"{variable} is missing: GATEWAY=stripe needs it; it looks like {looks}."
    assert (run.returncode, run.stdout, run.stderr) == (1, "", f"{sentence}\n")


def test_stripe_passes_the_deployment_checks_and_browsers_may_be_led_to_it() -> None:
    run = manage("check", "--deploy", "--fail-level", "WARNING", **STRIPE)
    assert run.returncode == 0, run.stderr
    assert led_to(**STRIPE) == ["'self'", "https://checkout.stripe.com"]
    elsewhere = led_to(**STRIPE, STRIPE_API_BASE="https://stripe.example.com:8443/")
    assert elsewhere == ["'self'", "https://checkout.stripe.com", "https://stripe.example.com:8443"]


def led_to(**variables: str) -> list[str]:
    policy = settings_of("CONTENT_SECURITY_POLICY", **variables)["CONTENT_SECURITY_POLICY"]
    assert isinstance(policy, dict)
    return list(policy["DIRECTIVES"]["form-action"])


@pytest.mark.parametrize(
    ("variables", "installed", "mark"),
    [
        ({}, ["sandbox"], "TEST – no real cards"),
        ({"STRIPE_API_KEY": "sk_test_1"}, ["sandbox", "stripe"], "TEST – no real cards"),
        ({"STRIPE_API_KEY": "rk_live_1"}, ["sandbox", "stripe"], "moves real money"),
        ({"GATEWAY": "stripe", "STRIPE_API_KEY": "rk_test_1"}, ["sandbox", "stripe"], "TEST – no real cards"),
        ({"GATEWAY": "stripe", "STRIPE_API_KEY": "sk_live_1"}, ["sandbox", "stripe"], ""),
        ({"GATEWAY": "stripe", "STRIPE_API_KEY": "sk_live_1", "SANDBOX_GATEWAY": "0"}, ["stripe"], ""),
    ],
)
def test_each_gateway_that_is_set_up_is_installed_and_play_money_is_marked(
    variables: dict[str, str], installed: list[str], mark: str
) -> None:
    environment = {**PRODUCTION, "STRIPE_WEBHOOK_SECRET": "whsec_1", **variables}
    run = manage("shell", "--no-imports", "-c", GATEWAYS, **environment)
    assert run.returncode == 0, run.stderr
    answer = json.loads(run.stdout)
    assert answer["installed"] == installed
    assert mark in answer["mark"]
    assert bool(mark) == bool(answer["mark"])


def test_nothing_but_debug_is_needed_for_trying_out() -> None:
    run = manage("check", DEBUG="1")
    assert run.returncode == 0, run.stderr


def test_demo_is_for_trying_out() -> None:
    run = manage("demo", "--help")
    assert "SECRET_KEY" not in run.stderr


def test_demo_never_turns_an_installation_into_one_for_trying_out() -> None:
    run = manage("demo", SECRET_KEY=PRODUCTION["SECRET_KEY"])
    assert run.returncode == 1
    assert run.stderr.startswith("BASE_URL is missing")


def test_production_passes_the_deployment_checks() -> None:
    run = manage("check", "--deploy", "--fail-level", "WARNING", **PRODUCTION)
    assert run.returncode == 0, run.stderr


def test_production_answers_over_https_only_and_says_what_a_browser_may_do() -> None:
    run = manage("shell", "--no-imports", "-c", ANSWERS, **PRODUCTION)
    assert run.returncode == 0, run.stderr
    answers = json.loads(run.stdout)
    assert answers["plain"] == [301, "https://desk.example.com/login/"]
    assert answers["secure"] == [302, "/login/"]
    assert answers["proxied"] == 302
    headers = answers["headers"]
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert set(headers["Content-Security-Policy"].split("; ")) == {
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    }


def test_production_keeps_its_cookies_to_https() -> None:
    assert settings_of("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "DEBUG", **PRODUCTION) == {
        "SESSION_COOKIE_SECURE": True,
        "CSRF_COOKIE_SECURE": True,
        "DEBUG": False,
    }


def test_the_hosts_default_to_that_of_the_base_url() -> None:
    assert settings_of("ALLOWED_HOSTS", **PRODUCTION) == {"ALLOWED_HOSTS": ["desk.example.com"]}
    several = settings_of("ALLOWED_HOSTS", **PRODUCTION, ALLOWED_HOSTS="desk.example.com,10.0.0.7")
    assert several == {"ALLOWED_HOSTS": ["desk.example.com", "10.0.0.7"]}


def test_mail_goes_to_the_server_in_the_environment() -> None:
    names = (
        "EMAIL_HOST",
        "EMAIL_PORT",
        "EMAIL_USE_TLS",
        "EMAIL_HOST_USER",
        "EMAIL_TIMEOUT",
        "DEFAULT_FROM_EMAIL",
    )
    assert settings_of(*names, **PRODUCTION) == {
        "EMAIL_HOST": "mail.example.com",
        "EMAIL_PORT": 587,
        "EMAIL_USE_TLS": True,
        "EMAIL_HOST_USER": "desk@example.com",
        "EMAIL_TIMEOUT": 20,
        "DEFAULT_FROM_EMAIL": "Counterfoil <billing@desk.example.com>",
    }


def test_a_desk_without_mail_keeps_what_it_would_send() -> None:
    backend = settings_of("EMAIL_BACKEND", DEBUG="1")
    assert backend == {"EMAIL_BACKEND": "django.core.mail.backends.dummy.EmailBackend"}
