"""The table of actions in the README is the table of ``billing.actions``."""

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

README = Path(__file__).parents[2] / "README.md"


def printed(**options: object) -> str:
    out = StringIO()
    call_command("action_table", stdout=out, **options)
    return out.getvalue()


def test_the_readme_has_it() -> None:
    assert f"<!-- action table -->\n\n{printed()}\n<!-- /action table -->" in README.read_text()


def test_each_action_has_a_row_and_each_status_a_column() -> None:
    head, rule, *rows = printed().splitlines()
    assert (
        head == "| action | Draft | Open | Collections | Closed | Declined | Refunded | Voided | Write off |"
    )
    assert rule == "| --- | :-: | :-: | :-: | :-: | :-: | :-: | :-: | :-: |"
    assert rows[0] == "| Pay | – | Y | Y | – | – | – | – | – |"
    assert rows[-1] == "| Copy pay link | – | Y | Y | – | – | – | – | – |"


def test_it_is_written_between_its_marks_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "x.md"
    file.write_text("before\n<!-- action table -->\nold\n<!-- /action table -->\nafter\n")
    printed(write=file)
    assert file.read_text() == (
        f"before\n<!-- action table -->\n\n{printed()}\n<!-- /action table -->\nafter\n"
    )


def test_a_file_without_the_marks_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "x.md"
    file.write_text("nothing here\n")
    with pytest.raises(CommandError, match="no lines <!-- action table -->"):
        printed(write=file)
    assert file.read_text() == "nothing here\n"


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="cannot be read"):
        printed(write=tmp_path / "none.md")
