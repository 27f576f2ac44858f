"""The commands of budapp and budctl."""

import re
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import typer
from stack.client import api_client
from stack.python_env import Workshop
from stack.settings import DEV_STATE, cache_folder
from typer.cli import get_docs_for_click

from budapp.cli import main as budapp
from tests.reference.markdown import page

_BUDAPP = "Run and operate the service; the image has the command too. Settings: [settings](settings.md)."
_BUDCTL = "Work with budapp from the command line; how to install it: [Python client](../client.md#budctl)."
_HELP = re.compile(r"^\* `--help`: .*\n", re.MULTILINE)
_COMMANDS = re.compile(r"\*\*Commands\*\*:\n\n(?:\* .*\n)+")
"""The list of a group's commands, cut short; each has a section of its own below."""
_EMPTY = re.compile(r"\*\*Options\*\*:\n\n(?=\n|\Z)")


def render_budapp() -> str:
    """Return the page of `budapp`."""
    return _page("budapp", _BUDAPP, ((name, lazy.load) for name, lazy in budapp.COMMANDS.items()))


def render_budctl() -> str:
    """Return the page of `budctl`."""
    api_client(Workshop(cache_folder(), DEV_STATE))
    from budapp_client.cli.main import COMMANDS  # noqa: PLC0415 - it needs the generated part

    return _page("budctl", _BUDCTL, ((name, partial(lazy.load, name)) for name, lazy in COMMANDS.items()))


def _page(program: str, lead: str, commands: Iterable[tuple[str, Callable[[], Any]]]) -> str:
    parts = [_described(program, name, load()) for name, load in sorted(commands, key=lambda one: one[0])]
    return page(f"`{program}`", lead, *parts)


def _described(program: str, name: str, command: Any) -> str:
    text = get_docs_for_click(obj=command, ctx=typer.Context(command), name=name, call_prefix=program, indent=1)
    kept = _EMPTY.sub("", _COMMANDS.sub("", _HELP.sub("", text)))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(map(_escaped, kept.splitlines())))


def _escaped(line: str) -> str:
    """Return a line whose angle brackets are no HTML; what is code stays."""
    parts = line.split("`")
    return "`".join(part if number % 2 else part.replace("<", "&lt;") for number, part in enumerate(parts))
