"""What the tests of projects put in beforehand and look at afterwards."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any
from uuid import UUID

import httpx
from sqlalchemy import select, text
from uuid_utils.compat import uuid7

from budapp.api_key_ops.models import Credential
from budapp.cluster_ops.models import Cluster
from budapp.commons.database import Database
from budapp.endpoint_ops.models import Endpoint
from budapp.events.models import OutboxMessage
from budapp.events.outbox import open_payload
from budapp.project_ops.models import Project, ProjectMember
from budapp.user_ops.models import User
from tests.cast import Person

MISSING = UUID("00000000-0000-4000-8000-000000000000")
TAGS = [{"name": "demo", "color": "#E57333"}]


async def create(client: httpx.AsyncClient, person: Person, **fields: Any) -> dict[str, Any]:
    """Make a project through the API."""
    answer = await client.post("/projects/", json={"name": "Atlas", **fields}, headers=person.headers)
    assert answer.status_code == 200, answer.text
    project: dict[str, Any] = answer.json()["project"]
    return project


async def add(database: Database, *rows: Any) -> None:
    async with database.write() as session:
        session.add_all(rows)


async def join(
    database: Database, project_id: str, *people: Person, scopes: tuple[str, ...] = ("endpoint:view",)
) -> None:
    """Make people members without asking the API."""
    members = [
        ProjectMember(tenant_id=p.tenant_id, project_id=UUID(project_id), user_id=p.id, scopes=list(scopes))
        for p in people
    ]
    await add(database, *members)


async def add_user(database: Database, tenant_id: UUID, name: str, **fields: Any) -> Person:
    """Put in somebody who can't sign in."""
    values = {"role": "developer", "user_type": "admin", "status": "active", "color": "#3F8EF7", **fields}
    user = User(
        id=uuid7(),
        tenant_id=tenant_id,
        auth_id=str(uuid7()),
        name=name,
        email=f"{name}@example.com",
        **values,
    )
    await add(database, user)
    return Person(user.id, tenant_id, user.email, {})


def project_row(person: Person, name: str, **fields: Any) -> Project:
    values = {"project_type": "admin_app", **fields}
    return Project(id=uuid7(), tenant_id=person.tenant_id, created_by=person.id, name=name, **values)


def member_rows(project: Project, members: Iterable[tuple[UUID, Sequence[str]]]) -> list[ProjectMember]:
    return [
        ProjectMember(tenant_id=project.tenant_id, project_id=project.id, user_id=user_id, scopes=list(scopes))
        for user_id, scopes in members
    ]


def endpoint_row(project_id: str, person: Person, **fields: Any) -> Endpoint:
    values = {
        "name": f"chat-{uuid7()}",
        "model_id": uuid7(),
        "url": "http://x",
        "namespace": "n",
        "status": "running",
        **fields,
    }
    return Endpoint(tenant_id=person.tenant_id, project_id=UUID(project_id), created_by=person.id, **values)


def credential_row(project_id: str, person: Person, name: str = "key", **fields: Any) -> Credential:
    values = {"credential_type": "admin_app", **fields}
    mine = {"tenant_id": person.tenant_id, "user_id": person.id}
    return Credential(project_id=UUID(project_id), name=name, hashed_key=str(uuid7()), **mine, **values)


def cluster_row(person: Person, name: str, **fields: Any) -> Cluster:
    values = {"icon": "i", "status": "available", **fields}
    return Cluster(id=uuid7(), tenant_id=person.tenant_id, created_by=person.id, name=name, **values)


async def members_of(database: Database, project_id: str) -> dict[UUID, list[str]]:
    """Return the members' scopes."""
    async with database.read() as session:
        rows = await session.scalars(select(ProjectMember).where(ProjectMember.project_id == UUID(project_id)))
        return {row.user_id: row.scopes for row in rows}


async def keys_of(database: Database, project_id: str) -> list[str]:
    async with database.read() as session:
        statement = select(Credential.name).where(Credential.project_id == UUID(project_id)).order_by(Credential.name)
        return list(await session.scalars(statement))


async def messages(database: Database) -> list[tuple[OutboxMessage, Any]]:
    """Return what waits in the outbox, with the payloads in clear."""
    async with database.write() as session:
        rows = await session.scalars(select(OutboxMessage).order_by(OutboxMessage.position))
        return [(row, open_payload(row, session)) for row in rows]


async def emails(database: Database) -> set[str]:
    async with database.read() as session:
        return set(await session.scalars(select(User.email)))


async def somebody_waits(database: Database) -> None:
    """Return once a statement in this database waits for a lock."""
    waiting = text(
        "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    )
    async with database.read() as session:
        for _ in range(250):
            if await session.scalar(waiting):
                return
            await asyncio.sleep(0.02)
    raise AssertionError("nobody waits for a lock")


def body_of(answer: httpx.Response) -> dict[str, Any]:
    """Return an error's body without what names the request."""
    body: dict[str, Any] = answer.json()
    return {name: value for name, value in body.items() if name not in {"instance", "request_id"}}
