"""The guard of records that are not an invoice's: asked to show, and again on the locked row."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar
from uuid import UUID

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext as _now

from billing.actions import Action
from billing.models.base import role_sentence
from billing.models.guard import Actor, NotAllowed, NotOffered, OneTimeKey, Refused, Viewer, may


class Record(models.Model):
    """A row with a ``state`` of its own, and a table of what can be done in which."""

    TABLE: ClassVar[dict[str, Action]] = {}

    if TYPE_CHECKING:
        pk: int
        state: str

    class Meta:
        abstract = True

    @property
    def state_label(self) -> str:
        raise NotImplementedError

    def available_actions(self, user: Viewer) -> list[Action]:
        """The actions that this user may take now, in the order of the table."""
        return [action for action in self.TABLE.values() if self.refusal(action, user) is None]

    def refusal(self, action: Action, user: Viewer | Actor) -> Refused | None:
        """Why not, or None. ``user`` None stands for the gateway or a schedule."""
        if not may(user, action.codename):
            return NotAllowed(role_sentence(action))
        if self.state not in action.on:
            return NotOffered(
                _now("%(record)s is “%(state)s”: it cannot be %(done)s any more.")
                % {"record": self, "state": self.state_label, "done": action.can_be}
            )
        reasons = (getattr(self, need) for need in action.needs)
        return next((NotOffered(reason) for reason in reasons if reason), None)

    def lock(self) -> None:
        """Read this row afresh and keep everybody else from it until the transaction ends."""
        self.refresh_from_db(from_queryset=type(self)._default_manager.select_for_update(of=("self",)))

    def lock_for(self, action: Action, by: Actor) -> None:
        """Lock this row and ask again.

        Raises NotAllowed, NotOffered.
        """
        self.lock()
        refusal = self.refusal(action, by)
        if refusal:
            raise refusal

    def one_time_key(self, key: UUID | None, by: Actor, action: str) -> OneTimeKey:
        """The one-time key of a dialog about this row: its event names the row among its figures."""
        return OneTimeKey(key, by, action, Q(**{f"figures__{self._meta.model_name}": self.pk}))
