"""Who somebody is and what they may do, asked in as few queries as possible."""

from functools import cache
from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.db.models import Q


@cache
def _granted_to() -> str:
    """SQL for what somebody and their groups were granted, who are named twice.

    Every page of staff asks it, and to put it together took longer than the database needs for the answer.
    """
    own = User.user_permissions.through.objects.filter(user=0).values("permission")
    groups = Group.permissions.through.objects.filter(group__user=0).values("permission")
    granted = Permission.objects.filter(Q(pk__in=own) | Q(pk__in=groups)).order_by()
    sql, _people = granted.values_list("content_type__app_label", "codename").query.sql_with_params()
    return sql


class OneQueryBackend(ModelBackend):
    """Django's own, which asks for what a person and what their groups were granted in one query, not two."""

    def get_all_permissions(self, user_obj: Any, obj: Any = None) -> set[str]:
        if user_obj.is_superuser or not user_obj.is_active or user_obj.is_anonymous or obj is not None:
            return super().get_all_permissions(user_obj, obj)
        if not hasattr(user_obj, "_perm_cache"):
            with connection.cursor() as cursor:
                cursor.execute(_granted_to(), [user_obj.pk, user_obj.pk])
                names = cursor.fetchall()
            user_obj._perm_cache = {f"{app}.{codename}" for app, codename in names}  # noqa: SLF001  # Django's
        granted_to: set[str] = user_obj._perm_cache  # noqa: SLF001
        return granted_to
