"""Partners' links: ``?ref=CODE`` is remembered in a signed cookie of our own, for as long as the form says.

The cookie holds the first and the last code that led here, since a partner program pays one or the other.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from django.conf import settings
from django.core import signing
from django.http import HttpRequest, HttpResponse

from billing.models import OrderForm, Partner

COOKIE = "referral"
SALT = "billing.referral"
CODE = re.compile(r"[\w.-]{1,60}", re.ASCII)

Referrals = list[list[str]]
"""At most two, each a code and the moment at which its link was opened."""


def referrals_of(request: HttpRequest, form: OrderForm, *, at: datetime) -> Referrals:
    """What led here and still counts, this request's own link included.

    A code that no partner has is nobody's: it would take the first place from the partner who comes next.
    """
    known = [each for each in _read(request) if _counts(each, form, at)]
    code = request.GET.get("ref", "")
    if not CODE.fullmatch(code) or Partner.objects.by_code(code) is None:
        return known
    return [*known[:1], [code, at.isoformat()]]


def remember(response: HttpResponse, referrals: Referrals, form: OrderForm) -> None:
    """``referral_days`` 0: until the browser is closed."""
    response.set_cookie(
        COOKIE,
        signing.dumps(referrals, salt=SALT),
        max_age=timedelta(days=form.referral_days) if form.referral_days else None,
        path="/order/",
        secure=settings.SESSION_COOKIE_SECURE,
        httponly=True,
        samesite="Lax",
    )


def _read(request: HttpRequest) -> Referrals:
    try:
        read: Referrals = signing.loads(request.COOKIES.get(COOKIE, ""), salt=SALT)
    except signing.BadSignature:
        return []
    return read


def _counts(referral: list[str], form: OrderForm, at: datetime) -> bool:
    """A cookie outlives its day in a browser whose clock is wrong, and on a form that gives it less."""
    opened = datetime.fromisoformat(referral[1])
    return at - opened <= timedelta(days=form.referral_days or 1)
