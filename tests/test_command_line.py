"""The command line as a whole: what it lists, how soon, and what it says of failures."""

import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from budapp import __version__
from budapp.cli.main import COMMANDS
from budapp.commons.commands import table
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.domains import DOMAINS
from tests.command_line import budapp
from tests.failures import failures


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_is_listed_with_its_own_words(name: str) -> None:
    found = COMMANDS[name].load()
    assert (found.name, (found.help or "").splitlines()[0]) == (name, COMMANDS[name].help)


def test_the_commands_of_each_domain_are_listed() -> None:
    assert {name for domain in DOMAINS for name in domain.commands} <= set(COMMANDS)


def test_the_list_of_commands_is_there_without_importing_the_service() -> None:
    heavy = "{'fastapi', 'sqlalchemy', 'pydantic', 'budapp.domains'} & set(sys.modules)"
    script = f"import sys, budapp.cli.main as cli\ntry: cli.main(['--help'])\nfinally: sys.stderr.write(str({heavy}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "set()")
    assert all(name in done.stdout for name in COMMANDS)


PRINT_NOTHING = {"audit retain", "migrate", "seed", "serve"}
PRINT_JSON_ALONE = {"openapi"}
TRIED = (
    ("tenant", "list"),
    ("outbox", "list"),
    ("outbox", "revive", "--all"),
    ("inbox", "list", "--waiting"),
    ("inbox", "revive", "--all"),
    ("keys", "status"),
    ("keys", "rotate"),
    ("audit", "verify"),
    ("catalog", "check"),
    ("evaluations", "check"),
    ("guardrails", "check"),
)


def options_of(name: str, command: Any) -> Iterator[tuple[str, list[str]]]:
    """Yield the full name and the options of the command, or of each command under it."""
    for part, below in getattr(command, "commands", {}).items():
        yield from options_of(f"{name} {part}", below)
    if not getattr(command, "commands", {}):
        yield name, [option for each in command.params for option in each.opts]


def test_every_command_that_prints_something_prints_json_too() -> None:
    commands = dict(found for name, lazy in COMMANDS.items() for found in options_of(name, lazy.load()))
    without = {name for name, options in commands.items() if "--json" not in options}
    assert without == PRINT_NOTHING | PRINT_JSON_ALONE
    assert len(commands) > 20


async def test_json_is_all_that_is_printed_then(settings: Settings, database: Database) -> None:
    with failures() as failed:
        for words in TRIED:
            with failed(" ".join(words)):
                done = await budapp(settings, *words, "--json")
                assert done.status == 0, done.stderr
                assert json.loads(done.stdout) is not None


def test_columns_have_heads_and_are_as_wide_as_what_is_in_them() -> None:
    assert table(("ID", "NAME"), [("a-long-one", 1), ("b", "x")]) == [
        "ID          NAME",
        "a-long-one  1",
        "b           x",
    ]
    assert table(("ID",), []) == []


async def test_the_version_is_printed(settings: Settings) -> None:
    done = await budapp(settings, "--version")
    assert (done.status, done.stdout) == (0, f"budapp {__version__}\n")


async def test_a_revision_that_does_not_exist_is_named_without_a_traceback(settings: Settings) -> None:
    done = await budapp(settings, "migrate", "--revision", "nosuch")
    assert done.status == 1
    assert done.stderr.endswith("budapp: the database can't be migrated: Can't locate revision identified by 'nosuch'")


async def test_a_command_that_does_not_exist_is_refused(settings: Settings) -> None:
    done = await budapp(settings, "nosuch")
    assert done.status == 2
    assert "No such command 'nosuch'" in done.stderr
