"""The stack in containers is the native one: the same parts, with the same settings, at the same ports."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, cast

import orjson
import pytest
from stack import docker, env_file, native
from stack.parts.part import Part
from stack.settings import SAMPLE, Settings
from stack.toolbox import DAPR_VERSION, KEYCLOAK_VERSION, Tools

Service = dict[str, Any]

NETWORK = "network"
"""The service that is no part: it holds the network that all parts share."""

OF_THE_IMAGE = {"PYTHONPATH", "PYTHONUNBUFFERED"}
LISTENS_EVERYWHERE = {"APP_HOST": "0.0.0.0"}
"""What is forwarded into the network comes from outside of it."""
PLACES = ("--resources-path=", "--config=", "--dapr-listen-addresses=")


def compose(folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Load what `docker compose` would, in a folder."""
    program = os.environ.get("COMPOSE")
    if program is None:
        pytest.fail("COMPOSE must say where the program is; deploy/run_tests.sh does")
    environment = {"PATH": os.environ["PATH"], **variables}
    return subprocess.run([program], cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with a .env of its own."""
    (tmp_path / "deploy").mkdir()
    shutil.copy(SAMPLE, tmp_path)
    shutil.copy(docker.COMPOSE_FILE, tmp_path / "deploy")
    env_file.create(tmp_path / ".env", SAMPLE)
    return tmp_path


@pytest.fixture
def settings(checkout: Path) -> Settings:
    path = checkout / ".env"
    return Settings(env_file.read(SAMPLE, path), path, checkout / ".dev")


@pytest.fixture
def parts(settings: Settings) -> dict[str, Part]:
    """The parts of the native stack."""
    anything = Path(sys.executable)
    planned = native.plan(settings, Tools(*[anything] * 7))
    return {part.name: part for part in planned.all}


@pytest.fixture
def services(checkout: Path) -> dict[str, Service]:
    """The services of the compose file, which is found from the checkout's folder without being named."""
    done = compose(checkout)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no variable that is not set
    return cast("dict[str, Service]", orjson.loads(done.stdout)["services"])


def test_the_parts_are_the_same(services: dict[str, Service], parts: dict[str, Part]) -> None:
    assert services.keys() == parts.keys() | {NETWORK}


def test_they_share_one_network_as_on_one_machine(services: dict[str, Service]) -> None:
    for name, service in services.items():
        assert service.get("network_mode") == (None if name == NETWORK else f"service:{NETWORK}"), name
        assert service["restart"] == "unless-stopped"


def test_each_port_that_people_are_told_of_is_reached_where_it_is_natively(
    services: dict[str, Service], parts: dict[str, Part]
) -> None:
    ports = services[NETWORK]["ports"]
    assert all(port["host_ip"] == "127.0.0.1" for port in ports)
    assert all(str(port["target"]) == port["published"] for port in ports)
    native_ports = {name: port for part in parts.values() for name, port in part.ports.items()}
    inside = {name for name in native_ports if "_DAPR_" in name or name == "DAPR_INTERNAL_GRPC_PORT"}
    assert sorted(port["target"] for port in ports) == sorted(
        port for name, port in native_ports.items() if name not in inside
    )


def test_budapp_has_the_same_settings(services: dict[str, Service], settings: Settings) -> None:
    changed = LISTENS_EVERYWHERE | {"PUBLIC_URL": f"http://127.0.0.1:{settings['APP_PORT']}"}
    assert services["budapp"]["environment"] == dict(settings.values) | changed


def test_an_own_public_address_is_kept(checkout: Path) -> None:
    with (checkout / ".env").open("a") as file:
        file.write("PUBLIC_URL=https://api.example.com\n")
    environment = orjson.loads(compose(checkout).stdout)["services"]["budapp"]["environment"]
    assert environment["PUBLIC_URL"] == "https://api.example.com"


def test_stand_ins_and_sidecars_have_the_same_settings(services: dict[str, Service], parts: dict[str, Part]) -> None:
    held = 0
    for name, part in parts.items():
        if name == "budapp" or name in {"postgres", "valkey", "keycloak", "minio"}:
            continue
        wanted = {key: value for key, value in part.environment.items() if key not in OF_THE_IMAGE}
        found = {key: value for key, value in services[name]["environment"].items() if key not in OF_THE_IMAGE}
        assert found == wanted, name
        held += 1
    assert held > 15


def test_sidecars_are_started_by_the_same_words(services: dict[str, Service], parts: dict[str, Part]) -> None:
    for name, part in parts.items():
        if name.endswith("-sidecar"):
            wanted = [str(word) for word in part.command[1:] if not str(word).startswith(PLACES)]
            found = [word for word in services[name]["command"][1:] if not word.startswith(PLACES)]
            assert found == wanted, name


def test_stand_ins_listen_at_the_same_port(services: dict[str, Service], parts: dict[str, Part]) -> None:
    for name, part in parts.items():
        if "peers.serve" in part.command:
            words = services[name]["entrypoint"] + services[name]["command"]
            assert [word for word in words if word not in {"--host", "0.0.0.0"}][1:] == list(part.command[1:])


def test_servers_listen_where_budapp_looks_for_them(services: dict[str, Service], settings: Settings) -> None:
    for name, ports in (
        ("postgres", ("PSQL_PORT",)),
        ("valkey", ("VALKEY_PORT",)),
        ("keycloak", ("KEYCLOAK_PORT", "KEYCLOAK_MANAGEMENT_PORT")),
        ("minio", ("MINIO_PORT", "MINIO_CONSOLE_PORT")),
    ):
        words = " ".join(services[name]["command"])
        for port in ports:
            assert re.search(rf"\b{settings[port]}\b", words), (name, port)


def test_servers_have_the_passwords_of_the_settings(services: dict[str, Service], parts: dict[str, Part]) -> None:
    for name in ("keycloak", "minio"):
        assert parts[name].environment.items() <= services[name]["environment"].items()


def test_versions_are_those_of_the_native_stack(services: dict[str, Service]) -> None:
    assert services["budapp-sidecar"]["image"] == f"daprio/daprd:{DAPR_VERSION}"
    assert services["keycloak"]["image"] == f"keycloak/keycloak:{KEYCLOAK_VERSION}"
    assert services["postgres"]["image"] == "postgres:16"
    assert services["minio"]["image"].startswith("quay.io/minio/minio:RELEASE.")


def test_without_settings_it_says_what_to_do(checkout: Path) -> None:
    (checkout / ".env").unlink()
    done = compose(checkout / "deploy", COMPOSE_FILE=docker.COMPOSE_FILE.name)
    assert done.returncode != 0
    assert "copy .env.sample to .env, and run docker compose beside it" in done.stderr
