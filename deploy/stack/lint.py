"""Spectral and Redocly, which check docs/openapi.json by the rules in clients/lint; only for tests."""

from pathlib import Path

from .files import cached, digest
from .node import modules, node, pins
from .processes import Command, run
from .python_env import Workshop
from .settings import ROOT

_FOLDER = ROOT / "clients" / "lint"
_SPECTRAL_RULES = _FOLDER / "spectral.yaml"
_REDOCLY_RULES = _FOLDER / "redocly.yaml"
_CLEAN = "clean"
_OFFLINE = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def check_document(shop: Workshop) -> None:
    """Check the document where it, or a rule, has changed since it was last clean.

    Raises:
        StackError: there is a finding; the message has the last ones, and names the file with all.
    """
    document = ROOT / "docs" / "openapi.json"
    target = shop.cache / f"lint-clean-{digest(*pins(_FOLDER), _SPECTRAL_RULES, _REDOCLY_RULES, document)}"
    cached(target, _CLEAN, lambda folder: _check(shop, document, folder), again=shop.again)


def _check(shop: Workshop, document: Path, folder: Path) -> None:
    program, packages = node(shop), modules(shop, _FOLDER)
    redocly: Command = [program, packages / "@redocly" / "cli" / "bin" / "cli.js", "lint", "--config", _REDOCLY_RULES]
    run("Redocly", [*redocly, "--max-problems", "100", document], shop.logs / "lint-redocly.log", extra_env=_OFFLINE)
    entry = packages / "@stoplight" / "spectral-cli" / "dist" / "index.js"
    spectral: Command = [program, entry, "lint", "--ruleset", _SPECTRAL_RULES, "--fail-severity", "hint", document]
    run("Spectral", spectral, shop.logs / "lint-spectral.log")
    (folder / _CLEAN).touch()
