"""The chain: what it takes, and what it finds."""

import asyncio
from uuid import UUID, uuid4

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from budapp.audit.hash_chain import lock_chains, seal
from budapp.audit.models import PLATFORM, Action, ResourceType
from budapp.audit.recorder import record
from budapp.audit.verification import SEALED_WITHIN, Finding, Verdict, chains, verify_chain
from budapp.commons.database import Database, now
from tests.audit.data import by_hand, entries
from tests.loop_watch import MOST_SECONDS, longest_step
from tests.waiting import until

TENANT = UUID(int=7)


async def write(database: Database, name: str, tenant_id: UUID = TENANT) -> None:
    async with database.write() as session:
        record(session, Action.CREATE, ResourceType.PROJECT, tenant_id=tenant_id, resource_name=name)


async def fill(database: Database, count: int = 10) -> None:
    for number in range(count):
        await write(database, f"entry {number}")
    assert await seal(database) == count


async def finding(database: Database) -> Finding:
    verdict = await verify_chain(database, TENANT)
    assert verdict.finding is not None
    return verdict.finding


async def entry_at(database: Database, position: int) -> UUID:
    found = await by_hand(database, "select entry_id from audit_seal where position = :position", position=position)
    entry_id: UUID = found[0].entry_id
    return entry_id


async def test_200_parallel_writers_leave_a_chain_without_gaps(database: Database) -> None:
    sealing = asyncio.create_task(_keep_sealing(database))
    await asyncio.gather(*(write(database, f"writer {number}") for number in range(200)))
    sealing.cancel()
    await asyncio.gather(sealing, return_exceptions=True)

    async def all_sealed() -> bool:
        await seal(database)  # the one that was cut off may hold the chain for a moment more
        return (await verify_chain(database, TENANT)).checked == 200

    await until(all_sealed)
    verdict = await verify_chain(database, TENANT)
    assert (verdict.checked, verdict.head[0], verdict.finding) == (200, 200, None)


async def test_nobody_seals_while_another_is_at_the_chains(database: Database) -> None:
    await write(database, "one")
    async with database.write() as session:
        await lock_chains(session, wait=True)
        assert await seal(database) == 0
    assert await seal(database) == 1


async def test_thousands_of_entries_are_sealed_without_holding_the_loop(database: Database) -> None:
    async with database.write() as session:
        for number in range(2500):
            record(session, Action.CREATE, ResourceType.PROJECT, tenant_id=TENANT, resource_name=f"entry {number}")
    assert await longest_step(seal(database)) < MOST_SECONDS
    assert (await verify_chain(database, TENANT)).checked == 2500


async def _keep_sealing(database: Database) -> None:
    while True:
        await asyncio.gather(*(seal(database) for _ in range(3)))


async def test_each_tenant_has_a_chain_and_so_has_the_platform(database: Database) -> None:
    await write(database, "one")
    await write(database, "two", UUID(int=8))
    async with database.write() as session:
        record(session, Action.LOGIN_FAILED, ResourceType.SESSION)
    assert await seal(database) == 3
    assert await chains(database) == [PLATFORM, TENANT, UUID(int=8)]
    for chain_id in await chains(database):
        assert await verify_chain(database, chain_id) == Verdict(
            chain_id, 1, (await verify_chain(database, chain_id)).head, None
        )


@pytest.mark.parametrize(
    "change",
    [
        "resource_name = 'another'",
        "timestamp = timestamp - interval '1 day'",
        "user_id = gen_random_uuid()",
        "details = '{}'",
        "ip_address = '1.2.3.4'",
        "record_hash = repeat('0', 64)",
        "tenant_id = gen_random_uuid()",
        "key_id = 'unknown'",
    ],
)
async def test_a_changed_row_is_named(database: Database, change: str) -> None:
    await fill(database)
    changed = await entry_at(database, 4)
    await by_hand(database, f"update audit_trail set {change} where id = :id", id=changed)
    found = await finding(database)
    assert (found.kind, found.position, found.entry_id) == ("changed", 4, changed)


async def test_a_removed_row_is_named(database: Database) -> None:
    await fill(database)
    removed = await entry_at(database, 4)
    await by_hand(database, "delete from audit_trail where id = :id", id=removed)
    found = await finding(database)
    assert (found.kind, found.position, found.entry_id) == ("removed", 4, removed)


async def test_a_row_removed_with_its_seal_is_named(database: Database) -> None:
    await fill(database)
    removed = await entry_at(database, 4)
    await by_hand(database, "delete from audit_trail where id = :id", id=removed)
    await by_hand(database, "delete from audit_seal where position = 4")
    found = await finding(database)
    assert (found.kind, found.position) == ("removed", 4)


_COPY = """
insert into audit_trail select (jsonb_populate_record(t, jsonb_build_object('id', cast(:new as uuid)))).*
from audit_trail t where id = :id
"""


async def test_an_inserted_row_is_named(database: Database) -> None:
    await fill(database)
    new = uuid4()
    await by_hand(database, _COPY, id=await entry_at(database, 4), new=new)
    found = await finding(database)
    assert (found.kind, found.entry_id) == ("inserted", new)


async def test_a_row_inserted_past_the_service_but_sealed_is_named(database: Database) -> None:
    await fill(database)
    new = uuid4()
    async with database.engine.begin() as connection:
        await connection.execute(text(_COPY), {"id": await entry_at(database, 4), "new": new})
    assert await seal(database) == 1
    found = await finding(database)
    assert (found.kind, found.position, found.entry_id) == ("changed", 11, new)


async def test_a_row_removed_before_it_was_sealed_is_named(database: Database) -> None:
    await write(database, "gone")
    (entry,) = await entries(database)
    await by_hand(database, "delete from audit_trail")
    await seal(database)
    found = await finding(database)
    assert (found.kind, found.entry_id) == ("removed", entry.id)


async def test_seals_in_another_order_are_named(database: Database) -> None:
    await fill(database)
    await by_hand(database, "update audit_seal set position = -position where position in (4, 5)")
    await by_hand(database, "update audit_seal set position = 9 + position where position < 0")
    found = await finding(database)
    assert (found.kind, found.position) == ("reordered", 4)


async def test_a_seal_of_a_key_that_is_not_known_here_is_named(database: Database) -> None:
    await fill(database)
    await by_hand(database, "update audit_seal set key_id = 'unknown' where position = 4")
    found = await finding(database)
    assert (found.kind, found.position) == ("seal", 4)
    assert "unknown" in found.text


async def test_a_seal_recomputed_without_the_key_is_found(database: Database) -> None:
    await fill(database)
    await by_hand(database, "update audit_seal set chain_hash = encode(sha256('x'), 'hex') where position = 4")
    assert (await finding(database)).position == 4


async def test_a_tail_cut_off_is_found_with_an_anchor(database: Database) -> None:
    await fill(database)
    anchor = (await verify_chain(database, TENANT)).head
    await by_hand(database, "delete from audit_trail where id in (select entry_id from audit_seal where position > 7)")
    await by_hand(database, "delete from audit_seal where position > 7")
    assert (await verify_chain(database, TENANT)).finding is None
    cut = (await verify_chain(database, TENANT, anchor)).finding
    assert cut is not None
    assert (cut.kind, cut.position) == ("truncated", 8)


async def test_an_anchor_of_another_chain_is_found(database: Database) -> None:
    await fill(database)
    found = (await verify_chain(database, TENANT, (5, "0" * 64))).finding
    assert found is not None
    assert found.position == 5


async def test_seals_cut_off_without_their_rows_are_found(database: Database) -> None:
    await fill(database)
    await by_hand(database, "delete from audit_seal where position > 7")
    assert (await finding(database)).kind == "inserted"


async def test_an_entry_that_nobody_seals_is_named_after_a_while(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await write(database, "waiting")
    (entry,) = await entries(database)
    assert (await verify_chain(database, TENANT)).finding is None
    monkeypatch.setattr("budapp.audit.verification.now", lambda: now() + SEALED_WITHIN)
    found = await finding(database)
    assert (found.kind, found.entry_id) == ("inserted", entry.id)


@pytest.mark.parametrize("table", ["audit_trail", "audit_seal"])
@pytest.mark.parametrize("statement", ["update {} set record_hash = ''", "delete from {}", "truncate {}"])
async def test_the_database_refuses_to_change_or_remove(database: Database, table: str, statement: str) -> None:
    await fill(database, 2)
    with pytest.raises(DBAPIError, match="append-only"):
        async with database.engine.begin() as connection:
            await connection.execute(text(statement.format(table)))


async def test_what_is_rolled_back_leaves_no_entry(database: Database) -> None:
    async def fail() -> None:
        async with database.write() as session:
            record(session, Action.CREATE, ResourceType.PROJECT)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        await fail()
    assert await entries(database) == []
