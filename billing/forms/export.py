"""What the export asks: which rows, one line per what, which columns in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.translation import gettext as _now
from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from billing.export import Column, Table

LARGEST_PLACE = 999


@dataclass(frozen=True, slots=True)
class Pick:
    """A column that can be picked, as the page shows it."""

    column: Column
    picked: bool
    place: str


class ExportForm(forms.Form):
    """``selected`` is how many rows were ticked, ``matching`` how many the filter finds; None rules one out.

    Columns can be picked and put in order without a script: each has a box and a number.
    """

    all = forms.ChoiceField(label=_("Rows"), widget=forms.RadioSelect)
    per = forms.ChoiceField(label=_("One line per"), widget=forms.RadioSelect)
    columns = forms.ChoiceField(
        label=_("Columns"),
        widget=forms.RadioSelect,
        choices=[
            ("shown", _("Those of the list")),
            ("all", _("All")),
            ("picked", _("Those picked below, in their order")),
        ],
        initial="shown",
    )

    def __init__(
        self,
        data: QueryDict | None = None,
        *,
        tables: Sequence[Table],
        selected: int | None,
        matching: int | None,
    ) -> None:
        super().__init__(data)
        self.tables = {table.name: table for table in tables}
        rows = [
            ("0", _now("The %(count)s selected"), selected),
            ("1", _now("All %(count)s that match"), matching),
        ]
        offered = [
            (value, words % {"count": f"{count:,}"}) for value, words, count in rows if count is not None
        ]
        self._offer("all", offered)
        self.only_rows = offered[0][1] if len(offered) == 1 else ""
        self._offer("per", [(table.name, table.per) for table in tables])

    def _offer(self, name: str, choices: list[tuple[str, Any]]) -> None:
        field = self.fields[name]
        assert isinstance(field, forms.ChoiceField)
        field.choices = choices
        field.initial = choices[0][0]
        if len(choices) == 1:
            field.widget = forms.HiddenInput()

    @property
    def table(self) -> Table:
        return self.tables[self.cleaned_data["per"]]

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if not self.errors and given["columns"] == "picked":
            given["names"] = self._picked(self.table)
        return given

    def chosen(self) -> list[Column]:
        """The columns of the file. Only of a form that is valid."""
        ways = {"shown": self.table.shown, "all": [column.name for column in self.table.columns]}
        choice = self.cleaned_data["columns"]
        return self.table.named(ways[choice] if choice in ways else self.cleaned_data["names"])

    def _picked(self, table: Table) -> list[str]:
        known = [column.name for column in table.columns]
        picked = self.data.getlist(f"{table.name}-pick")  # type: ignore[attr-defined]
        for name in picked:
            if name not in known:
                raise ValidationError(
                    _now("Columns hold “%(value)s”, which a file of %(what)s does not have.")
                    % {"value": name[:40], "what": table.what}
                )
        if not picked:
            raise ValidationError(_now("Columns: pick at least one, or choose those of the list."))
        return sorted(dict.fromkeys(picked), key=lambda name: (self._place(table, name), known.index(name)))

    def _place(self, table: Table, name: str) -> int:
        typed = self.data.get(f"{table.name}-{name}-ORDER", "").strip()
        if not typed:
            return LARGEST_PLACE + 1
        if not (typed.isascii() and typed.isdigit() and len(typed) < 4):
            raise ValidationError(
                _now("Place of “%(column)s” is “%(value)s”: write a number from 1 to %(most)s.")
                % {"column": name, "value": typed[:40], "most": LARGEST_PLACE}
            )
        return int(typed)

    def picks(self) -> list[tuple[Table, list[Pick]]]:
        """For each kind of file its columns as they stand: at first those of the list, in its order."""
        return [(table, self._picks(table)) for table in self.tables.values()]

    def _picks(self, table: Table) -> list[Pick]:
        if self.is_bound:
            picked = self.data.getlist(f"{table.name}-pick")  # type: ignore[attr-defined]
            return [
                Pick(column, column.name in picked, self.data.get(f"{table.name}-{column.name}-ORDER", ""))
                for column in table.columns
            ]
        rest = [column.name for column in table.columns if column.name not in table.shown]
        ordered = sorted(table.columns, key=lambda column: [*table.shown, *rest].index(column.name))
        return [
            Pick(column, column.name in table.shown, str(place))
            for place, column in enumerate(ordered, start=1)
        ]
