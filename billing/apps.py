from __future__ import annotations

from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate
from django.utils.translation import gettext_lazy as _


class BillingConfig(AppConfig):
    default_auto_field = "django.db.models.BigAutoField"
    name = "billing"
    verbose_name = _("Billing")

    def ready(self) -> None:
        from billing import wakeups  # models are ready only now

        wakeups.listen()
        post_migrate.connect(keep_roles, dispatch_uid="billing.roles")


def keep_roles(using: str, **kwargs: Any) -> None:
    """Give the four roles exactly the permissions that the table says, once their apps have theirs.

    Runs after every app's migration, since permissions come app by app. Groups of other names are left alone.
    """
    from django.contrib.auth.models import Group, Permission  # models are ready only now

    from billing.roles import ROLES

    known = {
        f"{app}.{codename}": pk
        for pk, app, codename in Permission.objects.using(using).values_list(
            "pk", "content_type__app_label", "codename"
        )
    }
    for role, permissions in ROLES.items():
        group, _created = Group.objects.using(using).get_or_create(name=role)
        group.permissions.set([known[name] for name in permissions if name in known])
