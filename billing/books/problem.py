from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID


@dataclass(frozen=True, slots=True)
class Problem:
    """A stored value that its rows contradict. ``id``: the row's, or the key or reference of a charge."""

    kind: str
    id: int | UUID | str
    name: str
    column: str
    stored: str
    computed: str

    def __str__(self) -> str:
        called = f" ({self.name})" if self.name else ""
        return f"{self.kind} {self.id}{called}: {self.column} is {self.stored}, should be {self.computed}"
