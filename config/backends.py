"""Who somebody is and what they may do, asked in as few queries as possible."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q


class OneQueryBackend(ModelBackend):
    """Django's own, which asks for what a person and what their groups were granted in one query, not two."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if user_obj.is_superuser or not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return super().get_all_permissions(user_obj, obj)
        if not hasattr(user_obj, "_perm_cache"):
            own = User.user_permissions.through.objects.filter(user=user_obj).values("permission")
            groups = Group.permissions.through.objects.filter(group__user=user_obj).values("permission")
            granted = Permission.objects.filter(Q(pk__in=own) | Q(pk__in=groups)).order_by()
            names = granted.values_list("content_type__app_label", "codename")
            user_obj._perm_cache = {f"{app}.{codename}" for app, codename in names}  # noqa: SLF001  # Django's
        granted_to: set[str] = user_obj._perm_cache  # noqa: SLF001
        return granted_to
