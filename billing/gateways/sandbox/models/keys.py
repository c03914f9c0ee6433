from __future__ import annotations

import secrets
from uuid import UUID


class UnknownRef(ValueError):
    """A reference that the sandbox never gave out."""

    def __init__(self, ref: str) -> None:
        super().__init__(f"The sandbox never gave out the reference {ref!r}.")


def new_ref(kind: str) -> str:
    return f"sbx_{kind}_{secrets.token_hex(12)}"


def refuse_other_use(key: UUID, *, first: object, now: object) -> None:
    """Raises ValueError when the key was first used for something else: our fault, never a customer's."""
    if first != now:
        raise ValueError(f"Key {key} was first used for {first}, now for {now}: one key serves one call.")
