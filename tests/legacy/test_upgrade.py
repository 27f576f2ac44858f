"""The upgrade as operators run it, from a database of the former service with every table filled."""

import asyncio
import json
import math
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from sqlalchemy import func, select

from budapp.api_key_ops.models import Credential
from budapp.api_key_ops.secrets import Peppers
from budapp.audit.models import AuditEntry
from budapp.audit.verification import chains, verify_chain
from budapp.benchmark_ops.models import Benchmark
from budapp.cloud_provider_ops.models import CloudCredential
from budapp.commons.config import Settings
from budapp.commons.database import Base, Database
from budapp.commons.encrypted_columns import unseal
from budapp.endpoint_ops.models import Endpoint
from budapp.evaluation_ops.models import EvalTrait
from budapp.experiment_ops.models import Evaluation, EvaluationRun
from budapp.gateway_changes.models import GatewayChange
from budapp.gateway_changes.services import EVERYTHING
from budapp.legacy_ops import crud
from budapp.legacy_ops.legacy_crud import open_old
from budapp.legacy_ops.models import LegacyRow
from budapp.legacy_ops.report import Report, TableReport
from budapp.legacy_ops.tables import MOVES, NO_HOME
from budapp.legacy_ops.tables.trail import old_hash
from budapp.oauth_ops.models import TenantOAuthConfig
from budapp.playground_ops.models import ChatMessage
from budapp.project_ops.models import Project, ProjectMember
from budapp.prompt_ops.models import Prompt
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.tenant_ops.models import Tenant, TenantClient
from budapp.user_ops.models import User
from budapp.workflow_ops.models import Workflow
from tests.command_line import Finished, budapp
from tests.legacy.conftest import ROWS, Run
from tests.legacy.generating import add, change, fingerprint, tables_of
from tests.legacy.old_secrets import old_key, old_lookup_hash
from tests.legacy.values import REALM, row_id

LATER = datetime(2026, 6, 1, tzinfo=UTC)


def tables(done: Finished) -> dict[str, TableReport]:
    """Return the tables of a report in JSON."""
    report = json.loads(done.stdout)
    return {table["source"]: TableReport.model_validate(table) for table in report["tables"]}


def reasons(table: TableReport) -> dict[str, list[str]]:
    """Return why rows were left, and which."""
    return {reason.text: reason.rows for reason in table.left}


async def counted(database: Database, model: type[Base]) -> int:
    async with database.read() as session:
        return int(await session.scalar(select(func.count()).select_from(model)) or 0)


async def get(database: Database, model: type[Any], id: UUID) -> Any:
    async with database.read() as session:
        return await session.get_one(model, id)


async def everything(database: Database) -> dict[str, int]:
    """Return the number of rows of each of our tables."""
    async with database.read() as session:
        return {
            table.name: int(await session.scalar(select(func.count()).select_from(table)) or 0)
            for table in Base.metadata.sorted_tables
        }


def test_every_old_table_is_in_the_report_once() -> None:
    names = [one.name for one in MOVES]
    assert len(names) == len(set(names))
    assert len({one.source for one in (*MOVES, *NO_HOME)}) == 71
    assert {one.source for one in MOVES}.isdisjoint(one.source for one in NO_HOME)


def test_whatever_our_rows_refer_to_is_looked_for() -> None:
    """A reference that is only copied would make PostgreSQL refuse whole pages, or not be noticed at all."""
    copied = [
        f"{move.name}: {column.name}"
        for move in MOVES
        if move.into is None
        for column in move.target.__table__.c
        if column.foreign_keys
        and column.name not in {*move.refs, *move.columns, *move.later, "tenant_id", "custom_role_id"}
    ]
    assert copied == ["credential: issued_by"]  # which nobody was


async def test_every_old_table_is_filled(old: asyncpg.Connection) -> None:
    assert set(await tables_of(old)) == {one.source for one in (*MOVES, *NO_HOME)}
    assert {count for count, _ in (await fingerprint(old)).values()} == {ROWS}


async def test_everything_comes_and_a_second_run_changes_nothing(
    run: Run, old: asyncpg.Connection, database: Database
) -> None:
    before = await fingerprint(old)
    done = await run("--json")
    assert done.status == 0
    found = tables(done)
    for move in MOVES:
        table = found[move.name]
        assert (table.read, table.brought, table.there, table.left) == (ROWS, ROWS - table.there, table.there, [])
        if move.into is None and not move.part:
            assert table.here == ROWS
    assert {name for name, table in found.items() if table.there} == {"billing_plans"}  # which the migrations bring
    forms = {remark.text for remark in found["model"].remarks}
    assert "without its examples, which has another form than here" in forms
    for one in NO_HOME:
        assert (found[one.source].left_rows, found[one.source].brought, found[one.source].no_home) == (ROWS, 0, True)
    here = await everything(database)
    again = await run("--json")
    assert again.status == 0
    assert {name: table.brought for name, table in tables(again).items() if table.brought} == {}
    assert {name for name, table in tables(again).items() if table.there != ROWS} == {one.source for one in NO_HOME}
    assert await everything(database) == here
    assert await fingerprint(old) == before


async def test_a_check_writes_nothing_and_says_the_same(run: Run, database: Database) -> None:
    here = await everything(database)
    checked = await run("--check", "--json")
    assert await everything(database) == here
    done = await run("--json")
    assert tables(checked) == tables(done)
    lines = list(Report.model_validate_json(checked.stdout).lines())
    assert lines[-1].startswith("Nothing was written")
    assert any(line.startswith(f"  token: {ROWS} x tokens are Keycloak's") for line in lines)


async def test_ids_and_values_are_kept(run: Run, database: Database, settings: Settings) -> None:
    assert (await run()).status == 0
    platform: Tenant = await get(database, Tenant, row_id("tenant", 0))
    assert (platform.realm_name, platform.is_platform) == (REALM, True)
    assert not (await get(database, Tenant, row_id("tenant", 1))).is_platform
    user: User = await get(database, User, row_id("user", 1))
    assert (user.auth_id, user.email, user.tenant_id) == (
        str(row_id("user.auth_id", 1)),
        "person1@example.com",
        row_id("tenant", 1),
    )
    assert (user.role, user.user_type) == ("super_admin", "admin")  # it was a superuser
    project: Project = await get(database, Project, row_id("project", 2))
    assert (project.created_by, project.tenant_id) == (row_id("user", 2), row_id("tenant", 2))
    endpoint: Endpoint = await get(database, Endpoint, row_id("endpoint", 3))
    assert (endpoint.model_id, endpoint.credential_id) == (row_id("model", 3), row_id("proprietary_credential", 3))
    async with database.read() as session:
        member = (await session.scalars(select(ProjectMember).where(ProjectMember.project_id == project.id))).one()
    assert set(member.scopes) == {"endpoint:view", "endpoint:manage"}
    await secrets_are_sealed_with_our_keys(database, settings)


async def secrets_are_sealed_with_our_keys(database: Database, settings: Settings) -> None:
    encryption = database.encryption
    for number in range(2):
        async with database.read() as session:
            client = (
                await session.scalars(select(TenantClient).where(TenantClient.tenant_id == row_id("tenant", number)))
            ).one()
        secret = f"client-secret-{number}" if number % 2 else f"plain-{number}"
        assert unseal(encryption, client, TenantClient.client_secret_encrypted) == secret
        cloud: CloudCredential = await get(database, CloudCredential, row_id("cloud_credentials", number))
        values = unseal(encryption, cloud, CloudCredential.values_encrypted)
        assert json.loads(values) == {"access_key": f"cloud-{number}"}
        assert cloud.summary == {"access_key": "********"}
        provider = await get(database, ProviderCredential, row_id("proprietary_credential", number))
        secrets = unseal(encryption, provider, ProviderCredential.secrets_encrypted)
        assert json.loads(secrets) == {"api_key": f"provider-{number}"}
        key: Credential = await get(database, Credential, row_id("credential", number))
        assert key.hashed_key == old_lookup_hash(old_key(number))
        assert Peppers(settings).matches(old_key(number), key.key_hmac)
        assert key.masked_key.startswith("bud_client_****")
        assert key.model_budgets == {"00000000-0000-4000-8000-000000000000": "12.5"}


async def test_without_the_private_key_keys_work_on_and_other_secrets_stay_behind(
    run: Run, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LEGACY_PRIVATE_KEY_PATH")
    done = await run("--json")
    assert done.status == 1
    found = tables(done)
    assert list(reasons(found["proprietary_credential"])) == ["its secret can be read only with --private-key"]
    assert (found["credential"].brought, found["endpoint"].brought) == (ROWS, ROWS)
    assert [one.text for one in found["endpoint"].remarks] == [
        "without its credential_id: that proprietary_credential has not come"
    ]
    key: Credential = await get(database, Credential, row_id("credential", 0))
    assert (key.hashed_key, key.key_hmac) == (old_lookup_hash(old_key(0)), None)
    monkeypatch.undo()


async def test_wrong_keys_are_named(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEGACY_PRIVATE_KEY_PASSWORD", "wrong")
    done = await run()
    assert done.status == 1
    assert "LEGACY_PRIVATE_KEY_PASSWORD is not its passphrase" in done.stderr
    monkeypatch.setenv("LEGACY_AES_KEY_HEX", "zz")
    monkeypatch.delenv("LEGACY_PRIVATE_KEY_PATH")
    assert "LEGACY_AES_KEY_HEX must be the hex of a Fernet key" in (await run()).stderr


async def test_databases_that_are_not_the_former_services_are_refused(
    run: Run, old: asyncpg.Connection, old_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = await run("--realm", "nowhere")
    assert wrong.status == 1
    assert f"The former service has no tenant with the realm nowhere; it has: {REALM}" in wrong.stderr
    await old.execute("drop table notes cascade")
    assert "the database has no table notes" in (await run()).stderr
    await old.execute("update alembic_version set version_num = 'older'")
    assert "is at revision older" in (await run()).stderr
    await old.execute("drop table alembic_version")
    assert "this is not the former service's database" in (await run()).stderr
    monkeypatch.setenv("LEGACY_DATABASE_URL", old_url + "-gone")
    assert "does not exist" in (await run()).stderr
    monkeypatch.setenv("LEGACY_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none")
    assert "the database can't be reached" in (await run()).stderr
    monkeypatch.setenv("LEGACY_DATABASE_URL", "mysql://nobody@127.0.0.1/none")
    assert "LEGACY_DATABASE_URL must be postgresql://" in (await run()).stderr


async def test_a_database_of_ours_that_is_not_migrated_is_named(run: Run, settings: Settings, filled: str) -> None:
    done = await budapp(settings.model_copy(update={"psql_db_name": filled}), "upgrade-from-legacy", "--realm", REALM)
    assert done.status == 1
    assert 'This service\'s own database: relation "legacy_row" does not exist. Has budapp migrate run?' in done.stderr


async def test_a_second_upgrade_at_the_same_time_is_refused(run: Run, database: Database, settings: Settings) -> None:
    impatient = settings.model_copy(update={"psql_lock_seconds": 0.1})
    async with database.write() as session:
        await crud.lock(session)
        done = await budapp(impatient, "upgrade-from-legacy", "--realm", REALM)
    assert done.status == 1
    assert done.stderr.endswith("Another upgrade-from-legacy is at work; run this again when it has ended")


async def test_the_old_database_is_opened_read_only(old_url: str) -> None:
    async with open_old(old_url, REALM) as database:
        assert await database._connection.fetchval("show default_transaction_read_only") == "on"
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await database._connection.execute("delete from token")


async def test_a_bad_row_is_left_with_its_reason_and_the_rest_comes(
    run: Run, old: asyncpg.Connection, database: Database
) -> None:
    nobody = row_id("user", 99)
    alike = await add(old, "user", 0, auth_id=row_id("new", 1), email="PERSON0@example.com", created_at=LATER)
    await old.execute(
        "insert into tenant_user_mapping select $1, tenant_id, $2, created_at, updated_at, modified_at"
        " from tenant_user_mapping where user_id = $3",
        row_id("new", 2),
        alike,
        row_id("user", 0),
    )
    no_address = await add(old, "user", 0, auth_id=row_id("new", 3), email="not an address")
    dangling = await add(old, "project", 0, name="Dangling", created_by=nobody)
    of_dangling = await add(old, "endpoint", 0, name="in a dangling project", project_id=dangling)
    elsewhere = await add(old, "endpoint", 0, name="elsewhere", project_id=row_id("project", 1))
    same_name = await add(old, "model", 0, name="MODEL NAME 0", uri="another", status="active", created_at=LATER)
    await change(old, "model", 0, status="active")
    await add(old, "chat_settings", 0, name="fine")
    await change(old, "billing_alerts", 0, alert_type="disk_usage")
    await change(old, "credential", 1, max_budget=math.nan)
    await change(old, "credential", 2, project_id=None)
    await change(old, "workflow", 0, workflow_type="custom_probe_creation")
    await change(old, "billing_plans", 2, created_at=datetime.max.replace(tzinfo=UTC))
    await old.execute(
        "update messages set response = $1::text::json where id = $2", '{"text": "a\\u0000b"}', row_id("messages", 0)
    )
    await change(old, "router_endpoint", 0, fallback_endpoint_ids=7)
    await change(old, "gateway_blocking_rule", 0, project_id=row_id("project", 0))
    await change(old, "deployment_pricing", 0, per_tokens=0)
    long_name = await add(old, "router", 0, name=" ".join(str(row_id("noise", n)) for n in range(600)))
    done = await run("--json")
    assert done.status == 1
    found = tables(done)
    assert reasons(found["user"]) == {
        "another user has the same email already": [str(alike)],
        "its email is no e-mail address": [str(no_address)],
    }
    assert reasons(found["project"]) == {"the user that its created_by names has not come": [str(dangling)]}
    assert reasons(found["endpoint"]) == {
        "the project that its project_id names has not come": [str(of_dangling)],
        "its model_id is of another tenant": [str(elsewhere)],
    }
    assert reasons(found["model"]) == {"another model has the same name already": [str(same_name)]}
    assert found["chat_settings"].brought == ROWS + 1
    assert reasons(found["billing_alerts"]) == {
        "there is no alert_type 'disk_usage' here": [str(row_id("billing_alerts", 0))]
    }
    assert reasons(found["credential"]) == {
        "its max_budget is no number, or too large": [str(row_id("credential", 1))],
        "a key in no project opens nothing here": [str(row_id("credential", 2))],
    }
    assert list(reasons(found["router"]).values()) == [[str(long_name)]]
    assert "index row" in next(iter(reasons(found["router"])))
    assert list(reasons(found["router_endpoint"])) == ["its fallback_endpoint_ids is no list of ids"]
    assert list(reasons(found["deployment_pricing"])) == ["here it must be that per_tokens > 0"]
    assert list(reasons(found["gateway_blocking_rule"])) == [
        "blocking rules are for all requests here; this one was for a project, endpoint or model"
    ]
    assert [one.text for one in found["messages"].remarks] == [
        "a character that can't be stored in its response was replaced"
    ]
    message: ChatMessage = await get(database, ChatMessage, row_id("messages", 0))
    assert message.response == {"text": "a\ufffdb"}
    for name, table in found.items():
        assert table.read == table.brought + table.there + table.left_rows, name
    assert sum(table.left_rows for table in found.values() if not table.no_home) < 25


async def test_a_second_run_brings_what_was_mended_and_not_what_was_deleted_here(
    run: Run, old: asyncpg.Connection, database: Database
) -> None:
    await change(old, "user", 3, email="not an address")
    first = tables(await run("--json"))
    assert (first["user"].left_rows, first["project"].left_rows) == (1, 1)
    await change(old, "user", 3, email="mended@example.com")
    async with database.write() as session:
        await session.delete(await session.get_one(Credential, row_id("credential", 0)))
    done = await run("--json")
    assert done.status == 0
    second = tables(done)
    assert (second["user"].brought, second["user"].there) == (1, ROWS - 1)
    assert (second["project"].brought, second["project"].left_rows) == (1, 0)
    keys = second["credential"]
    assert (keys.brought, keys.there, keys.here) == (1, ROWS - 1, ROWS - 1)


async def test_what_was_seeded_before_is_taken_for_the_old_row_and_references_follow(
    run: Run, database: Database
) -> None:
    async with database.write() as session:
        seeded = Tenant(name="Default", realm_name=REALM, tenant_identifier=REALM, is_platform=True)
        session.add(seeded)
        trait = EvalTrait(name="exp_traits name 1", position=1)
        session.add(trait)
    done = await run("--json")
    assert done.status == 0
    assert (tables(done)["tenant"].there, tables(done)["exp_traits"].there) == (1, 1)
    assert (await get(database, User, row_id("user", 0))).tenant_id == seeded.id
    assert (await get(database, Evaluation, row_id("evaluations", 1))).trait_ids == [trait.id]


async def test_messages_and_billing_cycles_follow_each_other(
    run: Run, old: asyncpg.Connection, database: Database
) -> None:
    await change(old, "messages", 1, parent_message_id=row_id("messages", 0))
    await change(old, "messages", 0, parent_message_id=row_id("messages", 99))
    done = await run("--json", "--page", "1")
    assert done.status == 0
    assert (await get(database, ChatMessage, row_id("messages", 1))).parent_message_id == row_id("messages", 0)
    assert (await get(database, Prompt, row_id("prompt", 1))).default_version_id == row_id("prompt_version", 1)
    assert [one.text for one in tables(done)["messages"].remarks] == [
        "without its parent_message_id: that messages has not come"
    ]


async def test_audit_records_are_verified_and_stand_in_our_chain(
    run: Run, old: asyncpg.Connection, database: Database
) -> None:
    record = await old.fetchrow("select * from audit_trail where id = $1", row_id("audit_trail", 0))
    await change(old, "audit_trail", 0, record_hash=old_hash(record))
    done = await run("--json")
    remark = tables(done)["audit_trail"].remarks[0]
    assert (remark.text, remark.count) == ("its hash is not the one of its values", ROWS - 1)
    entry: AuditEntry = await get(database, AuditEntry, row_id("audit_trail", 0))
    assert entry.source == "legacy"
    assert entry.details is not None
    assert entry.details["legacy"]["verified"] is True
    assert not (await get(database, AuditEntry, row_id("audit_trail", 1))).details["legacy"]["verified"]
    verdicts = [await verify_chain(database, chain) for chain in await chains(database)]
    assert [verdict.finding for verdict in verdicts if verdict.finding] == []
    assert sum(verdict.checked for verdict in verdicts) >= ROWS


async def test_what_was_under_way_has_ended_and_what_would_open_too_much_is_shut(
    run: Run, old: asyncpg.Connection, database: Database
) -> None:
    await change(old, "workflow", 0, status="in_progress")
    await change(old, "benchmark", 0, status="processing")
    await change(old, "evaluations", 0, status="running")
    await change(old, "runs", 0, status="pending")
    await change(old, "user", 0, status="invited")
    await change(old, "credential", 0, hashed_key="0" * 64)
    await change(old, "tenant_oauth_configs", 0, provider="microsoft", enabled=True, config_data={})
    done = await run("--json")
    assert done.status == 0
    for model, table in ((Workflow, "workflow"), (Benchmark, "benchmark"), (EvaluationRun, "runs")):
        row = await get(database, model, row_id(table, 0))
        assert (row.status, row.reason) == (
            "cancelled",
            "It was under way when the service was replaced; start it again",
        )
    assert (await get(database, Evaluation, row_id("evaluations", 0))).status == "cancelled"
    provider: TenantOAuthConfig = await get(database, TenantOAuthConfig, row_id("tenant_oauth_configs", 0))
    assert not provider.enabled, "everybody with any account at Microsoft could come in"
    key: Credential = await get(database, Credential, row_id("credential", 0))
    assert (key.hashed_key, key.key_hmac) == ("0" * 64, None)
    said = {remark.text for remark in tables(done)["credential"].remarks}
    assert "its hash is not the one of its secret: what opens the gateway is the hash" in said
    assert "its owner is not active: it opens nothing until they are" in said
    async with database.read() as session:
        kinds = await session.scalars(select(GatewayChange.kind))
        assert EVERYTHING in set(kinds), "the gateway hears of the keys and deployments"
        imported = await session.scalars(select(AuditEntry.resource_name).where(AuditEntry.action == "data_import"))
        assert {"credential", "endpoint", "user"} <= set(imported)


async def test_a_run_that_is_killed_is_gone_on_with(run: Run, database: Database, settings: Settings) -> None:
    environment = {**os.environ, "PSQL_DB_NAME": settings.psql_db_name}
    command = [sys.executable, "-m", "budapp.cli", "upgrade-from-legacy", "--realm", REALM, "--page", "1"]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=subprocess.DEVNULL)
    async with asyncio.timeout(120):
        while await counted(database, LegacyRow) < 10:
            assert process.returncode is None
            await asyncio.sleep(0.05)
    process.kill()
    await process.wait()
    came = await counted(database, LegacyRow)
    assert came < 200
    done = await run("--json")
    assert done.status == 0
    found = tables(done)
    assert sum(table.there for table in found.values()) >= came
    assert {table.brought + table.there for table in found.values() if not table.no_home} == {ROWS}
    assert sum(table.left_rows for table in found.values() if not table.no_home) == 0
