"""The site of docs/, made by MkDocs; it loads nothing from the internet."""

import os
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .console import StackError, Stopwatch, say
from .files import cached, digest, sha256
from .node import find_node
from .processes import Command, run
from .python_env import Workshop, python_of, wheels
from .settings import DEPLOY


@dataclass(frozen=True)
class Script:
    """A file of an npm package that the pages load."""

    package: str
    version: str
    path: str
    sha256: str


_SCRIPTS = (
    Script(
        "mermaid", "11.17.2", "dist/mermaid.min.js", "6ad2f42c3fc26bbf9e45cbb6d11898972573ea52b33a5f4ff51952899f950ffd"
    ),
    Script(
        "iframe-worker", "1.0.4", "shim/index.js", "e8c5d12d87829c503afba01d67772ea9f4aba5b7ae57a0c98e1917711030efbb"
    ),
)
"""What the theme loads from the internet unless the site has it: diagrams, and the search of pages in a folder."""


@dataclass(frozen=True)
class Site:
    """What makes the site, on this machine."""

    python: Path
    scripts: Path
    configuration: Path = DEPLOY / "docs" / "mkdocs.yml"

    def build(self, target: Path) -> "subprocess.CompletedProcess[str]":
        """Write the site into a folder; every warning is a failure."""
        return subprocess.run(
            self._command("build", "--strict", "--clean", "--site-dir", str(target)),
            env=self._environment(),
            capture_output=True,
            text=True,
            check=False,
        )

    def serve(self, address: str) -> int:
        """Show the site at an address, and follow changes of the pages until interrupted."""
        return subprocess.run(
            self._command("serve", "--dev-addr", address), env=self._environment(), check=False
        ).returncode

    def _command(self, command: str, *words: str) -> Sequence[str]:
        return [str(self.python), "-m", "mkdocs", command, "--config-file", str(self.configuration), *words]

    def _environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "SITE_SCRIPTS": str(self.scripts),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_MKDOCS_2_WARNING": "1",
        }


def site(shop: Workshop) -> Site:
    """Return what makes the site, brought into the cache first where it is missing."""
    return Site(python_of(wheels(shop, "docs")), _scripts(shop))


def _scripts(shop: Workshop) -> Path:
    """Return the folder with the scripts, each named after its package."""
    target = shop.cache / f"site-scripts-{digest(*_SCRIPTS)}"
    return cached(target, f"{_SCRIPTS[-1].package}.js", lambda folder: _fetch_scripts(shop, folder), again=shop.again)


def _fetch_scripts(shop: Workshop, folder: Path) -> None:
    watch = Stopwatch()
    _, npm = find_node(shop)
    for script in _SCRIPTS:
        pack: Command = [*npm, "pack", f"{script.package}@{script.version}"]
        run(f"Fetching {script.package}", pack, shop.logs / "build-site-scripts.log", cwd=folder)
        [archive] = folder.glob("*.tgz")
        if sha256(archive) != script.sha256:
            raise StackError(f"{archive.name} is not what it should be (SHA-256 {sha256(archive)}). Try again.")
        with tarfile.open(archive) as content:
            member = content.getmember(f"package/{script.path}")
            member.name = f"{script.package}.js"
            content.extract(member, folder, filter="data")
        archive.unlink()
    say(f"Scripts of the site ready {watch}")


def build(shop: Workshop, target: Path) -> None:
    """Make the site in a folder.

    Raises:
        StackError: a page has a fault; the message says which.
    """
    made = target.with_name(f".{target.name}-{os.getpid()}")
    try:
        done = site(shop).build(made)
        if done.returncode:
            raise StackError(done.stdout + done.stderr)
        shutil.rmtree(target, ignore_errors=True)
        made.rename(target)
    finally:
        shutil.rmtree(made, ignore_errors=True)
