"""Counterfoil's settings. What differs between installations comes from the environment (see README.md)."""

import os
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import django_stubs_ext
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured

from config.environment import Environment, hosted_pages

BASE_DIR = Path(__file__).resolve().parent.parent
env = Environment(os.environ)

# What this installation is

DEBUG = env.flag("DEBUG", default=False)
SECRET_KEY = env.secret_key(
    "SECRET_KEY", default="for-trying-out-on-one-machine-and-for-nothing-else-at-all" if DEBUG else None
)
BASE_URL = env.base_url("BASE_URL", default="http://localhost:8000" if DEBUG else None)
HOST = urlsplit(BASE_URL).hostname or ""
ALLOWED_HOSTS = env.hosts(
    "ALLOWED_HOSTS", default=[HOST, *(["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])]
)
TIME_ZONE = env.time_zone("TIME_ZONE", default="UTC")
DEFAULT_CURRENCY = env.currency("DEFAULT_CURRENCY", default="USD")
EDITION = env.choice("EDITION", ("basic", "plus", "pro", "enterprise"), default="plus")
GATEWAY = env.choice("GATEWAY", ("sandbox", "stripe"), default="sandbox")
STRIPE_API_KEY = env.stripe_key("STRIPE_API_KEY", required=GATEWAY == "stripe")
STRIPE_WEBHOOK_SECRET = env.stripe_secret("STRIPE_WEBHOOK_SECRET", required=GATEWAY == "stripe")
STRIPE_API_BASE = env.origin("STRIPE_API_BASE")
SANDBOX_GATEWAY = env.flag("SANDBOX_GATEWAY", default=DEBUG)
if GATEWAY == "sandbox" and not SANDBOX_GATEWAY:
    raise ImproperlyConfigured(
        "GATEWAY is 'sandbox', which moves no money: set SANDBOX_GATEWAY=1 if that is meant with DEBUG off."
    )

# What it is made of

django_stubs_ext.monkeypatch()  # ModelAdmin[Invoice] and ModelForm[Contact] also mean something when they run

INSTALLED_APPS = [
    "django_otp",
    "django_otp.plugins.otp_static",
    "django_otp.plugins.otp_totp",  # before billing, whose back office does not show its secrets
    "billing",
    "billing.gateways.sandbox",
    *(["billing.gateways.stripe"] if STRIPE_API_KEY else []),
    "contacts",
    "axes",
    "crispy_forms",
    "csp",
    "django_countries",
    "django_filters",
    "django_htmx",
    "django_tasks",
    "django_tasks_db",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.middleware.LegibleMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "config.middleware.InactivityMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "axes.middleware.AxesMiddleware",
]
ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
TEMPLATES: list[dict[str, Any]] = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "billing.context.desk",
            ],
        },
    },
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "NAME": "rows",
        "DIRS": [BASE_DIR / "templates" / "rows"],
        "OPTIONS": {"environment": "billing.templatetags.rows.environment"},
    },
]
CRISPY_ALLOWED_TEMPLATE_PACKS = ["counterfoil"]
CRISPY_TEMPLATE_PACK = "counterfoil"

# Where things are kept

DATABASES = {"default": env.database("DATABASE_URL", default=BASE_DIR / "counterfoil.sqlite3")}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {"default": env.cache("CACHE_URL", default="locmemcache://")}
TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_AUTOREFRESH = WHITENOISE_USE_FINDERS = DEBUG

# E-mail. Trying out sends none: what would go out can be read at its invoice

vars().update(env.email("EMAIL_URL", default="dummymail://" if DEBUG else None))
EMAIL_TIMEOUT = 20
DEFAULT_FROM_EMAIL = SERVER_EMAIL = f"Counterfoil <billing@{HOST}>"

# Words, days and numbers

LANGUAGE_CODE = "en"
USE_I18N = False  # there is one language so far, and looking each word up took a third of a page's time
LANGUAGES = [("en", "English")]
FORMAT_MODULE_PATH = "config.formats"
USE_TZ = True

# Signing in

LOGIN_URL = LOGOUT_REDIRECT_URL = "login"
LOGIN_REDIRECT_URL = "home"
SESSION_COOKIE_AGE = 30 * 60  # of inactivity: InactivityMiddleware moves the end along
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "config.backends.OneQueryBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{rule}"}
    for rule in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
OTP_TOTP_ISSUER = f"Counterfoil {HOST}"
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
# Both together: behind a proxy all share one address, and by name alone anybody could lock anybody out.
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_LOCKOUT_TEMPLATE = "locked_out.html"
AXES_RESET_ON_SUCCESS = True
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

# What a browser may do and send

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "base-uri": [NONE],
        # Chromium asks this rule again about each redirect after a form, such as the one to a hosted page.
        "form-action": [SELF, *hosted_pages(STRIPE_API_KEY, STRIPE_API_BASE)],
        "frame-ancestors": [NONE],
        "object-src": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"  # an invoice's link is its key: other sites never learn it
CSRF_TRUSTED_ORIGINS = [BASE_URL]
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = not DEBUG
SECURE_HSTS_SECONDS = 0 if DEBUG else 365 * 24 * 60 * 60
SECURE_PROXY_SSL_HEADER = None if DEBUG else ("HTTP_X_FORWARDED_PROTO", "https")
SILENCED_SYSTEM_CHECKS = [
    "models.W040",  # on SQLite an index goes without the columns that it would only carry along
    "security.W005",  # HSTS for subdomains and
    "security.W021",  # the preload list: other names under the domain are not this desk's to decide about
]
# An invoice of 2,000 lines, each of ten fields that hold up to a few hundred characters, and not much more.
DATA_UPLOAD_MAX_NUMBER_FIELDS = 25_000
DATA_UPLOAD_MAX_MEMORY_SIZE = 6 * 1024 * 1024

# What happened: to stderr, where the service manager keeps it

DEFAULT_EXCEPTION_REPORTER_FILTER = "config.reports.CarefulFilter"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{asctime} {levelname} {name}: {message}", "style": "{"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": "WARNING"},
    "loggers": {
        "django": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
        "billing": {"handlers": ["stderr"], "level": "INFO", "propagate": False},
    },
}
