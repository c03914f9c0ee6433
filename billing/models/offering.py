"""What may be done to a record: one question, asked to show it and asked again on the locked row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from django.utils.text import get_text_list
from django.utils.translation import gettext as _now

from billing.actions import Action
from billing.models.guard import Actor, NotAllowed, NotOffered, Refused, Stale, Viewer, may
from billing.roles import ROLES


class Offering:
    """A record whose status says what may be done to it: ``TABLE`` holds the lines, in their order.

    Each kind of record says for itself which column ``offers_by``, and finds its own words for a refusal.
    """

    TABLE: ClassVar[Mapping[str, Action]] = {}

    @property
    def offers_by(self) -> str:
        """The status that the table asks for."""
        raise NotImplementedError

    def ruled_out(self, action: Action) -> str:
        """The sentence of a status that does not offer the action."""
        raise NotImplementedError

    def has_changed(self) -> str:
        """What it is now, for somebody who saw another state."""
        raise NotImplementedError

    def available_actions(self, user: Viewer) -> list[Action]:
        """The actions that this user may take now, in the order of the table."""
        # The status first, since looking costs nothing: a refusal is a sentence, and this runs for every row.
        status = self.offers_by
        offered = (action for action in self.TABLE.values() if status in action.on)
        return [action for action in offered if self.refusal(action, user) is None]

    def unavailable_actions(self, user: Viewer) -> list[tuple[Action, str]]:
        """The other actions, each with the sentence that says why not."""
        refusals = ((action, self.refusal(action, user)) for action in self.TABLE.values())
        return [(action, str(refusal)) for action, refusal in refusals if refusal]

    def can(self, name: str, user: Viewer) -> bool:
        return self.refusal(self.TABLE[name], user) is None

    def refusal(self, action: Action, user: Viewer | Actor) -> Refused | None:
        """Why not, or None.

        ``user`` None stands for a customer, a schedule or the gateway, who has no role.
        """
        if not may(user, action.codename):
            return NotAllowed(role_sentence(action))
        if self.offers_by not in action.on:
            return NotOffered(self.ruled_out(action))
        reasons = (getattr(self, need) for need in action.needs)
        return next((NotOffered(reason) for reason in reasons if reason), None)

    def require(self, action: Action, user: Actor, *, seen: int | None = None) -> None:
        """Raise NotAllowed, NotOffered or Stale unless ``user`` may take ``action`` on the state that they
        ``seen``, which is the ``version`` of a record that has one.
        """
        refusal = self.refusal(action, user)
        if refusal:
            raise refusal
        if seen is not None and seen != getattr(self, "version", seen):
            raise Stale(self.has_changed())


def role_sentence(action: Action) -> str:
    holders = [role for role, permissions in ROLES.items() if action.codename in permissions]
    return _now("Your role does not include “%(action)s”; it takes %(roles)s.") % {
        "action": action.label,
        "roles": get_text_list(holders, _now("or")),
    }
