"""README.md says what is so."""

import re
from pathlib import Path

from django.core.management import get_commands

from tests.settings import OTHER_VARIABLES

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
COMMANDS = [line for line in README.splitlines() if line.startswith("python3 -m venv")]


def variables_that_are_read() -> set[str]:
    return set(re.findall(r'\benv\.\w+\(\s*"([A-Z_]+)"', (ROOT / "config/settings.py").read_text()))


def test_the_environment_is_listed_whole() -> None:
    listed = re.findall(r"^\| `([A-Z_]+)` \|", README, re.MULTILINE)
    assert sorted(listed) == sorted(variables_that_are_read())


def test_the_tests_forget_what_the_shell_has_set() -> None:
    assert variables_that_are_read() - {"DEBUG", "DATABASE_URL"} == OTHER_VARIABLES


def test_two_commands_set_it_up() -> None:
    assert [command.rpartition(" && ")[2] for command in COMMANDS] == [
        ".venv/bin/python manage.py demo",
        ".venv/bin/pytest",
    ]


def test_what_checks_a_change_runs_the_tests_as_the_readme_does() -> None:
    assert COMMANDS[1] in (ROOT / ".ci/run").read_text().splitlines()


def test_services_run_commands_that_there_are() -> None:
    run = set(re.findall(r'manage\.py"?,? "?(\w+)', README))
    assert {"work", "tick", "demo"} <= run
    assert run <= get_commands().keys()
