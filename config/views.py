"""The door: signing in, with a second step for whoever switched it on, and the page that does so."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth import login
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.contrib.auth.views import LoginView, RedirectURLMixin
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.decorators import method_decorator
from django.utils.translation import gettext as _now
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from django.views.generic import FormView

from config import two_factor
from config.forms import CodeForm, SignInForm

HALF_SIGNED_IN = "half_signed_in"
"""The key of a session whose password was right and whose code is still to come."""
LIVES = timedelta(minutes=5)


class SignIn(LoginView):
    template_name = "login.html"
    authentication_form = SignInForm

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        if not two_factor.is_on(user):
            return super().form_valid(form)
        self.request.session.cycle_key()
        self.request.session[HALF_SIGNED_IN] = {
            "user": user.pk,
            "backend": user.backend,
            "hash": user.get_session_auth_hash(),
            "at": timezone.now().isoformat(),
        }
        query = {self.redirect_field_name: way} if (way := self.get_redirect_url()) else {}
        return HttpResponseRedirect(f"{reverse('login_code')}?{urlencode(query)}".rstrip("?"))


@method_decorator(
    [require_http_methods(["GET", "HEAD", "POST"]), sensitive_post_parameters("code"), never_cache],
    name="dispatch",
)
class SignInCode(RedirectURLMixin, FormView[CodeForm]):
    template_name = "two_factor/code.html"
    form_class = CodeForm

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        self.user = half_signed_in(request, at=timezone.now())
        if self.user is None:
            if request.user.is_authenticated:
                return HttpResponseRedirect(self.get_success_url())
            messages.info(request, _now("The code came too late. Please sign in again."))
            return redirect("login")
        return super().dispatch(request, *args, **kwargs)  # type: ignore[return-value]

    def get_default_redirect_url(self) -> str:
        return reverse("home")

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "user": self.user}

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return super().get_context_data(next=self.get_redirect_url(), **more)

    def form_valid(self, form: CodeForm) -> HttpResponse:
        half = self.request.session.pop(HALF_SIGNED_IN)
        login(self.request, form.user, half["backend"])
        return HttpResponseRedirect(self.get_success_url())


def half_signed_in(request: HttpRequest, *, at: datetime) -> User | None:
    """Whose password was right a moment ago, unless it was changed or the person was shut out since."""
    half = request.session.get(HALF_SIGNED_IN)
    if not half or at - datetime.fromisoformat(half["at"]) > LIVES:
        return None
    user = User.objects.filter(pk=half["user"], is_active=True).first()
    return user if user and constant_time_compare(user.get_session_auth_hash(), half["hash"]) else None


@never_cache
@sensitive_post_parameters("code")
@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def own_two_factor(request: HttpRequest) -> HttpResponse:
    """Switch the second step on or off for oneself, and get new spare codes."""
    assert isinstance(request.user, User)
    if request.method != "POST":
        return _own(request, CodeForm(user=request.user))
    return _change(request, request.user, request.POST.get("deed", ""))


def _change(request: HttpRequest, user: User, deed: str) -> HttpResponse:
    if deed not in {"switch_on", "renew", "switch_off"}:
        two_factor.begin(user)
        return redirect("two_factor")
    new = two_factor.begun(user) if deed == "switch_on" else None
    form = CodeForm(request.POST, user=user, of=new)
    if not form.is_valid():
        return _own(request, form, status=422)
    if deed == "switch_off":
        two_factor.switch_off(user)
        messages.success(request, _now("Two-factor sign-in is off: your password alone signs you in."))
        return redirect("two_factor")
    codes = two_factor.switch_on(user, new) if new else two_factor.renew_spare_codes(user)
    return _own(request, CodeForm(user=user), codes=codes)


def _own(
    request: HttpRequest, form: CodeForm, *, codes: Sequence[str] = (), status: int = 200
) -> HttpResponse:
    device = two_factor.begun(form.user)
    context = {
        "form": form,
        "codes": codes,
        "since": two_factor.on_since(form.user),
        "left": two_factor.spare_codes_left(form.user),
        "picture": device and two_factor.picture_of(device),
        "secret": device and two_factor.secret_of(device),
    }
    return render(request, "two_factor/own.html", context, status=status)
