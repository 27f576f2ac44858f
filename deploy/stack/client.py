"""The Python client of the API: most of it is generated from docs/openapi.json."""

import os
import shutil
from pathlib import Path

from .console import Stopwatch, say
from .files import cached, digest
from .processes import Command, run
from .python_env import LOCKS, Workshop, python_of, wheels
from .settings import ROOT

CLIENT = ROOT / "clients" / "python"
GENERATED = CLIENT / "src" / "budapp_client" / "rest"


def api_client(shop: Workshop) -> Path:
    """Generate the client where the document has changed, and lay it where Python finds it."""
    recipe = [CLIENT / "generate.py", CLIENT / "generator.yaml", *sorted((CLIENT / "templates").iterdir())]
    target = shop.cache / f"api-client-{digest(LOCKS / 'client.txt', ROOT / 'docs' / 'openapi.json', *recipe)}"
    cached(target, "client.py", lambda folder: _generate(shop, folder), again=shop.again)
    if not GENERATED.is_symlink() or GENERATED.readlink() != target:
        _link(target)
    return GENERATED


def _generate(shop: Workshop, folder: Path) -> None:
    python, watch = python_of(wheels(shop, "client")), Stopwatch()
    say("Generating the Python client, once for this docs/openapi.json: about 10 s")
    generate: Command = [python, CLIENT / "generate.py", folder]
    run("Generating the Python client", generate, shop.logs / "build-api-client.log")
    say(f"Python client generated {watch}")


def _link(target: Path) -> None:
    """Put the link in place of what was there, in one step."""
    new = GENERATED.with_name(f".rest-{os.getpid()}")
    new.symlink_to(target)
    if GENERATED.is_dir() and not GENERATED.is_symlink():  # a build of the package has left it
        shutil.rmtree(GENERATED)
    new.replace(GENERATED)
