"""New encryption keys: everything is sealed anew while the service runs, and the old key can go."""

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr
from sqlalchemy import func, select, update

from budapp.commons.config import Settings
from budapp.commons.database import Base, Database
from budapp.commons.domain import components_of
from budapp.commons.encrypted_columns import seal, sealed_columns, unseal
from budapp.commons.encryption import DecryptionError, Encryption
from budapp.commons.idempotency import IdempotencyRecord
from budapp.commons.key_rotation import Rotation, key_uses, rotate
from budapp.events.models import OutboxMessage
from budapp.events.outbox import enqueue_call, open_payload
from budapp.integrations.peers import PeerCall
from budapp.main import create_app
from budapp.tenant_ops.models import TenantClient
from tests.cast import PASSWORD, Cast, Person
from tests.command_line import budapp

NEW_KEY = f"new:{base64.b64encode(os.urandom(32)).decode()}"


def with_keys(settings: Settings, *keys: str) -> Settings:
    return settings.model_copy(update={"encryption_keys": SecretStr(",".join(keys))})


@pytest.fixture
def old_key(settings: Settings) -> str:
    return settings.encryption_keys.get_secret_value()


@asynccontextmanager
async def replica(settings: Settings, *keys: str) -> AsyncIterator[tuple[FastAPI, httpx.AsyncClient]]:
    application = create_app(with_keys(settings, *keys))
    transport = httpx.ASGITransport(application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://budapp.test") as client:
        yield application, client
    await components_of(application).close()


@asynccontextmanager
async def opened(settings: Settings, *keys: str) -> AsyncIterator[Database]:
    database = Database(with_keys(settings, *keys))
    yield database
    await database.dispose()


async def leave_secrets(database: Database, count: int) -> None:
    async with database.write() as session:
        for number in range(count):
            call = PeerCall("x", "POST", "p", {"n": number})
            await enqueue_call(session, call, aggregate=f"a:{number}", secret=True)
            record = IdempotencyRecord(
                tenant_id=uuid4(), user_id=uuid4(), key="{odd}", request_hash="", status=200, content_type=None
            )
            seal(database.encryption, record, IdempotencyRecord.body_encrypted, str(number))
            session.add(record)


def quiet(_rotation: Rotation) -> None: ...


async def keys_in_use(database: Database) -> set[str]:
    return {use.key_id for use in await key_uses(database)}


def test_every_encrypted_column_is_known_to_the_rotation() -> None:
    known = {str(sealed) for sealed in sealed_columns(Base.metadata)}
    named = {str(column) for table in Base.metadata.sorted_tables for column in table.c if "encrypted" in column.name}
    assert known == named, "declare it with commons.sealing.sealed()"
    for sealed in sealed_columns(Base.metadata):
        assert sealed.parts, "the context must name columns of the row, so that a sealed text fits no other row"


async def test_a_sealed_text_opens_in_its_own_row_only(cast: Cast, database: Database) -> None:
    async with database.read() as session:
        first, second = (await session.scalars(select(TenantClient))).all()
    assert unseal(database.encryption, first, TenantClient.client_secret_encrypted)
    second.client_secret_encrypted = first.client_secret_encrypted
    with pytest.raises(DecryptionError):
        unseal(database.encryption, second, TenantClient.client_secret_encrypted)


def test_a_row_that_lacks_what_its_context_names_cannot_be_sealed(app: FastAPI) -> None:
    with pytest.raises(ValueError, match="tenant_id"):
        seal(components_of(app)[Encryption], TenantClient(), TenantClient.client_secret_encrypted, "secret")


async def test_everything_is_sealed_anew_and_a_second_run_finds_nothing(
    cast: Cast, database: Database, settings: Settings, old_key: str
) -> None:
    await leave_secrets(database, 25)
    async with database.read() as session:
        before = (await session.execute(select(OutboxMessage.id, OutboxMessage.modified_at))).all()
    async with opened(settings, NEW_KEY, old_key) as both:
        done = {one.column: one for one in await rotate(both, quiet, batch=10)}
        assert done["outbox_message.payload_encrypted"].resealed == 25
        assert done["idempotency_record.body_encrypted"].resealed == 25
        assert done["tenant_client.client_secret_encrypted"].resealed == 2
        assert {one.left + one.unreadable for one in done.values()} == {0}
        assert await keys_in_use(both) == {"new"}
        assert sum(one.resealed for one in await rotate(both, quiet)) == 0
    async with opened(settings, NEW_KEY) as new_only, new_only.write() as session:
        messages = (await session.scalars(select(OutboxMessage).order_by(OutboxMessage.position))).all()
        assert [open_payload(message, session) for message in messages] == [{"n": number} for number in range(25)]
        assert sorted((message.id, message.modified_at) for message in messages) == sorted(map(tuple, before))


async def test_a_locked_row_is_passed_over_and_taken_up_when_it_is_free(
    cast: Cast, database: Database, settings: Settings, old_key: str
) -> None:
    await leave_secrets(database, 3)
    async with opened(settings, NEW_KEY, old_key) as both:
        async with database.write() as session:
            await session.execute(select(OutboxMessage).limit(1).with_for_update())
            rotating = asyncio.create_task(rotate(both, quiet))
            await asyncio.sleep(0.7)
            assert not rotating.done()
            other_rows = select(func.count()).where(OutboxMessage.payload_encrypted.startswith("new:"))
            async with database.read() as reading:
                assert await reading.scalar(other_rows) == 2
        assert all(one.left == 0 for one in await rotating)
        assert await keys_in_use(both) == {"new"}


async def test_two_rotations_and_a_cut_off_one_get_along(
    cast: Cast, database: Database, settings: Settings, old_key: str
) -> None:
    await leave_secrets(database, 200)
    async with opened(settings, NEW_KEY, old_key) as both:
        cut_off = asyncio.create_task(rotate(both, quiet, batch=5))
        await asyncio.sleep(0.1)
        cut_off.cancel()
        await asyncio.gather(cut_off, return_exceptions=True)
        done = await asyncio.gather(rotate(both, quiet, batch=7), rotate(both, quiet, batch=11))
        assert all(one.left == 0 for one in done[0] + done[1])
        assert await keys_in_use(both) == {"new"}


async def test_what_no_key_opens_is_counted_and_stops_nothing_else(
    cast: Cast, database: Database, settings: Settings, old_key: str
) -> None:
    await leave_secrets(database, 5)
    async with database.write() as session:
        first = select(func.min(OutboxMessage.position)).scalar_subquery()
        broken = update(OutboxMessage).where(OutboxMessage.position == first)
        await session.execute(broken.values(payload_encrypted="lost:c2VjcmV0"))
    async with opened(settings, NEW_KEY, old_key) as both:
        done = {one.column: one for one in await rotate(both, quiet, batch=2)}
        outbox = done["outbox_message.payload_encrypted"]
        assert (outbox.resealed, outbox.unreadable, outbox.left) == (4, 1, 0)
        assert await keys_in_use(both) == {"new", "lost"}


async def _sign_in(client: httpx.AsyncClient, person: Person) -> httpx.Response:
    return await client.post("/auth/login", json={"email": person.email, "password": PASSWORD})


async def test_under_load_no_request_fails_and_afterwards_the_old_key_can_go(
    cast: Cast, database: Database, settings: Settings, old_key: str
) -> None:
    """Two replicas are new-first already, one still seals with the old key while the rotation runs."""
    await leave_secrets(database, 600)
    answers: list[httpx.Response] = []
    created: list[tuple[str, dict[str, str], Any]] = []
    stop = asyncio.Event()

    async def repeat(work: Callable[[httpx.AsyncClient], Awaitable[None]], client: httpx.AsyncClient) -> None:
        while not stop.is_set():
            await work(client)

    async def signing_in(client: httpx.AsyncClient) -> None:
        answers.append(await _sign_in(client, cast.developer))
        body = {"refresh_token": answers[-1].json()["token"]["refresh_token"]}
        answers.append(await client.post("/auth/refresh-token", json=body))

    async def creating(client: httpx.AsyncClient) -> None:
        headers = {**cast.admin.headers, "Idempotency-Key": uuid4().hex}
        body = {"name": f"Project {uuid4().hex}"}
        first = await client.post("/projects/", json=body, headers=headers)
        again = await client.post("/projects/", json=body, headers=headers)
        assert again.json() == first.json()
        answers.extend([first, again])
        created.append((headers["Idempotency-Key"], body, first.json()))

    async def resetting(client: httpx.AsyncClient) -> None:
        answers.append(await client.post("/users/reset-password", json={"email": cast.tester.email}))

    async with (
        replica(settings, old_key, NEW_KEY) as (_, straggler),
        replica(settings, NEW_KEY, old_key) as (_, first),
        replica(settings, NEW_KEY, old_key) as (_, second),
        opened(settings, NEW_KEY, old_key) as both,
    ):
        works = (signing_in, creating, resetting)
        load = [asyncio.create_task(repeat(work, client)) for work in works for client in (straggler, first, second)]
        await asyncio.sleep(1)
        for _ in range(3):
            await rotate(both, quiet, batch=20)
            await asyncio.sleep(0.5)
        stop.set()
        await asyncio.gather(*load)
        assert len(answers) > 15
        assert {answer.status_code for answer in answers} == {200}
        await rotate(both, quiet)
        assert await keys_in_use(both) == {"new"}

    async with replica(settings, NEW_KEY) as (application, client):
        assert (await _sign_in(client, cast.developer)).status_code == 200
        for key, body, answer in created[:5]:
            headers = {**cast.admin.headers, "Idempotency-Key": key}
            assert (await client.post("/projects/", json=body, headers=headers)).json() == answer
        async with components_of(application)[Database].write() as session:
            for message in await session.scalars(select(OutboxMessage)):
                assert open_payload(message, session)


async def test_the_commands_tell_what_is_done_and_when_a_key_can_be_dropped(
    cast: Cast, database: Database, settings: Settings, old_key: str
) -> None:
    await leave_secrets(database, 3)
    old_id, both = old_key.partition(":")[0], f"{NEW_KEY},{old_key}"
    status = await budapp(with_keys(settings, both), "keys", "status")
    assert f"Key {old_id}: needed by 8 rows" in status.stdout
    rotated = await budapp(with_keys(settings, both), "keys", "rotate")
    assert rotated.status == 0, rotated.stderr
    assert "8 rows sealed with the first key" in rotated.stdout
    status = await budapp(with_keys(settings, both), "keys", "status")
    assert f"Key {old_id}: no row needs it: it can be dropped" in status.stdout
    too_soon = await budapp(with_keys(settings, old_key), "keys", "rotate")
    assert too_soon.status == 1
    assert "8 rows can't be opened" in too_soon.stdout
