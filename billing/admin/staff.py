"""Staff and their roles."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.models import User
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from django_otp import devices_for_user
from django_otp.plugins.otp_static.models import StaticDevice
from django_otp.plugins.otp_totp.models import TOTPDevice

for _model in (User, TOTPDevice, StaticDevice):  # the last two would show people's secrets
    admin.site.unregister(_model)


@admin.register(User)
class StaffAdmin(UserAdmin[User]):
    """Staff and their roles. Only a superuser makes superusers, changes one, or grants what no role holds:
    otherwise whoever may manage staff could give themselves everything.
    """

    actions = ("switch_off_two_factor",)

    @admin.action(permissions=["change"], description=_("Switch two-factor sign-in off"))
    def switch_off_two_factor(self, request: HttpRequest, users: QuerySet[User]) -> None:
        """For whoever lost phone and spare codes: the password alone signs them in, until they set it up."""
        within = [user for user in users if self.has_change_permission(request, user)]
        for user in within:
            for device in devices_for_user(user, confirmed=None):
                device.delete()
            self.log_change(request, user, "Two-factor sign-in switched off.")
        words = _("Two-factor sign-in is off for %(names)s.") % {"names": ", ".join(map(str, within)) or "–"}
        self.message_user(request, words)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fixed = () if request.user.is_superuser else ("is_superuser", "user_permissions")
        return (*super().get_readonly_fields(request, obj), *fixed)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_within_reach(request, obj) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._is_within_reach(request, obj) and super().has_delete_permission(request, obj)

    def _is_within_reach(self, request: HttpRequest, obj: Any) -> bool:
        return request.user.is_superuser or not (obj and obj.is_superuser)
