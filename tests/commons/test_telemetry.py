"""Traces of a process that is told where to send them, and how it stops."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import httpx
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from budapp.commons.config import Settings


class Collector(BaseHTTPRequestHandler):
    """Takes what an OTLP exporter sends."""

    spans: dict[str, str] = {}
    """By name the id of the trace."""
    services: set[str] = set()
    keys: set[str | None] = set()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.keys.add(self.headers["x-collector-key"])
        request = ExportTraceServiceRequest.FromString(body)
        for resource in request.resource_spans:
            about = {one.key: one.value.string_value for one in resource.resource.attributes}
            self.services.add(f"{about['service.name']} {about['deployment.environment']}")
            for scope in resource.scope_spans:
                self.spans.update({span.name: span.trace_id.hex() for span in scope.spans})
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def collector() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until_alive(address: str) -> None:
    until = time.monotonic() + 180
    while time.monotonic() < until:
        try:
            if httpx.get(f"{address}/livez").status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.2)
    pytest.fail("the service did not come up within 180 seconds")


def test_requests_are_traced_and_a_stop_loses_none(
    collector: HTTPServer, settings: Settings, migrated: None, tmp_path: Path
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    environment = os.environ | {
        "APP_PORT": str(port),
        "PSQL_DB_NAME": settings.psql_db_name,
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{collector.server_port}",
        "OTEL_EXPORTER_OTLP_HEADERS": "x-collector-key=opens",
        "OTEL_SERVICE_NAME": "budapp-of-the-north",
        "OTEL_RESOURCE_ATTRIBUTES": "deployment.environment=trial",
    }
    log = tmp_path / "log"
    with log.open("wb") as output:
        service = subprocess.Popen([sys.executable, "-m", "budapp.cli", "serve"], env=environment, stdout=output)
    try:
        wait_until_alive(address)
        assert httpx.get(f"{address}/users/me").status_code == 401
    finally:
        service.send_signal(signal.SIGTERM)
        # uvicorn stops in good order and then takes the signal that it was sent.
        assert service.wait(60) in {0, -signal.SIGTERM}
    assert "GET /users/me" in Collector.spans
    assert not any("livez" in name for name in Collector.spans)
    assert (Collector.services, Collector.keys) == ({"budapp-of-the-north trial"}, {"opens"})
    [line] = [json.loads(line) for line in log.read_text().splitlines() if '"/users/me"' in line]
    assert line["trace_id"] == Collector.spans["GET /users/me"]
    assert len(line["span_id"]) == 16
