"""What comes as Maven's artifacts: Keycloak's archive, and Kafka's jars, which only tests use."""

import os
import shutil
from pathlib import Path

from .console import StackError, Stopwatch, say
from .files import cached, digest, sha256
from .processes import run
from .python_env import Workshop
from .settings import DEPLOY

_PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1"
_KAFKA = DEPLOY / "native" / "kafka"
_KAFKA_JARS = _KAFKA / "jars.sha256"


def maven(shop: Workshop) -> str:
    """Return where Maven is, installed now if it is missing and that is possible."""
    if found := shutil.which("mvn"):
        return found
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise StackError("Some parts come through Maven, and there is no mvn. On Debian: sudo apt-get install maven")
    say("Installing Maven with apt-get")
    log, quiet = shop.logs / "build-apt.log", {"DEBIAN_FRONTEND": "noninteractive"}
    run("Updating the package lists", ["apt-get", "update"], log, extra_env=quiet)
    install = ["apt-get", "install", "--yes", "--no-install-recommends", "maven"]
    run("Installing Maven", install, log, extra_env=quiet)
    return shutil.which("mvn") or "mvn"


def fetch_artifact(shop: Workshop, java: Path, artifact: str, folder: Path) -> None:
    """Bring one artifact, `group:name:version:type`, into the folder."""
    _dependency_plugin(shop, java, f"Fetching {artifact}", "copy", [f"-Dartifact={artifact}"], folder)


def kafka(shop: Workshop, java: Path) -> Path:
    """Return the folder with Kafka's jars: those that are pinned, and no others."""
    target = shop.cache / f"kafka-{digest(_KAFKA / 'pom.xml', _KAFKA_JARS)}"
    some_jar = _pinned().popitem()[0]
    return cached(target, some_jar, lambda folder: _fetch_kafka(shop, java, folder), again=shop.again)


def _fetch_kafka(shop: Workshop, java: Path, folder: Path) -> None:
    watch = Stopwatch()
    say("Fetching Kafka, once: about half a minute")
    project = [f"--file={_KAFKA / 'pom.xml'}", "-DincludeScope=runtime"]
    _dependency_plugin(shop, java, "Fetching Kafka", "copy-dependencies", project, folder)
    found, pinned = {jar.name: sha256(jar) for jar in folder.glob("*.jar")}, _pinned()
    if found != pinned:
        others = sorted({name for name, _ in found.items() ^ pinned.items()})
        raise StackError(f"These jars of Kafka are not what {_KAFKA_JARS.name} says: {', '.join(others)}")
    say(f"Kafka ready {watch}")


def _pinned() -> dict[str, str]:
    """Return the jars' names with their SHA-256; the file has the lines of `sha256sum`."""
    lines = (line.split() for line in _KAFKA_JARS.read_text().splitlines())
    return {name: value for value, name in lines}


def _dependency_plugin(shop: Workshop, java: Path, title: str, goal: str, arguments: list[str], folder: Path) -> None:
    command = [maven(shop), "-q", "-B", f"{_PLUGIN}:{goal}", *arguments, f"-DoutputDirectory={folder}"]
    run(title, command, shop.logs / "build-maven.log", cwd=folder, extra_env={"JAVA_HOME": str(java.parents[1])})
