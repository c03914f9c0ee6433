"""The guard of records that are not an invoice's: asked to show, and again on the locked row."""

from __future__ import annotations

from typing import TYPE_CHECKING
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _now

from billing.actions import Action
from billing.models.guard import Actor, OneTimeKey
from billing.models.offering import Offering


class Record(Offering, models.Model):
    """A row with a ``state`` of its own, and a table of what can be done in which."""

    if TYPE_CHECKING:
        pk: int
        state: str

    class Meta:
        abstract = True

    @property
    def state_label(self) -> str:
        raise NotImplementedError

    @property
    def offers_by(self) -> str:
        return self.state

    def ruled_out(self, action: Action) -> str:
        return _now("%(record)s is “%(state)s”: it cannot be %(done)s any more.") % {
            "record": self,
            "state": self.state_label,
            "done": action.can_be,
        }

    def lock(self) -> None:
        """Read this row afresh and keep everybody else from it until the transaction ends."""
        self.refresh_from_db(from_queryset=type(self)._default_manager.select_for_update(of=("self",)))

    def lock_for(self, action: Action, by: Actor) -> None:
        """Lock this row and ask again.

        Raises NotAllowed, NotOffered.
        """
        self.lock()
        self.require(action, by)

    def one_time_key(self, key: UUID | None, by: Actor, action: str) -> OneTimeKey:
        """The one-time key of a dialog about this row: its event names the row among its figures."""
        return OneTimeKey(key, by, action, Q(**{f"figures__{self._meta.model_name}": self.pk}))
