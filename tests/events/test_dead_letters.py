"""Messages that were given up: an operator sees them, has them tried again, or discards them."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, select, update

from budapp.commons.config import Settings
from budapp.commons.database import Database, now
from budapp.events.models import OutboxMessage
from budapp.events.outbox import enqueue_call
from budapp.events.relay import Relay
from budapp.integrations.peers import PeerCall
from tests.command_line import Finished, budapp
from tests.events.sidecar import Sidecar


async def outbox(settings: Settings, *command: str) -> Finished:
    return await budapp(settings, "outbox", *command)


@pytest.fixture
async def dead(database: Database, sidecar: Sidecar) -> list[UUID]:
    """Three messages, of which the first two were given up."""
    async with database.write() as session:
        for aggregate in ("a", "b", "c"):
            call = PeerCall(sidecar.peer_id, "POST", "hear", {"aggregate": aggregate})
            await enqueue_call(session, call, aggregate=aggregate)
    async with database.write() as session:
        ids = list(await session.scalars(select(OutboxMessage.id).order_by(OutboxMessage.position)))
        given_up = {"dead_at": now(), "attempts": 400, "last_error": "PeerFailed()"}
        await session.execute(update(OutboxMessage).where(OutboxMessage.id.in_(ids[:2])).values(given_up))
    return ids


async def test_the_list_shows_what_was_given_up_and_why(dead: list[UUID], settings: Settings) -> None:
    shown = (await outbox(settings, "list")).stdout
    assert [str(one) in shown for one in dead] == [True, True, False]
    assert "PeerFailed()" in shown
    assert "Messages: 2" in shown
    assert [str(one) in (await outbox(settings, "list", "--waiting")).stdout for one in dead] == [False, False, True]


async def test_a_revived_message_is_delivered(
    dead: list[UUID], settings: Settings, database: Database, sidecar: Sidecar
) -> None:
    assert "again: 1" in (await outbox(settings, "revive", str(dead[1]), str(dead[2]), str(uuid4()))).stdout
    await Relay(database, sidecar.dapr).drain()
    assert sorted(body["aggregate"] for body in sidecar.peer.bodies("hear")) == ["b", "c"]
    assert "again: 1" in (await outbox(settings, "revive", "--target", sidecar.peer_id)).stdout
    await Relay(database, sidecar.dapr).drain()
    assert sorted(body["aggregate"] for body in sidecar.peer.bodies("hear")) == ["a", "b", "c"]
    assert "again: 0" in (await outbox(settings, "revive", "--all")).stdout


async def test_only_what_was_given_up_can_be_discarded(
    dead: list[UUID], settings: Settings, database: Database
) -> None:
    assert "Messages deleted: 1" in (await outbox(settings, "discard", str(dead[0]), str(dead[2]))).stdout
    async with database.read() as session:
        assert await session.scalar(select(func.count()).select_from(OutboxMessage)) == 2


async def test_what_to_revive_must_be_said(settings: Settings) -> None:
    for arguments in ([], ["--all", str(uuid4())], ["no-id"]):
        assert (await outbox(settings, "revive", *arguments)).status == 2
