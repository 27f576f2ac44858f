"""The command line as a whole: what it lists, how soon, and what it says of failures."""

import subprocess
import sys

import pytest

from budapp import __version__
from budapp.cli.main import COMMANDS
from budapp.commons.config import Settings
from budapp.domains import DOMAINS
from tests.command_line import budapp


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
