"""Kafka as one server, over TLS and with a password, and the component that the chart makes for it."""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import yaml

from budapp.commons.config import Settings
from tests.certificates import Authority
from tests.chart.settings_schema import CHART
from tests.events.sidecar import free_port
from tests.system.servers import listens, program
from tests.waiting import until

_PASSWORD = "Broker-Secret-1"
_PROPERTIES = """
process.roles=broker,controller
node.id=1
log.dirs={folder}/data
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
inter.broker.listener.name=BROKER
listeners=CLIENT://127.0.0.1:{port},BROKER://127.0.0.1:{inter_broker},CONTROLLER://127.0.0.1:{controller}
listener.security.protocol.map=CLIENT:SASL_SSL,BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
sasl.enabled.mechanisms=SCRAM-SHA-512
listener.name.client.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.client.ssl.keystore.type=PEM
listener.name.client.ssl.keystore.location={folder}/server.pem
num.partitions={partitions}
offsets.topic.num.partitions=1
offsets.topic.replication.factor=1
group.initial.rebalance.delay.ms=0
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=2000
"""
"""What differs from Kafka's defaults is for one server, not for what is tested; topics are made when first named."""

_JAVA_OPTIONS = (
    *("-Xms64m", "-Xmx320m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"),
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
)


class Broker:
    """A Kafka whose topics outlive it: it can be killed, and started again at the same port.

    Args:
        folder: where it keeps everything.
        partitions: how many each topic has.
    """

    def __init__(self, folder: Path, partitions: int) -> None:
        self.folder, self.port = folder, free_port()
        self.log = folder / "log"
        self.authority = Authority.make(folder, "authority")
        self._process: asyncio.subprocess.Process | None = None
        self._configure(partitions)

    async def start(self) -> None:
        """Start it, and wait until it takes connections."""
        command = _java("kafka.Kafka", self._properties)
        with self.log.open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(*command, stdout=output, stderr=output)
        await until(lambda: listens(self.port), seen=self.log.read_text)

    async def kill(self) -> None:
        """End it at once; it gets no chance to write anything down."""
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def secrets(self) -> dict[str, dict[str, str]]:
        """Return what the chart's example takes from Secrets."""
        return {"kafka-dapr": {"password": _PASSWORD}, "kafka-ca": {"ca.crt": self.authority.file.read_text()}}

    def values(self) -> dict[str, Any]:
        """Return the chart's values for it."""
        return {"kafka": {"brokers": f"127.0.0.1:{self.port}"}}

    @property
    def _properties(self) -> Path:
        return self.folder / "server.properties"

    def _configure(self, partitions: int) -> None:
        certificate, key = self.folder / "server.crt", self.folder / "server.key"
        self.authority.issue(certificate, key)
        (self.folder / "server.pem").write_text(key.read_text() + certificate.read_text())
        ports = {"port": self.port, "inter_broker": free_port(), "controller": free_port()}
        self._properties.write_text(_PROPERTIES.format(folder=self.folder, partitions=partitions, **ports))
        account = f"SCRAM-SHA-512=[name=dapr,password={_PASSWORD}]"
        options = ("--cluster-id=budapp", f"--config={self._properties}", f"--add-scram={account}")
        subprocess.run(_java("kafka.tools.StorageTool", "format", *options), check=True, capture_output=True)


def _java(main: str, *arguments: str | Path) -> list[str]:
    return [str(program("JAVA")), *_JAVA_OPTIONS, "-cp", f"{program('KAFKA')}/*", main, *map(str, arguments)]


@asynccontextmanager
async def running_broker(folder: Path, partitions: int) -> AsyncIterator[Broker]:
    """Run Kafka within the block."""
    broker = await asyncio.to_thread(Broker, folder, partitions)
    try:
        await broker.start()
        yield broker
    finally:
        await broker.kill()


def components(settings: Settings, pubsub: dict[str, Any], secrets: dict[str, Any], folder: Path) -> dict[str, str]:
    """Return the chart's pub/sub component and policy, each for a file of its own, and what they need beside.

    Args:
        settings: name the components.
        pubsub: the chart's values for it, besides those of its example for production.
        secrets: what it finds in Secrets, by name and key.
        folder: where these are written.
    """
    values = {
        "settings": {"PUBSUB_NAME": settings.pubsub_name},
        "components": {"pubsub": {"retry": {"seconds": 1, "times": 3}, **pubsub}, "statestore": {"type": ""}},
    }
    found = {manifest["kind"]: manifest for manifest in _render(values, folder)}
    for manifest in found.values():
        del manifest["metadata"]["namespace"]  # which is that of a cluster
    found["Component"]["auth"] = {"secretStore": "secrets"}
    found["Secrets"] = _secret_store(secrets, folder)
    return {name.lower(): yaml.safe_dump(manifest) for name, manifest in found.items()}


def _secret_store(secrets: dict[str, Any], folder: Path) -> dict[str, Any]:
    file = folder / "secrets.json"
    file.write_text(json.dumps(secrets))
    options = {"secretsFile": str(file), "nestedSeparator": ":", "multiValued": "true"}
    metadata = [{"name": name, "value": value} for name, value in options.items()]
    head = {"apiVersion": "dapr.io/v1alpha1", "kind": "Component", "metadata": {"name": "secrets"}}
    return {**head, "spec": {"type": "secretstores.local.file", "version": "v1", "metadata": metadata}}


def _render(values: dict[str, Any], folder: Path) -> list[dict[str, Any]]:
    file = folder / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    options = [f"--values={CHART / 'examples' / 'production.yaml'}", f"--values={file}", "--kube-version=1.37"]
    command = [str(program("HELM")), "template", "bud", str(CHART), *options, "--show-only=templates/components.yaml"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ})
    return [manifest for manifest in yaml.safe_load_all(done.stdout) if manifest]
