"""Messages of parallel units of work leave in the order in which they changed the row that the messages tell of."""

import asyncio

from sqlalchemy import select, text
from uuid_utils.compat import uuid7

from budapp.commons.database import Database
from budapp.events.models import OutboxMessage
from budapp.events.outbox import enqueue_publish
from budapp.tenant_ops.models import Tenant
from tests.waiting import until


async def enter_row(database: Database) -> Tenant:
    tenant = Tenant(id=uuid7(), name="One", realm_name="one", tenant_identifier="one")
    async with database.write() as session:
        session.add(tenant)
    return tenant


async def test_a_message_waits_for_the_change_that_it_tells_of(database: Database) -> None:
    row = await enter_row(database)
    changed, go_on = asyncio.Event(), asyncio.Event()

    async def change(name: str, *, pause: bool) -> None:
        async with database.write() as session:
            tenant = await session.get_one(Tenant, row.id)
            tenant.name = name
            if pause:
                await session.flush()
                changed.set()
                await go_on.wait()
            await enqueue_publish(session, aggregate="tenant", topic="t", payload={"name": name})

    async def somebody_waits() -> bool:
        async with database.read() as session:
            waiting = text("select count(*) from pg_locks where not granted")
            return bool((await session.execute(waiting)).scalar_one())

    first = asyncio.create_task(change("first", pause=True))
    await changed.wait()
    second = asyncio.create_task(change("second", pause=False))
    await until(somebody_waits)
    go_on.set()
    await asyncio.gather(first, second)

    async with database.read() as session:
        messages = (await session.scalars(select(OutboxMessage).order_by(OutboxMessage.position))).all()
    assert [message.payload for message in messages] == [{"name": "first"}, {"name": "second"}]
