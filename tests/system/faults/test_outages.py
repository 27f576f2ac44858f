"""Outages of each dependency under two replicas: nobody waits long, nothing acknowledged is lost, nobody is let in."""

import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.integrations.keycloak import Keycloak
from budapp.integrations.storage import Storage
from tests.cast import Cast, Realms, forget_failures
from tests.emptying import empty
from tests.replicas import running_replica
from tests.system.faults.proxy import FAULTS, Fault, Proxy
from tests.system.faults.traffic import Traffic

SHORT: set[tuple[str, Fault]] = {
    ("postgresql", "cut"),
    ("valkey", "reset"),
    ("keycloak", "cut"),
    ("storage", "hang"),
}
"""The trials of each run, of a few seconds each; `--faults all` adds the others, and holds each for longer."""

DEPENDENCIES = ("postgresql", "valkey", "keycloak", "storage")
SHORT_SECONDS, LONG_SECONDS = 3, 12
RECOVERY_SECONDS = 20
MOST_LINES = 40


@dataclass
class Site:
    """Two replicas, the proxies before what they depend on, and their logs."""

    traffic: Traffic
    proxies: dict[str, Proxy]
    logs: list[Path]

    def log_since(self, marks: list[int]) -> str:
        """Return what was logged after these positions, without the lines of requests."""
        text = "".join(log.read_text()[mark:] for log, mark in zip(self.logs, marks, strict=True))
        return "".join(line for line in text.splitlines(keepends=True) if not re.search(r'"event": ?"request"', line))

    def marks(self) -> list[int]:
        return [len(log.read_text()) for log in self.logs]


def _behind(proxies: dict[str, Proxy], settings: Settings) -> Settings:
    """Return the settings with the proxies' addresses in place of the dependencies' own."""
    return settings.model_copy(
        update={
            "psql_host": "127.0.0.1",
            "psql_port": proxies["postgresql"].port,
            "tensorzero_redis_url": SecretStr(_moved(settings, proxies["valkey"].port)),
            "keycloak_server_url": f"http://127.0.0.1:{proxies['keycloak'].port}",
            "keycloak_public_url": settings.keycloak_public_url or settings.keycloak_server_url,
            "keycloak_timeout_seconds": Settings.model_fields["keycloak_timeout_seconds"].default,
            "rate_limit_address": "100000/minute",
            "login_free_failures": 1_000_000,
            "login_free_failures_of_address": 1_000_000,
            "minio_endpoint": f"127.0.0.1:{proxies['storage'].port}",
        }
    )


def _moved(settings: Settings, port: int) -> str:
    """Return Valkey's URL with the proxy's port."""
    url = urlsplit(settings.tensorzero_redis_url.get_secret_value())
    return url._replace(netloc=f"{url.netloc.rpartition(':')[0]}:{port}").geturl()


def _addresses(settings: Settings) -> dict[str, tuple[str, int]]:
    keycloak, valkey = (
        urlsplit(settings.keycloak_server_url),
        urlsplit(settings.tensorzero_redis_url.get_secret_value()),
    )
    host, _, port = settings.minio_endpoint.partition(":")
    assert keycloak.hostname is not None
    assert keycloak.port is not None
    assert valkey.hostname is not None
    assert valkey.port is not None
    return {
        "postgresql": (settings.psql_host, settings.psql_port),
        "valkey": (valkey.hostname, valkey.port),
        "keycloak": (keycloak.hostname, keycloak.port),
        "storage": (host, int(port)),
    }


async def _new_dataset(traffic: Traffic) -> str:
    http, headers = traffic.replicas[0].http, traffic.cast.admin.headers
    project = (await http.post("/projects/", json={"name": "Outages"}, headers=headers)).json()["project"]
    answer = await http.post("/datasets", json={"project_id": project["id"], "name": "Rows"}, headers=headers)
    return str(answer.json()["dataset"]["id"])


@pytest.fixture(scope="module")
async def issuer(app: FastAPI, settings: Settings, realms: Realms) -> AsyncIterator[None]:
    """Tokens name the same issuer, whichever address Keycloak is reached at, as in production."""
    admin, realm = components_of(app)[Keycloak].admin(settings.keycloak_realm_name), realms.clients[0].realm
    await admin.a_update_realm(realm, {"attributes": {"frontendUrl": settings.keycloak_server_url}})
    yield
    await admin.a_update_realm(realm, {"attributes": {"frontendUrl": ""}})


@pytest.fixture(scope="module")
async def site(
    app: FastAPI, settings: Settings, realms: Realms, issuer: None, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Site]:
    database = components_of(app)[Database]
    await empty(database)
    cast = await Cast.enter(database, realms)
    for bucket in (settings.minio_model_bucket, settings.minio_dataset_bucket):
        await components_of(app)[Storage].ensure_bucket(bucket)
    folder = tmp_path_factory.mktemp("replicas")
    logs = [folder / f"{number}.log" for number in (1, 2)]
    async with AsyncExitStack() as stack:
        addresses = _addresses(settings).items()
        proxies = {name: await stack.enter_async_context(Proxy(*where).running()) for name, where in addresses}
        served = _behind(proxies, settings)
        replicas = [await stack.enter_async_context(running_replica(served, log)) for log in logs]
        traffic = Traffic(replicas, cast, "")
        traffic.dataset_id = await _new_dataset(traffic)
        yield Site(traffic, proxies, logs)
    await forget_failures(app)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("dependency", DEPENDENCIES)
async def test_an_outage_is_answered_soon_and_leaves_nothing_behind(
    dependency: str, fault: Fault, site: Site, request: pytest.FixtureRequest
) -> None:
    short = request.config.getoption("--faults") == "short"
    if short and (dependency, fault) not in SHORT:
        pytest.skip("--faults all tries this")
    traffic = site.traffic
    await traffic.until_well(RECOVERY_SECONDS)
    traffic.problems.clear()
    traffic.answers.clear()
    marks = site.marks()
    async with site.proxies[dependency].failing(fault):
        await traffic.during(SHORT_SECONDS if short else LONG_SECONDS)
    seen = dict(traffic.answers)
    await traffic.until_well(RECOVERY_SECONDS)
    assert sorted(set(traffic.problems)) == []
    assert fault == "slow" or {status for _, status in seen} & {502, 503}, "nobody noticed the outage"
    assert await traffic.lost() == []
    log = site.log_since(marks)
    assert "Traceback" not in log
    assert log.count("\n") < MOST_LINES, log
