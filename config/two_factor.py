"""The second step of signing in: a code of an authenticator app, for whoever switched it on.

The secrets and their checking are django-otp's (RFC 6238); a wrong code makes the next one wait, ever longer.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from math import ceil

import segno
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django_otp import devices_for_user, match_token
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

SPARE_CODES = 10


def is_on(user: User) -> bool:
    return on_since(user) is not None


def on_since(user: User) -> datetime | None:
    since: datetime | None = (
        TOTPDevice.objects.filter(user=user, confirmed=True).values_list("created_at", flat=True).first()
    )
    return since


def spare_codes_left(user: User) -> int:
    left: int = StaticToken.objects.filter(device__user=user).count()
    return left


def is_right(user: User, code: str, *, of: TOTPDevice | None) -> bool:
    """Whether the code is the app's of this half minute, or a spare one; ``of`` a new app, only its own.

    Either is used up by asking.
    """
    return of.verify_token(code) if of else match_token(user, code) is not None


def must_wait(user: User, at: datetime, *, of: TOTPDevice | None) -> int:
    """Seconds until another code is looked at, after wrong ones; 0 when it would be now."""
    asked = [of] if of else devices_for_user(user)
    answers = [device.verify_is_allowed() for device in asked]
    if any(allowed for allowed, _why in answers):
        return 0
    return max((ceil((why["locked_until"] - at).total_seconds()) for _allowed, why in answers), default=0)


def begin(user: User) -> None:
    """Make a secret for a new app. It counts once a code of it was typed; one that waited for that goes."""
    with transaction.atomic():
        _lock(user)
        TOTPDevice.objects.filter(user=user, confirmed=False).delete()
        TOTPDevice.objects.create(user=user, name="Authenticator app", confirmed=False)


def begun(user: User) -> TOTPDevice | None:
    return TOTPDevice.objects.filter(user=user, confirmed=False).order_by("-pk").first()


def switch_on(user: User, device: TOTPDevice) -> Sequence[str]:
    """Ask for codes of this app from now on; the spare codes, to be shown once.

    None of them when another app was begun in the meantime.
    """
    with transaction.atomic():
        _lock(user)
        if not TOTPDevice.objects.filter(pk=device.pk, confirmed=False).exists():
            return ()
        TOTPDevice.objects.filter(user=user, confirmed=True).delete()
        TOTPDevice.objects.filter(pk=device.pk).update(confirmed=True, created_at=timezone.now())
        _log(user, "Two-factor sign-in switched on.")
        return _new_spare_codes(user)


def renew_spare_codes(user: User) -> Sequence[str]:
    """Ten new ones; the old ones are worth nothing any more."""
    with transaction.atomic():
        _lock(user)
        _log(user, "Spare codes of the two-factor sign-in renewed.")
        return _new_spare_codes(user)


def switch_off(user: User) -> None:
    with transaction.atomic():
        _lock(user)
        for device in devices_for_user(user, confirmed=None):
            device.delete()
        _log(user, "Two-factor sign-in switched off.")


def picture_of(device: TOTPDevice) -> SafeString:
    """The QR code that an app reads, as SVG."""
    drawn = segno.make(device.config_url).svg_inline(scale=4, light="#fff")
    return mark_safe(drawn)  # noqa: S308  # figures only: what it says is in its shape


def secret_of(device: TOTPDevice) -> str:
    """The same for typing, in groups of four: ``JBSW Y3DP …``."""
    query: str = device.config_url.partition("secret=")[2].partition("&")[0]
    return " ".join(query[start : start + 4] for start in range(0, len(query), 4))


def _new_spare_codes(user: User) -> Sequence[str]:
    device, _made = StaticDevice.objects.get_or_create(user=user, defaults={"name": "Spare codes"})
    device.token_set.all().delete()
    codes = [StaticToken.random_token() for _each in range(SPARE_CODES)]
    StaticToken.objects.bulk_create(StaticToken(device=device, token=code) for code in codes)
    return codes


def _lock(user: User) -> None:
    """One change at a time: two tabs would otherwise each make a device."""
    list(User.objects.select_for_update(of=("self",)).filter(pk=user.pk))


def _log(user: User, words: str) -> None:
    LogEntry.objects.log_actions(user.pk, [user], CHANGE, words)
