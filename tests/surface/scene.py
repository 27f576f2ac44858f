"""The rows that the requests of the surface tests are about: the same kinds in both tenants, under the same names.

A new table adds its row to `furnish`, and the row's id to the things, under the name of the path parameter that takes
it. That is all it takes for every route with that parameter to be asked with an id of one's own, and with foreign ones.
"""

import asyncio
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from fastapi import FastAPI
from sqlalchemy import select, text
from uuid_utils.compat import uuid7

from budapp.api_key_ops.models import Credential, CredentialType
from budapp.audit.models import AuditEntry
from budapp.audit_ops.models import AuditDelivery, DeliveryKind
from budapp.auth.models import PasswordReset
from budapp.billing_ops.models import FREE_PLAN_ID, UserBilling
from budapp.cluster_ops.models import Cluster, ClusterStatus
from budapp.commons.config import Settings
from budapp.commons.database import Base, Database, WriteSession, now
from budapp.commons.domain import components_of
from budapp.commons.scopes import UserRole, UserType
from budapp.dataset_ops.models import Dataset, DatasetFile, DatasetVersion, FileStatus
from budapp.domains import TABLES
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.integrations.keycloak import Keycloak, NewUser, RealmClient
from budapp.model_ops.models import Model
from budapp.oauth_ops.models import TenantOAuthConfig
from budapp.project_ops.models import Project, ProjectMember, ProjectType
from budapp.project_ops.schemas import MEMBER_SCOPES
from budapp.provider_ops.models import Provider
from budapp.user_ops.models import CustomRole, UserStatus
from budapp.workflow_ops.models import Workflow, WorkflowAttempt, WorkflowStep
from tests.cast import PASSWORD, Account, Cast, Person, Realms, Role, tenant_row, user_row
from tests.datasets.data import CSV
from tests.emptying import empty

assert TABLES

Members = Sequence[tuple[UUID, Sequence[str]]]
Things = dict[str, str]
"""Path parameter, or another name that `tests/surface/requests.py` uses → id (or secret text)."""

GROWS_BY_REFUSALS = {"audit_trail", "audit_unsealed"}
"""Tables that even a request which is refused adds to."""

READER = Role(0, UserRole.TESTER, UserType.ADMIN)
THROW_AWAY = Role(0, UserRole.DEVELOPER, UserType.ADMIN)
GUEST = Role(0, UserRole.DEVELOPER, UserType.ADMIN, UserStatus.INVITED)
DELETED = Role(0, UserRole.DEVELOPER, UserType.ADMIN, UserStatus.DELETED)


@dataclass(frozen=True)
class Extras:
    """Accounts beside the cast's: someone who may only read, and in each realm three for requests to act on.

    `throw_away` and `deleted` get disabled, enabled and renamed; `visitor` only ever signs in. `idle_realm` is of a
    tenant that nobody is in; what requests make has a name that begins with it.
    """

    reader: Account
    throw_away: list[Account]
    deleted: list[Account]
    visitor: list[Account]
    idle_realm: str


async def make_extras(app: FastAPI, realms: Realms) -> Extras:
    """Make the accounts, once for all tests of a worker."""
    keycloak = components_of(app)[Keycloak]

    async def enrol(realm: int, name: str, *, signed_in: bool = False) -> Account:
        client, email = realms.clients[realm], f"{name}@example.com"
        auth_id = await keycloak.create_user(client.realm, NewUser(email, name, PASSWORD, [UserRole.DEVELOPER]))
        tokens = await keycloak.sign_in(client, email, PASSWORD, remember=False) if signed_in else {}
        return Account(auth_id, email, tokens)

    reader = await enrol(0, "reader", signed_in=True)
    throw_away = await asyncio.gather(*(enrol(realm, "throw-away") for realm in (0, 1)))
    deleted = await asyncio.gather(*(enrol(realm, "deleted") for realm in (0, 1)))
    visitor = await asyncio.gather(*(enrol(realm, "visitor") for realm in (0, 1)))
    idle_realm = f"{realms.clients[0].realm}-idle"
    await keycloak.create_realm(idle_realm, list(UserRole))
    return Extras(reader, throw_away, deleted, visitor, idle_realm)


async def remove_idle_realms(app: FastAPI, extras: Extras) -> None:
    """Remove the realm of the idle tenant, and those of tenants that requests have made."""
    keycloak = components_of(app)[Keycloak]
    for realm in await keycloak.admin(components_of(app)[Settings].keycloak_realm_name).a_get_realms():
        if realm["realm"].startswith(extras.idle_realm):
            await keycloak.delete_realm(realm["realm"])


@dataclass(frozen=True)
class Scene:
    """`here` are the things of the tenant whose people call, `there` those of the other one.

    `hidden` are things of the first tenant that only its client reaches.
    """

    cast: Cast
    reader: Person
    here: Things
    there: Things
    hidden: Things


async def enter_scene(database: Database, realms: Realms, extras: Extras) -> Scene:
    """Empty the database and put the cast and the things in."""
    await empty(database)
    cast = await Cast.enter(database, realms)
    async with database.write() as session:
        row = user_row(cast.tenant_id, "reader", extras.reader, READER)
        session.add(row)
        await session.flush()
        reader = Person(row.id, cast.tenant_id, row.email, extras.reader.tokens)
        full = [(person.id, MEMBER_SCOPES) for person in (cast.manager, cast.developer)]
        here = await furnish(session, 0, cast.manager, [*full, (reader.id, MEMBER_SCOPES[::2])], extras)
        others = [(person.id, MEMBER_SCOPES) for person in (cast.other_admin, cast.other_developer)]
        there = await furnish(session, 1, cast.other_admin, others, extras)
        idle = tenant_row(uuid7(), RealmClient(extras.idle_realm, "bud", ""))
        session.add(idle)
        new = uuid7().hex
        fresh = {"fresh": new, "new_realm": f"{extras.idle_realm}-{new[-8:]}", "idle_tenant_id": str(idle.id)}
        hidden = await _furnish_project(session, cast.client, [(cast.client.id, MEMBER_SCOPES)], ProjectType.CLIENT_APP)
    here |= await _entry_of(database, cast.manager)
    there |= await _entry_of(database, cast.other_admin)
    return Scene(cast, reader, here | fresh, there | fresh, hidden)


async def _entry_of(database: Database, person: Person) -> Things:
    """Return the id of an entry that the making of the person has left in the audit trail."""
    statement = select(AuditEntry.id).where(AuditEntry.user_id == person.id, AuditEntry.resource_id == person.id)
    async with database.read() as session:
        return {"audit_id": str(await session.scalar(statement))}


async def furnish(session: WriteSession, realm: int, owner: Person, members: Members, extras: Extras) -> Things:
    """Put one tenant's things in, and return how requests may name them."""
    session.add(AuditDelivery(tenant_id=owner.tenant_id, kind=DeliveryKind.WEBHOOK, url="https://1.1.1.1/"))
    things = {"tenant_id": str(owner.tenant_id)} | await _furnish_people(session, realm, owner, extras)
    members = [*members, (UUID(things["user_id"]), MEMBER_SCOPES[:1])]
    things |= await _furnish_project(session, owner, members, ProjectType.ADMIN_APP)
    things |= await _furnish_deployment(session, owner, members)
    things |= await furnish_models(session, realm, owner)
    return things | {"session_id": str(uuid7()), "refresh_token": "none"}


async def _furnish_people(session: WriteSession, realm: int, owner: Person, extras: Extras) -> Things:
    """Put in somebody whom requests may change (`user_id`), somebody deleted, and somebody who is in no project."""
    user = user_row(owner.tenant_id, "throw-away", extras.throw_away[realm], THROW_AWAY)
    deleted = user_row(owner.tenant_id, "deleted", extras.deleted[realm], DELETED)
    newcomer = user_row(owner.tenant_id, "newcomer", Account(str(uuid7()), "newcomer@example.com", {}), THROW_AWAY)
    visitor = user_row(owner.tenant_id, "visitor", extras.visitor[realm], THROW_AWAY)
    guest = user_row(owner.tenant_id, "guest", Account(str(uuid7()), "guest@example.com", {}), GUEST)
    session.add_all([user, deleted, newcomer, visitor, guest])
    await session.flush()
    token = f"reset-{realm}"
    digest = hashlib.sha256(token.encode()).hexdigest()
    expires_at = now() + timedelta(hours=1)
    session.add(PasswordReset(tenant_id=user.tenant_id, user_id=user.id, token_hash=digest, expires_at=expires_at))
    start = now().replace(microsecond=0)
    end = start + timedelta(days=30)
    period = {"billing_period_start": start, "billing_period_end": end}
    session.add(UserBilling(tenant_id=user.tenant_id, user_id=user.id, billing_plan_id=FREE_PLAN_ID, **period))
    role = CustomRole(id=uuid7(), tenant_id=user.tenant_id, name="Readers", scopes=["model:view"])
    session.add(role)
    config = TenantOAuthConfig(tenant_id=user.tenant_id, provider="oidc", client_id="bud", config_data={})
    config.client_secret_encrypted = "sealed"
    session.add(config)
    ids = {
        "user_id": user.id,
        "deleted_user_id": deleted.id,
        "newcomer_id": newcomer.id,
        "visitor_id": visitor.id,
        "guest_id": guest.id,
        "role_id": role.id,
    }
    return {name: str(value) for name, value in ids.items()} | {"reset_token": token, "provider": "oidc"}


def _project(owner: Person, name: str, project_type: ProjectType) -> Project:
    return Project(
        id=uuid7(),
        tenant_id=owner.tenant_id,
        name=name,
        created_by=owner.id,
        project_type=project_type,
        tags=[{"name": "Demo", "color": "#E57333"}],
    )


def _members(project: Project, members: Members) -> list[ProjectMember]:
    return [
        ProjectMember(tenant_id=project.tenant_id, project_id=project.id, user_id=user_id, scopes=list(scopes))
        for user_id, scopes in members
    ]


async def _furnish_project(session: WriteSession, owner: Person, members: Members, project_type: ProjectType) -> Things:
    """Put in a project (`project_id`) with a key in it."""
    project = _project(owner, "Atlas", project_type)
    session.add(project)
    await session.flush()
    key = Credential(
        id=uuid7(),
        tenant_id=owner.tenant_id,
        name="Key",
        project_id=project.id,
        user_id=owner.id,
        credential_type=CredentialType(project_type.value),
        hashed_key=str(uuid7()),
        encrypted_key="sealed",
    )
    session.add_all([key, *_members(project, members)])
    await session.flush()
    ids = {"project_id": str(project.id), "credential_id": str(key.id)}
    return ids | await _furnish_dataset(session, project)


async def _furnish_dataset(session: WriteSession, project: Project) -> Things:
    """Put in a dataset whose first version has a file that is ready (`split`), and one on its way (`file_id`)."""
    mine = {"tenant_id": project.tenant_id, "created_by": project.created_by}
    dataset = Dataset(id=uuid7(), project_id=project.id, name="Prompts", **mine)
    version = DatasetVersion(id=uuid7(), dataset_id=dataset.id, number=1, **mine)
    about = {"version_id": version.id, "file_name": "data.csv", "format": "csv", "size": len(CSV), **mine}
    ready = DatasetFile(id=uuid7(), split="train", status=FileStatus.READY, object_name=str(uuid7()), **about)
    coming = DatasetFile(id=uuid7(), split="test", status=FileStatus.UPLOADING, object_name=str(uuid7()), **about)
    ready.row_count = 3
    ready.columns = [
        {"name": "id", "type": "int64"},
        {"name": "text", "type": "string"},
        {"name": "score", "type": "double"},
    ]
    coming.upload_id, coming.upload_expires_at = "none", now() + timedelta(hours=1)
    for row in (dataset, version, ready, coming):
        session.add(row)
        await session.flush()
    ids = {"dataset_id": str(dataset.id), "file_id": str(coming.id), "ready_file_id": str(ready.id)}
    return ids | {
        "number": "1",
        "split": "train",
        "free_split": "validation",
        "etag": "none",
        "path": "icons/general/model.svg",
        "token": "none",
        "file_name": "MIT.txt",
    }


async def _furnish_deployment(session: WriteSession, owner: Person, members: Members) -> Things:
    """Put in a project that can't be deleted (`busy_project_id`), with a deployment on a cluster."""
    project = _project(owner, "Busy", ProjectType.ADMIN_APP)
    mine = {"tenant_id": owner.tenant_id, "created_by": owner.id}
    cluster = Cluster(id=uuid7(), name="Cluster", icon="c", status=ClusterStatus.AVAILABLE, **mine)
    session.add_all([project, cluster])
    await session.flush()
    endpoint = Endpoint(
        id=uuid7(),
        name="Endpoint",
        project_id=project.id,
        model_id=uuid7(),
        cluster_id=cluster.id,
        url="https://example.com",
        namespace="n",
        status=EndpointStatus.RUNNING,
        **mine,
    )
    session.add_all([endpoint, *_members(project, members)])
    await session.flush()
    return {"busy_project_id": str(project.id), "cluster_id": str(cluster.id), "endpoint_id": str(endpoint.id)}


async def furnish_models(session: WriteSession, realm: int, owner: Person) -> Things:
    """Put in a model with files, a draft of each type of workflow, and one that failed (`failed_workflow_id`)."""
    mine = {"tenant_id": owner.tenant_id, "created_by": owner.id}
    provider = Provider(id=uuid7(), name="Cloud", type=f"cloud-{realm}", icon="c", capabilities=["model"])
    about = {"modality": ["text_input", "text_output"], "supported_endpoints": ["/v1/chat/completions"]}
    model = Model(
        id=uuid7(), name="Model", uri="acme/m", source="local", provider_type="disk", local_path="m", **about, **mine
    )
    session.add_all([provider, model])
    ids = {"model_id": str(model.id)}
    said = {"provider_type": "cloud_model", "provider_id": str(provider.id), "source": provider.type, "tags": []}
    drafts: dict[str, tuple[str, dict[str, object]]] = {
        "workflow_id": ("local_model_onboarding", {}),
        "cloud_workflow_id": ("cloud_model_onboarding", {}),
        "scan_workflow_id": ("model_security_scan", {"model_id": str(model.id)}),
        "quantization_workflow_id": ("local_model_quantization", {"model_id": str(model.id)}),
        "failed_workflow_id": ("cloud_model_onboarding", {**said, "name": "Again", "uri": "acme/again"}),
    }
    for name, (workflow_type, data) in drafts.items():
        workflow = Workflow(id=uuid7(), workflow_type=workflow_type, title="Draft", total_steps=5, **mine)
        session.add(workflow)
        await session.flush()
        step = WorkflowStep(tenant_id=owner.tenant_id, workflow_id=workflow.id, step_number=1, data=data)
        session.add(step)
        ids[name] = str(workflow.id)
    failed = UUID(ids["failed_workflow_id"])
    attempt = {"workflow_id": failed, "correlation_id": failed, "number": 1, "step_number": 1, "state": "failed"}
    session.add(WorkflowAttempt(tenant_id=owner.tenant_id, lock_expires_at=now(), **attempt))
    await session.flush()
    return ids


def ids_of(*things: Things) -> Iterator[str]:
    """Yield those of the things that are ids."""
    for value in {value for some in things for value in some.values()}:
        try:
            yield str(UUID(value))
        except ValueError:
            continue


async def fingerprints(database: Database, tenant_id: UUID | None = None) -> dict[str, str]:
    """Return a digest of each table's rows: all of them, or those of one tenant."""
    found = {}
    async with database.read() as session:
        for table in Base.metadata.sorted_tables:
            if table.name in GROWS_BY_REFUSALS or (tenant_id is not None and "tenant_id" not in table.columns):
                continue
            where = f" where tenant_id = '{tenant_id}'" if tenant_id is not None else ""
            rows = f"select md5(coalesce(string_agg(t::text, '|' order by t::text), '')) from \"{table.name}\" t{where}"
            found[table.name] = await session.scalar(text(rows))
    return found
