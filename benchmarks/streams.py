"""`python -m benchmarks.streams`: how long an event takes from its commit to the client, with many streams open.

budapp runs as in production, with one worker; a process of its own listens, and this one is the replica that changes
rows and tells of it. Each event is for one person, as the steps of workflows are. The stack must be up.
"""

import argparse
import asyncio
import multiprocessing
import re
import resource
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
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
    """What one process of clients heard: how many streams were open, and milliseconds from commit to client."""

    open: int
    milliseconds: list[float]


async def main(options: argparse.Namespace) -> int:
    """Print the figures; 1 where an event was lost, or came twice."""
    settings = in_process_settings().model_copy(update={"app_port": free_port()})
    # Each stream is a file, here, in the clients and in budapp.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    async with prepared(settings, (1,)) as tenants:
        people = await _people(settings, tenants[1].realm, options.people)
        with tempfile.TemporaryDirectory() as folder, budapp_running(settings, Path(folder)) as server:
            return await _measure(settings, server, people, options)


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


async def _measure(settings: Settings, server: Server, people: dict[UUID, str], options: argparse.Namespace) -> int:
    before = server.memory_megabytes()
    here, there = multiprocessing.Pipe()
    seconds = WARM_UP_SECONDS + options.seconds + 5
    arguments = (there, settings.app_port, list(people.values()), options.streams, seconds)
    clients = multiprocessing.get_context("spawn").Process(target=_listen, args=arguments)
    clients.start()
    opened = await asyncio.to_thread(here.recv)
    after, cpu = server.memory_megabytes(), server.cpu_seconds()
    told = await _happen(settings, people, options)
    heard: Heard = await asyncio.to_thread(here.recv)
    used = server.cpu_seconds() - cpu
    clients.join()
    expected = told * (options.streams // len(people))
    times = sorted(heard.milliseconds)
    print(f"streams open: {opened}; memory per stream: {(after - before) * 1000 / max(opened, 1):.0f} KB")
    print(f"events told: {told} in {options.seconds} s; received: {len(times)} of {expected}")
    print(f"commit to client, ms: p50 {statistics.median(times):.0f}, p99 {times[int(len(times) * 0.99)]:.0f}")
    print(f"processor time of budapp: {used:.1f} s")
    return 0 if len(times) == expected and opened == options.streams else 1


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


def _listen(pipe: Any, port: int, tokens: list[str], streams: int, seconds: float) -> None:
    """Keep the streams open and tell what came: in a process of its own."""
    asyncio.run(_listen_all(pipe, port, tokens, streams, seconds))


async def _listen_all(pipe: Any, port: int, tokens: list[str], streams: int, seconds: float) -> None:
    heard = Heard(0, [])
    gate = asyncio.Semaphore(_AT_ONCE)
    ready = [asyncio.Event() for _ in range(streams)]
    tasks = [
        asyncio.create_task(_stream(port, tokens[number % len(tokens)], ready[number], gate, heard))
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


async def _stream(port: int, token: str, ready: asyncio.Event, gate: asyncio.Semaphore, heard: Heard) -> None:
    writer = None
    try:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            lines = ("GET /events?type=workflow.step HTTP/1.1", "Host: bench", f"Authorization: Bearer {token}", "", "")
            writer.write("\r\n".join(lines).encode())
            while b"event: ready" not in await reader.readline():
                if reader.at_eof():
                    return
        heard.open += 1
        ready.set()
        while line := await reader.readline():
            if (found := _STAMP.search(line)) is not None:
                heard.milliseconds.append((time.time() - float(found[1])) * 1000)
    finally:
        ready.set()
        if writer is not None:
            writer.close()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.streams", description=__doc__)
    parser.add_argument("--streams", type=int, default=2000, help="how many are open (default: 2000)")
    parser.add_argument("--people", type=int, default=100, help="how many people they belong to (default: 100)")
    parser.add_argument("--rate", type=int, default=100, help="events a second (default: 100)")
    parser.add_argument("--seconds", type=int, default=20, help="how long (default: 20)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(asyncio.run(main(_options())))
