"""What every dialog of a guarded action has: a one-time key, the version that was looked at, a preview."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar, Protocol

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from billing.actions import Action
from billing.forms.preview import Preview
from billing.models import Event
from billing.models.guard import Actor, OneTimeKey, Refused, Viewer

INCOMPLETE = _("The page came back incomplete: load it again.")
"""For fields that nobody types."""


class Subject(Protocol):
    """What an action is done to."""

    def refusal(self, action: Action, user: Viewer | Actor) -> Refused | None: ...
    def refresh_from_db(self) -> None: ...


class About(Protocol):
    """The record that a dialog is about: it counts its versions, and knows the keys that were used on it."""

    version: int
    contact_id: int

    def one_time_key(self, key: uuid.UUID | None, by: Actor, action: str) -> OneTimeKey: ...


class Dialog(forms.Form):
    """A dialog about one record. Its fields are what the verb takes; ``key`` and ``seen`` ride along.

    ``key`` makes a second click harmless, ``seen`` notices that somebody else was quicker.
    """

    verb: ClassVar[str]
    rarely: ClassVar[frozenset[str]] = frozenset()
    """Fields that are folded away, since they are seldom asked for."""
    of_state: ClassVar[frozenset[str]] = frozenset({"seen"})
    """Fields that stand for the state that was looked at."""
    key = forms.UUIDField(widget=forms.HiddenInput, required=False, error_messages={"invalid": INCOMPLETE})
    seen = forms.IntegerField(
        widget=forms.HiddenInput, required=False, error_messages={"invalid": INCOMPLETE}
    )

    def __init__(self, *args: Any, about: About, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.about, self.user = about, user
        self.fields["key"].initial = uuid.uuid4
        self.fields["seen"].initial = about.version

    @property
    def title(self) -> str:
        return str(self.about)

    @property
    def has_rare_errors(self) -> bool:
        return any(name in self.errors for name in self.rarely)

    @classmethod
    def asked(cls) -> list[str]:
        """Names of the fields that the verb takes."""
        return [name for name in cls.base_fields if name not in ("key", "seen")]

    def do(self) -> Event:
        """Call the verb with what was typed. Raises what the verb raises."""
        method = getattr(self.subject, self.verb)
        event: Event = method(self.user, **self.cleaned_data)
        return event

    @property
    def subject(self) -> Subject:
        """What the action is done to: a payment, say, of the invoice that the dialog is about."""
        raise NotImplementedError

    def current(self, name: str) -> Any:
        """The value of a field as it stands now, typed or initial, right or not; None when it cannot be
        read.
        """
        field = self.fields[name]
        value = self[name].data if self.is_bound else self.get_initial_for_field(field, name)
        try:
            return field.clean(value)
        except ValidationError:
            return None

    def preview(self) -> Preview:
        raise NotImplementedError
