"""docs/client.md: its script runs, and budctl takes the commands that it shows."""

import asyncio
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from stack.client import CLIENT

from budapp_client.cli.main import COMMANDS
from tests.cast import PASSWORD, Cast


@pytest.fixture(scope="module")
def blocks(root: Path) -> dict[str, list[str]]:
    """The page's code, by language."""
    found: dict[str, list[str]] = {}
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```", (root / "docs" / "client.md").read_text(), re.M | re.S):
        found.setdefault(language, []).append(code)
    return found


async def test_the_first_script_lists_projects(blocks: dict[str, list[str]], address: str, cast: Cast) -> None:
    [script] = blocks["python"]
    said = {"BUDAPP_ADDRESS": address, "BUDAPP_EMAIL": cast.manager.email, "BUDAPP_PASSWORD": PASSWORD}
    environment = os.environ | said | {"PYTHONPATH": str(CLIENT / "src")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", script, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    output = (await process.communicate())[0].decode()
    assert re.fullmatch(r"created \S{36}\nHandbook chat 1\n", output), output


def test_budctl_takes_the_commands_shown(
    blocks: dict[str, list[str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "numbers.csv").touch()
    lines = [line for block in blocks["bash"] for line in block.splitlines() if line.startswith("budctl ")]
    shown = set()
    for _, name, *arguments in map(shlex.split, lines):
        if name in COMMANDS:
            command = COMMANDS[name].load(name)
            context = command.make_context(name, list(arguments))
            if hasattr(command, "commands"):
                leaf, *rest = arguments
                command.commands[leaf].make_context(leaf, rest, parent=context)
            shown.add(name)
    assert shown == set(COMMANDS) - {"watch"}
