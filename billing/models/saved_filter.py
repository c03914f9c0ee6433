from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.contrib.auth.models import User
from django.db import models, transaction
from django.db.models.functions import Lower
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

from billing.models.guard import Invalid

MOST_SAVED = 30
"""Of one person for one list: they stand above it as links."""
LONGEST_QUERY = 2000
"""Characters of a query string; every filter of a list filled to its end is shorter."""


class SavedFilterQuerySet(models.QuerySet["SavedFilter"]):
    def of(self, user: User, page: str) -> SavedFilterQuerySet:
        return self.filter(user=user, page=page).order_by(Lower("name"), "id")

    def keep(self, user: User, page: str, *, name: str, query: str) -> SavedFilter:
        """Save a filter under a name of the person's own; one that had the name asks for this from now on.

        Raises Invalid when there are too many.
        """
        with transaction.atomic(durable=True):
            list(User.objects.select_for_update(of=("self",)).filter(pk=user.pk))  # two tabs, one name
            mine = self.of(user, page)
            kept = mine.filter(name__iexact=name).first()
            if kept is None and mine.count() >= MOST_SAVED:
                rule = _now("Name is “%(name)s”: you have %(most)s saved filters here, which is the most.")
                raise Invalid(rule % {"name": name, "most": MOST_SAVED}, field="name")
            kept = kept or self.model(user=user, page=page)
            kept.name, kept.query = name, query
            kept.save()
        return kept


class SavedFilter(models.Model):
    """What somebody asks a list for again and again. ``page`` is the list's name, ``query`` its address."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="saved_filters")
    page = models.CharField(_("list"), max_length=20)
    name = models.CharField(_("name"), max_length=60)
    query = models.CharField(_("filter"), max_length=LONGEST_QUERY)

    objects = SavedFilterQuerySet.as_manager()

    class Meta:
        default_permissions = ()
        verbose_name = _("saved filter")
        constraints: ClassVar = [
            models.UniqueConstraint("user", "page", Lower("name"), name="saved_filter_one_per_name"),
        ]

    def __str__(self) -> str:
        return self.name
