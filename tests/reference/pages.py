"""Every generated page, by the name of its file."""

from collections.abc import Callable
from pathlib import Path

from tests.reference import commands, errors, events, examples, metrics, permissions, settings

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
PAGES: dict[str, Callable[[], str]] = {
    "settings.md": settings.render,
    "commands.md": commands.render_budapp,
    "budctl.md": commands.render_budctl,
    "errors.md": errors.render,
    "permissions.md": permissions.render,
    "events.md": events.render,
    "metrics.md": metrics.render,
    "examples.md": examples.render,
}
