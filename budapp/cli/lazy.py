"""Commands that are imported when they are run, so that `budapp --help` need not import the service."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


@dataclass(frozen=True)
class Lazy:
    """A command that is not imported yet: its line in the list of commands, and what imports it."""

    help: str
    load: Callable[[], Any]


def of_module(module: str, name: str, help: str) -> Lazy:
    """Return the command of this name of the module's Typer application `app`, or all of it if it has none such."""

    def load() -> Any:
        group = get_group(import_module(module).app)
        return group.commands.get(name) or _named(group, name)

    return Lazy(help, load)


def of_domain(domain: str, name: str, help: str) -> Lazy:
    """Return the group of commands that the domain brings under this name."""

    def load() -> Any:
        return _named(get_group(import_module(f"budapp.{domain}.domain").domain.commands[name]), name)

    return Lazy(help, load)


def _named(group: TyperGroup, name: str) -> TyperGroup:
    group.name = name
    return group


def lazy_group(commands: dict[str, Lazy]) -> type[TyperGroup]:
    """Return a class of groups that have these commands."""

    class LazyGroup(TyperGroup):
        def list_commands(self, ctx: Any) -> list[str]:
            return sorted(commands)

        def get_command(self, ctx: Any, cmd_name: str) -> Any:
            found = commands.get(cmd_name)
            return _Stub(cmd_name, found) if found is not None else None

    return LazyGroup


class _Stub(TyperCommand):
    """Stands in the list of commands, and makes way for the command itself as soon as that is run."""

    def __init__(self, name: str, lazy: Lazy) -> None:
        super().__init__(name, help=lazy.help)
        self._load = lazy.load

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        import_module("budapp.cli.runtime").prepare()
        return self._load().make_context(info_name, args, parent, **extra)
