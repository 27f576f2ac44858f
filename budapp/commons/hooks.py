"""Hooks: how a domain calls the domains above it, which it does not know.

The lower domain declares a hook and calls what is registered for it; the higher one registers a function in its
`domain.py`. Registrations belong to one application, and run in the order of its domains.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

FunctionT = TypeVar("FunctionT", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Registration:
    """A function that is called for a hook; `name` tells it from the others of that hook."""

    hook: "Hook[Any]"
    function: Callable[..., Any]
    name: str


class Hook(Generic[FunctionT]):
    """A point at which other domains are called.

    Args:
        name: stands in messages.
        single: whether just one function is registered for it, rather than any number.
    """

    def __init__(self, name: str, *, single: bool = False) -> None:
        self.name = name
        self.single = single

    def register(self, function: FunctionT, *, name: str | None = None) -> Registration:
        """Return the registration, for the `hooks` of a `Domain`; it is called after the function where absent."""
        return Registration(self, function, name or f"{function.__module__}.{function.__qualname__}")


class Hooks:
    """What is registered for each hook, in one application.

    Raises:
        ValueError: a single hook has two registrations, or one name is registered twice for a hook.
    """

    def __init__(self, registrations: Iterable[Registration] = ()) -> None:
        self._functions: dict[Hook[Any], dict[str, Callable[..., Any]]] = {}
        for registration in registrations:
            registered = self._functions.setdefault(registration.hook, {})
            if registered and (registration.hook.single or registration.name in registered):
                others = ", ".join(registered)
                raise ValueError(f"Hook {registration.hook.name}: {registration.name} clashes with {others}")
            registered[registration.name] = registration.function

    def all(self, hook: Hook[FunctionT]) -> Iterable[FunctionT]:
        """Return the functions that are registered, in the order of the domains."""
        return self._of(hook).values()

    def one(self, hook: Hook[FunctionT], name: str | None = None) -> FunctionT:
        """Return the function of a single hook, or the one that is registered under the name.

        Raises:
            LookupError: there is none.
        """
        functions = self._of(hook)
        found = functions.get(name) if name is not None else next(iter(functions.values()), None)
        if found is None:
            raise LookupError(f"Nothing is registered for the hook {hook.name}{f' as {name}' if name else ''}")
        return found

    def _of(self, hook: Hook[FunctionT]) -> Mapping[str, FunctionT]:
        return self._functions.get(hook, {})  # type: ignore[return-value]  # `register` has checked the type


class Hooked(Protocol):
    """Whatever carries the hooks of its application, such as a session."""

    @property
    def info(self) -> Mapping[Any, Any]:
        """What the session carries."""
        ...


def hooks_of(session: Hooked) -> Hooks:
    """Return the hooks of the application that the session belongs to."""
    hooks: Hooks = session.info["hooks"]
    return hooks
