"""Commands that are imported when they are run, so that `budctl --help` imports nothing."""

from dataclasses import dataclass
from importlib import import_module
from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


@dataclass(frozen=True)
class Lazy:
    """A command, or a group of commands: its line in the list, and the module that has it."""

    help: str
    module: str

    def load(self, name: str) -> Any:
        """Return the command of this name of the module's Typer application `app`, or all of it if it has none such."""
        group = get_group(import_module(f"budapp_client.cli.{self.module}").app)
        found = group.commands.get(name, group)
        found.name = name
        return found


def lazy_group(commands: dict[str, Lazy]) -> type[TyperGroup]:
    """Return a class of groups that have these commands."""

    class LazyGroup(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return list(commands)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            found = commands.get(cmd_name)
            return _Stub(cmd_name, found) if found is not None else None

    return LazyGroup


class _Stub(TyperCommand):
    """Stands in the list of commands, and makes way for the command itself as soon as that is run."""

    def __init__(self, name: str, lazy: Lazy) -> None:
        super().__init__(name, help=lazy.help)
        self._lazy = lazy

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        return self._lazy.load(self.name or "").make_context(info_name, args, parent, **extra)
