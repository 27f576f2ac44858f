"""`python -m benchmarks.streams`: how long an event takes from its commit to the client, with many streams open.

budapp runs as in production, with one worker; a process of its own listens, and this one is the replica that changes
rows and tells of it. Each event is for one person, as the steps of workflows are. With `--kill`, all streams are open
at one replica, which is killed in the middle, and resume at another one. The stack must be up.
"""

import argparse
import asyncio
import contextlib
import multiprocessing
import os
import re
import resource
import signal
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
from uuid_utils.compat import uuid7

from benchmarks.ground import dsn, in_process_settings, prepared
from benchmarks.servers import Server, budapp_running, free_port
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Components
from budapp.domains import DOMAINS
from budapp.integrations.keycloak import Keycloak, NewUser
from budapp.live_ops.publisher import Publisher
from budapp.user_ops.models import User
from budapp.workflow_ops.models import Workflow

PASSWORD = "Correct-Horse-1"
WARM_UP_SECONDS = 3
_AT_ONCE = 50
_STAMP = re.compile(rb'"title":"(\d+\.\d+)"')


@dataclass
class Heard:
    """What one process of clients heard.

    How many streams were opened, milliseconds from commit to client, events that came twice on a stream, and how many
    streams were told to read anew.
    """

    open: int = 0
    milliseconds: list[float] = field(default_factory=list)
    repeats: int = 0
    resets: int = 0


async def main(options: argparse.Namespace) -> int:
    """Print the figures; 1 where an event was lost, or came twice."""
    settings = in_process_settings().model_copy(update={"app_port": free_port()})
    # Each stream is a file, here, in the clients and in budapp.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    async with prepared(settings, (1,)) as tenants:
        people = await _people(settings, tenants[1].realm, options.people)
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            servers = [stack.enter_context(budapp_running(settings, Path(folder)))]
            if options.kill:
                other = settings.model_copy(update={"app_port": free_port()})
                of_other = stack.enter_context(tempfile.TemporaryDirectory())
                servers.append(stack.enter_context(budapp_running(other, Path(of_other))))
            return await _measure(settings, servers, people, options)


async def _people(settings: Settings, realm: str, count: int) -> dict[UUID, str]:
    """Make people who can sign in, and return their access tokens."""
    keycloak, database = Keycloak(settings), Database(settings)
    connection = await asyncpg.connect(dsn(settings))
    tenant_id = await connection.fetchval("select id from tenant where realm_name = $1", realm)
    await connection.close()
    _, client = await keycloak.ensure_client(realm, settings.default_client_name)
    tokens = {}
    for number in range(count):
        email = f"listener{number}@example.com"
        auth_id = await keycloak.create_user(realm, NewUser(email, "listener", PASSWORD, ["developer"]))
        user = User(
            id=uuid7(),
            tenant_id=tenant_id,
            auth_id=auth_id,
            name="listener",
            email=email,
            role="developer",
            user_type="admin",
            status="active",
            color="#E57333",
            first_login=False,
            is_reset_password=False,
        )
        async with database.write() as session:
            session.add(user)
            session.add(_workflow(tenant_id, user.id))
        found = await keycloak.sign_in(client, email, PASSWORD, remember=False)
        tokens[user.id] = found["access_token"]
    await keycloak.close()
    await database.dispose()
    return tokens


def _workflow(tenant_id: UUID, user_id: UUID) -> Workflow:
    about = {"workflow_type": "local_model_onboarding", "title": "0.0", "total_steps": 5}
    return Workflow(tenant_id=tenant_id, created_by=user_id, **about)


async def _measure(
    settings: Settings, servers: list[Server], people: dict[UUID, str], options: argparse.Namespace
) -> int:
    server = servers[0]
    before = server.memory_megabytes()
    here, there = multiprocessing.Pipe()
    seconds = WARM_UP_SECONDS + options.seconds + (15 if options.kill else 5)
    ports = [int(one.url.rpartition(":")[2]) for one in servers]
    arguments = (there, ports, list(people.values()), options.streams, seconds)
    clients = multiprocessing.get_context("spawn").Process(target=_listen, args=arguments)
    clients.start()
    opened = await asyncio.to_thread(here.recv)
    after, cpu = server.memory_megabytes(), server.cpu_seconds()
    killing = asyncio.create_task(_kill(server, options.seconds / 2)) if options.kill else None
    told = await _happen(settings, people, options)
    heard: Heard = await asyncio.to_thread(here.recv)
    used = 0 if killing else server.cpu_seconds() - cpu
    clients.join()
    expected = told * (options.streams // len(people))
    times = sorted(heard.milliseconds)
    print(f"streams open: {opened}; memory per stream: {(after - before) * 1000 / max(opened, 1):.0f} KB")
    print(f"events told: {told} in {options.seconds} s; received: {len(times)} of {expected}")
    print(f"commit to client, ms: p50 {statistics.median(times):.0f}, p99 {times[int(len(times) * 0.99)]:.0f}")
    print(f"came twice: {heard.repeats}; told to read anew: {heard.resets}; processor time of budapp: {used:.1f} s")
    whole = len(times) == expected and not heard.repeats and not heard.resets
    return 0 if whole and opened == options.streams else 1


async def _kill(server: Server, seconds: float) -> None:
    await asyncio.sleep(seconds)
    os.kill(server.pid, signal.SIGKILL)


async def _happen(settings: Settings, people: dict[UUID, str], options: argparse.Namespace) -> int:
    """Have a workflow of somebody's go on, so many times a second; returns how often."""
    components = Components(settings, DOMAINS)
    database, publisher = components[Database], components[Publisher]
    await publisher.start()
    async with database.read() as session:
        ids = [await _workflow_of(session, user_id) for user_id in people]
    told, began = 0, time.monotonic()
    pending: set[asyncio.Task[None]] = set()
    while (moment := time.monotonic() - began) < options.seconds:
        if told <= moment * options.rate and len(pending) < _AT_ONCE:
            task = asyncio.create_task(_go_on(database, ids[told % len(ids)], told))
            pending.add(task)
            task.add_done_callback(pending.discard)
            told += 1
        await asyncio.sleep(max(told / options.rate - moment, 0.0005))
    await asyncio.gather(*pending)
    await publisher.look()
    await publisher.stop()
    await components.close()
    return told


async def _workflow_of(session: Any, user_id: UUID) -> UUID:
    row = await session.execute(Workflow.__table__.select().where(Workflow.created_by == user_id))
    found: UUID = row.one().id
    return found


async def _go_on(database: Database, workflow_id: UUID, number: int) -> None:
    async with database.write() as session:
        workflow = await session.get_one(Workflow, workflow_id, with_for_update=True)
        workflow.current_step = number + 1
        workflow.title = f"{time.time():.6f}"


def _listen(pipe: Any, ports: list[int], tokens: list[str], streams: int, seconds: float) -> None:
    """Keep the streams open and tell what came: in a process of its own."""
    asyncio.run(_listen_all(pipe, ports, tokens, streams, seconds))


async def _listen_all(pipe: Any, ports: list[int], tokens: list[str], streams: int, seconds: float) -> None:
    heard = Heard()
    gate = asyncio.Semaphore(_AT_ONCE)
    ready = [asyncio.Event() for _ in range(streams)]
    tasks = [
        asyncio.create_task(_follow(ports, tokens[number % len(tokens)], ready[number], gate, heard))
        for number in range(streams)
    ]
    for event in ready:
        await event.wait()
    pipe.send(heard.open)
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    pipe.send(heard)


async def _follow(ports: list[int], token: str, ready: asyncio.Event, gate: asyncio.Semaphore, heard: Heard) -> None:
    """Keep a stream open at the first replica, and resume it at the next one where that ends."""
    stream = _Stream(token, heard)
    try:
        for port in ports:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                async with gate:
                    reader, writer = await stream.open(port)
                ready.set()
                try:
                    await stream.read(reader)
                finally:
                    writer.close()
    finally:
        ready.set()


class _Stream:
    """What one client knows of its stream."""

    def __init__(self, token: str, heard: Heard) -> None:
        self._token, self._heard = token, heard
        self._last_id = b""
        self._stamps: set[bytes] = set()

    async def open(self, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """Open the stream, or resume it, and return once it is ready."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        resumed = [f"Last-Event-ID: {self._last_id.decode()}"] if self._last_id else []
        head = ("GET /events?type=workflow.step HTTP/1.1", "Host: bench", f"Authorization: Bearer {self._token}")
        writer.write("\r\n".join((*head, *resumed, "", "")).encode())
        self._heard.open += not resumed
        while not (line := await reader.readline()).startswith(b"event: ready"):
            if not line:
                raise ConnectionError("the stream was refused")
            self._take(line)
        return reader, writer

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Take what comes until the stream ends."""
        while line := await reader.readline():
            self._take(line)

    def _take(self, line: bytes) -> None:
        if line.startswith(b"id: "):
            self._last_id = line[4:].strip()
        self._heard.resets += line.startswith(b"event: reset")
        if (found := _STAMP.search(line)) is not None:
            self._heard.repeats += found[1] in self._stamps
            self._stamps.add(found[1])
            self._heard.milliseconds.append((time.time() - float(found[1])) * 1000)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=2000, help="how many are open (default: 2000)")
    parser.add_argument("--people", type=int, default=100, help="how many people they belong to (default: 100)")
    parser.add_argument("--rate", type=int, default=100, help="events a second (default: 100)")
    parser.add_argument("--seconds", type=int, default=20, help="how long (default: 20)")
    parser.add_argument("--kill", action="store_true", help="kill the replica in the middle; another one takes over")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(_options())))
