"""What the commands that work with the service have in common."""

from budapp.commons.commands import make_components
from budapp.commons.config import get_settings
from budapp.commons.domain import Components


def prepare() -> None:
    """Have commands find the components of the service; the domains are imported when the first one asks for them."""
    make_components.set(_components)


def _components() -> Components:
    from budapp.domains import DOMAINS  # noqa: PLC0415 - takes seconds, and `--help` of a command needs none of them

    return Components(get_settings(), DOMAINS)
