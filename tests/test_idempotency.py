"""The route class on a small application of its own, whose routes leave outbox messages."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response
from pydantic import BaseModel
from sqlalchemy import func, select, text, update
from uuid_utils.compat import uuid7

from budapp.commons.access import Authenticator, Caller, SignedIn, public
from budapp.commons.config import Settings
from budapp.commons.database import Database, Write, after_commit, now
from budapp.commons.domain import Component, Components, Domain, components_of
from budapp.commons.encryption import Encryption
from budapp.commons.error_handlers import install_error_handlers
from budapp.commons.errors import Conflict, NotFound, Unauthenticated
from budapp.commons.idempotency import (
    IdempotencyRecord,
    IdempotentRoute,
    name_resource,
    named_resource,
    purge_records,
)
from budapp.events.models import OutboxMessage
from budapp.events.outbox import enqueue_publish

TENANT = uuid7()
PEOPLE = {"ann": (TENANT, uuid7()), "bob": (TENANT, uuid7()), "eve": (uuid7(), uuid7())}

router = APIRouter(prefix="/things", route_class=IdempotentRoute)


class Thing(BaseModel):
    name: str


async def _make(session: Write, name: str) -> dict[str, str]:
    thing_id = str(uuid7())
    await enqueue_publish(session, aggregate=thing_id, topic="things", payload={"name": name})
    await asyncio.sleep(0.02)
    return {"id": thing_id, "secret": f"s3cret-{name}"}


@router.post("/", status_code=201)
async def create(thing: Thing, _caller: SignedIn, session: Write, request: Request) -> dict[str, str]:
    async def count() -> None:
        request.app.state.commits += 1

    after_commit(session, count)
    return await _make(session, thing.name)


@router.post("/raw", status_code=201)
async def create_from_bytes(_caller: SignedIn, session: Write, request: Request) -> dict[str, str]:
    return await _make(session, (await request.body()).decode())


@router.post("/fails")
async def fail(_caller: SignedIn, session: Write, request: Request) -> dict[str, str]:
    made = await _make(session, "x")
    request.app.state.failures -= 1
    if request.app.state.failures >= 0:
        raise Conflict
    return made


@router.post("/public", dependencies=[public], status_code=201)
async def create_for_anyone(thing: Thing, session: Write) -> dict[str, str]:
    return await _make(session, thing.name)


@router.put("/", status_code=201)
async def replace(thing: Thing, _caller: SignedIn, session: Write) -> dict[str, str]:
    return await _make(session, thing.name)


@router.post("/waits", status_code=201)
async def wait_and_create(thing: Thing, _caller: SignedIn, session: Write, request: Request) -> dict[str, str]:
    request.app.state.arrived.release()
    await request.app.state.go_on.wait()
    return await _make(session, thing.name)


@router.post("/steps", status_code=201)
async def create_in_steps(thing: Thing, _caller: SignedIn, request: Request) -> dict[str, str | None]:
    state, earlier, database = request.app.state, named_resource(), components_of(request)[Database]
    if state.taken_over:
        async with database.write() as session:
            await session.execute(update(IdempotencyRecord).values(lock_token=uuid7()))
    if earlier is None:
        async with database.write() as session:
            made = await _make(session, thing.name)
            await name_resource(session, UUID(made["id"]))
    state.failures -= 1
    if state.failures >= 0:
        raise Conflict
    return {"went_on_with": str(earlier) if earlier else None}


@router.post("/empty", status_code=204)
async def empty(_caller: SignedIn, session: Write) -> Response:
    await _make(session, "x")
    return Response(status_code=204)


@router.post("/refuses")
async def refuse_without_raising(_caller: SignedIn, request: Request) -> Response:
    request.app.state.failures -= 1
    return Response(status_code=503 if request.app.state.failures >= 0 else 200)


class Tokens(Authenticator):
    """Knows people by their first name."""

    async def authenticate(self, token: str) -> Caller:
        if token not in PEOPLE:
            raise Unauthenticated
        tenant_id, user_id = PEOPLE[token]
        return _caller(tenant_id, user_id, token)

    async def stand_for(self, user_id: UUID) -> Caller:
        raise NotFound


def _caller(tenant_id: UUID, user_id: UUID, name: str) -> Caller:
    texts: dict[str, Any] = dict.fromkeys(
        ("auth_id", "session_id", "realm", "email", "role", "status", "user_type", "color"), "x"
    )
    return Caller(
        user_id=user_id,
        tenant_id=tenant_id,
        name=name,
        company=None,
        purpose=None,
        scopes=frozenset(),
        token_expires_at=now() + timedelta(hours=1),
        **texts,
    )


@pytest.fixture
async def http(database: Database, settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.include_router(router)
    install_error_handlers(app)
    components = (
        Component(Database, lambda _: database),
        Component(Encryption, lambda _: database.encryption),
        Component(Authenticator, lambda _: Tokens()),
    )
    app.state.components = Components(settings, [Domain(components=components)])
    app.state.commits, app.state.failures = 0, 0
    app.state.arrived, app.state.go_on = asyncio.Semaphore(0), asyncio.Event()
    app.state.taken_over = False
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://things.test") as client:
        yield client


async def post(
    http: httpx.AsyncClient,
    key: str | None,
    path: str = "/",
    *,
    who: str | None = "ann",
    name: str = "one",
    **more: Any,
) -> httpx.Response:
    headers = {"authorization": f"Bearer {who}"} if who else {}
    if key is not None:
        headers["Idempotency-Key"] = key
    body = more or {"json": {"name": name}}
    return await http.post(f"/things{path}", headers=headers, **body)


async def things(database: Database) -> int:
    async with database.read() as session:
        return (await session.execute(select(func.count()).select_from(OutboxMessage))).scalar_one()


async def test_the_same_request_gets_the_same_answer(http: httpx.AsyncClient, database: Database) -> None:
    first = await post(http, "k")
    second = await post(http, "k")

    assert first.status_code == second.status_code == 201
    assert first.content == second.content
    assert first.headers["content-type"] == second.headers["content-type"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert await things(database) == 1


async def test_fifty_at_once_make_one(http: httpx.AsyncClient, database: Database) -> None:
    responses = await asyncio.gather(*[post(http, "k") for _ in range(50)])

    made = [response for response in responses if response.status_code == 201]
    refused = [response for response in responses if response.status_code == 409]
    assert len(made) + len(refused) == 50
    assert len({response.json()["id"] for response in made}) == 1
    assert all(response.headers["Retry-After"] == "1" for response in refused)
    assert await things(database) == 1
    assert (await post(http, "k")).json() == made[0].json()


async def test_hooks_run_once_after_the_commit(http: httpx.AsyncClient) -> None:
    await post(http, "k")
    await post(http, "k")

    assert http._transport.app.state.commits == 1  # type: ignore[attr-defined]


@pytest.mark.parametrize("other", [{"name": "two"}, {"path": "/raw"}, {"path": "/?x=1"}])
async def test_the_same_key_with_another_request_is_refused(
    http: httpx.AsyncClient, database: Database, other: dict[str, Any]
) -> None:
    await post(http, "k")
    response = await post(http, "k", **other)

    assert response.status_code == 422
    assert response.json()["param"] == "Idempotency-Key"
    assert await things(database) == 1


async def test_keys_belong_to_a_person_of_a_tenant(http: httpx.AsyncClient, database: Database) -> None:
    answers = [await post(http, "k", who=who) for who in ("ann", "bob", "eve")]

    assert len({answer.json()["id"] for answer in answers}) == 3


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "tab\there"])
async def test_a_malformed_key_is_422(http: httpx.AsyncClient, database: Database, key: str) -> None:
    response = await post(http, key)

    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"] == ["header", "Idempotency-Key"]
    assert await things(database) == 0


async def test_the_longest_key_is_fine(http: httpx.AsyncClient) -> None:
    assert (await post(http, "x" * 255)).status_code == 201


async def test_an_error_leaves_nothing_and_the_request_may_come_again(
    http: httpx.AsyncClient, database: Database
) -> None:
    http._transport.app.state.failures = 1  # type: ignore[attr-defined]

    assert (await post(http, "k", "/fails")).status_code == 409
    assert await things(database) == 0
    assert (await post(http, "k", "/fails")).status_code == 200
    assert await things(database) == 1
    assert (await post(http, "k", "/fails")).headers["Idempotent-Replayed"] == "true"


async def test_a_refusal_that_is_not_raised_does_not_use_up_the_key_either(http: httpx.AsyncClient) -> None:
    http._transport.app.state.failures = 1  # type: ignore[attr-defined]
    assert [(await post(http, "k", "/refuses")).status_code for _ in range(2)] == [503, 200]


async def test_a_request_that_fails_validation_does_not_use_up_its_key(http: httpx.AsyncClient) -> None:
    assert (await post(http, "k", json={"nome": "x"})).status_code == 422
    assert (await post(http, "k")).status_code == 201


async def test_only_post_looks_at_the_header(http: httpx.AsyncClient, database: Database) -> None:
    headers = {"authorization": "Bearer ann", "Idempotency-Key": "k"}
    for _ in range(2):
        assert (await http.put("/things/", headers=headers, json={"name": "one"})).status_code == 201

    assert await things(database) == 2


async def test_without_a_key_or_a_caller_each_request_counts(http: httpx.AsyncClient, database: Database) -> None:
    for key, who, path in ((None, "ann", "/"), ("k", None, "/public"), ("k", "nobody", "/public")):
        for _ in range(2):
            assert (await post(http, key, path, who=who)).status_code == 201

    assert await things(database) == 6


async def test_a_signed_in_caller_of_a_public_route_is_served_once(http: httpx.AsyncClient, database: Database) -> None:
    for _ in range(2):
        assert (await post(http, "k", "/public")).status_code == 201

    assert await things(database) == 1


async def test_an_answer_is_replayed_to_nobody_who_is_signed_out(http: httpx.AsyncClient) -> None:
    await post(http, "k")

    assert (await post(http, "k", who=None)).status_code == 401


async def test_bytes_and_an_empty_answer_work_too(http: httpx.AsyncClient, database: Database) -> None:
    for _ in range(2):
        assert (await post(http, "f", "/raw", content=b"one")).json()["secret"] == "s3cret-one"
        assert (await post(http, "e", "/empty", json={})).status_code == 204

    assert await things(database) == 2


async def test_the_answer_is_stored_encrypted(http: httpx.AsyncClient, database: Database) -> None:
    assert "s3cret" in (await post(http, "k")).text

    async with database.read() as session:
        row = (await session.execute(text("select idempotency_record::text from idempotency_record"))).scalar_one()
    assert "s3cret" not in row


async def test_a_key_may_be_used_anew_after_a_day(http: httpx.AsyncClient, database: Database) -> None:
    first = await post(http, "k")
    async with database.write() as session:
        await session.execute(update(IdempotencyRecord).values(expires_at=now() - timedelta(seconds=1)))

    second = await post(http, "k", name="two")
    assert second.status_code == 201
    assert second.json() != first.json()


async def end_leases(database: Database) -> None:
    async with database.write() as session:
        await session.execute(update(IdempotencyRecord).values(lock_expires_at=now() - timedelta(seconds=1)))


async def test_a_key_whose_process_died_is_blocked_for_a_while_and_then_taken_over(
    http: httpx.AsyncClient, database: Database
) -> None:
    state = http._transport.app.state  # type: ignore[attr-defined]
    late = asyncio.create_task(post(http, "k", "/waits", name="late"))
    await state.arrived.acquire()
    blocked = await post(http, "k", "/waits", name="late")
    assert (blocked.status_code, blocked.headers["Retry-After"]) == (409, "1")
    await end_leases(database)
    again = asyncio.create_task(post(http, "k", "/waits", name="late"))
    await state.arrived.acquire()
    state.go_on.set()

    assert sorted([(await late).status_code, (await again).status_code]) == [201, 409]
    assert (await again).status_code == 201, "who came last has the lease"
    assert await things(database) == 1
    assert (await post(http, "k", "/waits", name="late")).json() == (await again).json()


async def test_another_request_does_not_take_over_what_a_dead_process_left(
    http: httpx.AsyncClient, database: Database
) -> None:
    state = http._transport.app.state  # type: ignore[attr-defined]
    first = asyncio.create_task(post(http, "k", "/waits"))
    await state.arrived.acquire()
    await end_leases(database)
    assert (await post(http, "k", "/waits", name="two")).status_code == 422
    state.go_on.set()
    assert (await first).status_code == 201


async def test_requests_with_a_key_hold_no_connection_while_they_wait(
    http: httpx.AsyncClient, database: Database, settings: Settings
) -> None:
    state = http._transport.app.state  # type: ignore[attr-defined]
    count = settings.psql_pool_size + 5
    waiting = [asyncio.create_task(post(http, f"k{n}", "/waits")) for n in range(count)]
    for _ in waiting:
        await state.arrived.acquire()
    assert (await post(http, "other")).status_code == 201
    assert not any(task.done() for task in waiting)
    state.go_on.set()
    assert {answer.status_code for answer in await asyncio.gather(*waiting)} == {201}
    assert await things(database) == count + 1


async def test_what_was_opened_before_a_failure_is_gone_on_with(http: httpx.AsyncClient, database: Database) -> None:
    http._transport.app.state.failures = 2  # type: ignore[attr-defined]
    assert [(await post(http, "k", "/steps")).status_code for _ in range(2)] == [409, 409]
    done = await post(http, "k", "/steps")

    async with database.read() as session:
        assert done.json()["went_on_with"] == await session.scalar(select(OutboxMessage.aggregate))
    assert await things(database) == 1
    assert (await post(http, "k", "/steps")).content == done.content


async def test_what_was_opened_is_not_gone_on_with_once_the_key_is_used_anew(
    http: httpx.AsyncClient, database: Database
) -> None:
    http._transport.app.state.failures = 1  # type: ignore[attr-defined]
    assert (await post(http, "k", "/steps")).status_code == 409
    async with database.write() as session:
        await session.execute(update(IdempotencyRecord).values(expires_at=now() - timedelta(seconds=1)))
    assert (await post(http, "k", "/steps")).json() == {"went_on_with": None}
    assert await things(database) == 2


async def test_who_has_lost_the_key_opens_nothing(http: httpx.AsyncClient, database: Database) -> None:
    http._transport.app.state.taken_over = True  # type: ignore[attr-defined]
    assert (await post(http, "k", "/steps")).status_code == 409
    assert await things(database) == 0


def test_the_header_is_documented_where_it_counts() -> None:
    app = FastAPI()
    app.include_router(router)
    path = app.openapi()["paths"]["/things/"]

    assert [parameter["name"] for parameter in path["post"]["parameters"]] == ["Idempotency-Key"]
    assert "parameters" not in path["put"]


async def test_old_records_are_purged(http: httpx.AsyncClient, database: Database) -> None:
    await post(http, "old")
    async with database.write() as session:
        await session.execute(update(IdempotencyRecord).values(expires_at=now() - timedelta(seconds=1)))
    await post(http, "new")

    await purge_records(database)
    async with database.read() as session:
        assert (await session.scalars(select(IdempotencyRecord.key))).all() == ["new"]
