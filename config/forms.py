"""The forms at the desk's door."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.forms import AuthenticationForm, UsernameField
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext
from django_otp.plugins.otp_totp.models import TOTPDevice

from config import two_factor


class SignInForm(AuthenticationForm):
    """Django's own checks no length, and PostgreSQL would break on noting a failure under a longer name."""

    username = UsernameField(max_length=150, widget=forms.TextInput(attrs={"autofocus": True}))


class CodeForm(forms.Form):
    """A code of ``user``'s app, or a spare one. ``of`` a new app: a code of that one."""

    code = forms.CharField(
        label=_("Code"),
        max_length=20,
        error_messages={"required": _("Code is missing: your app shows one of six digits.")},
        widget=forms.TextInput(
            attrs={"autofocus": True, "autocomplete": "one-time-code", "spellcheck": "false"}
        ),
    )

    def __init__(self, *args: Any, user: User, of: TOTPDevice | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user, self._of = user, of

    def clean_code(self) -> str:
        typed: str = self.cleaned_data["code"]
        seconds = two_factor.must_wait(self.user, timezone.now(), of=self._of)
        if seconds:
            raise ValidationError(_wait(typed, seconds))
        if not two_factor.is_right(self.user, typed.replace(" ", "").lower(), of=self._of):
            rule = _now("Code is “%(code)s”: it is not what your app shows now, nor an unused spare code.")
            raise ValidationError(rule % {"code": typed})
        return typed


def _wait(typed: str, seconds: int) -> str:
    return ngettext(
        "Code is “%(code)s”: after wrong ones, no other is looked at for %(seconds)s second.",
        "Code is “%(code)s”: after wrong ones, no other is looked at for %(seconds)s seconds.",
        seconds,
    ) % {"code": typed, "seconds": seconds}
