from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, DateTime, Row, Uuid, case, func, literal, null, or_, select, update
from sqlalchemy.dialects.postgresql import ARRAY

from budapp.api_key_ops.models import ApiKeyPolicy, Credential
from budapp.api_key_ops.schemas import KeyQuery, Policy
from budapp.commons.crud import Crud, Page
from budapp.commons.database import ReadSession, WriteSession, among
from budapp.commons.paging import equal, matching
from budapp.commons.scopes import Scope
from budapp.project_ops.models import Project
from budapp.user_ops.columns import ADMITTED, PERSON, people
from budapp.user_ops.models import User

_SHOWN = (
    *("id", "name", "project_id", "user_id", "credential_type", "expiry", "previous_expires_at", "max_budget"),
    *(
        "model_budgets",
        "spent",
        "ip_whitelist",
        "endpoint_ids",
        "model_ids",
        "created_at",
        "last_used_at",
        "masked_key",
    ),
)
SORTABLE = {
    name: getattr(Credential, name) for name in ("id", "name", "expiry", "created_at", "modified_at", "last_used_at")
}


class ApiKeyCrud(Crud[Credential]):
    """The caller's own keys, and for administrators all of the tenant."""

    model = Credential
    soft_deleted = False

    def reach(self) -> list[Any]:
        """Return the conditions for the keys in reach."""
        conditions = super().reach()
        if not self.caller.may(Scope.USER_MANAGE):
            conditions.append(Credential.user_id == self.caller.user_id)
        return conditions

    async def page_of_keys(self, query: KeyQuery, credential_type: str) -> Page:
        """Return a page of the keys of the type; `encrypted_key` is there for the caller's own."""
        own = case((Credential.user_id == self.caller.user_id, Credential.encrypted_key), else_=null())
        statement = self.visible(
            *(getattr(Credential, name) for name in _SHOWN),
            Credential.modified_at,
            own.label("encrypted_key"),
            (Credential.expiry <= func.now()).label("is_expired"),
            Project.name.label("project_name"),
            User.name.label("owner_name"),
        )
        statement = statement.join(Project, Project.id == Credential.project_id)
        statement = statement.join(User, User.id == Credential.user_id)
        statement = statement.where(Credential.credential_type == credential_type, ~Project.benchmark)
        filters = equal(query, project_id=Credential.project_id)
        statement = statement.where(*filters, *matching(query, name=Credential.name))
        return await self.page(query, statement, SORTABLE, "-last_used_at,-created_at")

    async def with_hash(self, hashed_key: str) -> Credential | None:
        """Return the key in reach that has the secret with this hash, the present one or the one before."""
        found = or_(Credential.hashed_key == hashed_key, Credential.previous_hashed_key == hashed_key)
        key: Credential | None = await self.session.scalar(self.visible().where(found))
        return key

    async def all_of(self, *conditions: ColumnElement[bool]) -> Sequence[Credential]:
        """Return the keys of the tenant that meet the conditions, locked, whoever owns them."""
        mine = (Credential.tenant_id == self.caller.tenant_id, *conditions)
        return list(await self.session.scalars(select(Credential).where(*mine).with_for_update()))


def of_user(user_id: UUID) -> ColumnElement[bool]:
    """Return the condition for the keys of the person."""
    return Credential.user_id == user_id


def of_project(project_id: UUID) -> ColumnElement[bool]:
    """Return the condition for the keys in the project."""
    return Credential.project_id == project_id


def of_users(user_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return the condition for the keys of the people."""
    return among(Credential.user_id, user_ids)


async def policy(session: ReadSession, tenant_id: UUID, *, for_update: bool = False) -> ApiKeyPolicy | None:
    """Return what the tenant has set; None where it has set nothing."""
    statement = select(ApiKeyPolicy).where(ApiKeyPolicy.tenant_id == tenant_id)
    if for_update:
        statement = statement.with_for_update()
    found: ApiKeyPolicy | None = await session.scalar(statement)
    return found


async def expiring(session: WriteSession, limit: int) -> Sequence[Row[Any]]:
    """Return each `Credential` that expires soon and whose owner does not know, with its `project_name` if any."""
    days = func.coalesce(ApiKeyPolicy.notify_days, literal(Policy().notify_days))
    soon = func.now() + days * literal(timedelta(days=1))
    statement = (
        select(Credential, Project.name.label("project_name"))
        .outerjoin(Project, Project.id == Credential.project_id)
        .outerjoin(ApiKeyPolicy, ApiKeyPolicy.tenant_id == Credential.tenant_id)
        .where(Credential.expiry_notified_at.is_(None), Credential.expiry > func.now(), Credential.expiry <= soon)
        .order_by(Credential.expiry)
        .limit(limit)
        .with_for_update(of=Credential, skip_locked=True)
    )
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return rows


async def last_use(session: ReadSession) -> tuple[bool, datetime | None]:
    """Tell whether there are keys, and when any of them was used last."""
    found = (await session.execute(select(func.count(), func.max(Credential.last_used_at)))).one()
    return found[0] > 0, found[1]


async def note_uses(session: WriteSession, uses: Mapping[UUID, datetime]) -> None:
    """Write down when keys were used, in one statement; a use that is known already is not set back.

    The table itself is changed, past the ORM: neither the audit trail nor the gateway has to know.
    """
    table = Credential.__table__
    used = func.unnest(literal(list(uses), ARRAY(Uuid)), literal(list(uses.values()), ARRAY(DateTime(timezone=True))))
    found = used.table_valued("id", "at", name="used").render_derived()
    later = func.greatest(table.c.last_used_at, found.c.at)
    await session.execute(update(table).where(table.c.id == found.c.id).values(last_used_at=later))  # type: ignore[arg-type]


def count_in_project(project_id: Any) -> ColumnElement[int]:
    """Return the expression that counts a project's keys."""
    return select(func.count()).select_from(Credential).where(Credential.project_id == project_id).scalar_subquery()


async def exist(session: ReadSession, *conditions: ColumnElement[bool]) -> bool:
    """Tell whether a key meets the conditions."""
    return await session.scalar(select(Credential.id).where(*conditions).limit(1)) is not None


async def remove(session: WriteSession, *conditions: ColumnElement[bool]) -> None:
    """Delete the keys that meet the conditions."""
    for credential in await session.scalars(select(Credential).where(*conditions)):
        await session.delete(credential)


async def lock_project(session: WriteSession, project_id: UUID) -> Project:
    """Return the project, which the caller reaches, and keep it from being deleted until the commit."""
    statement = select(Project).where(Project.id == project_id).with_for_update(read=True)
    return (await session.scalars(statement)).one()


async def project_of(session: ReadSession, key: Credential) -> Project | None:
    """Return the project that the key is of, if it is of one."""
    return (await session.scalars(select(Project).where(Project.id == key.project_id))).one_or_none()


async def keys_of(session: ReadSession, owner_id: UUID) -> Sequence[Credential]:
    """Return all keys of somebody, the newest first."""
    mine = select(Credential).where(Credential.user_id == owner_id)
    return (await session.scalars(mine.order_by(Credential.created_at.desc(), Credential.id.desc()))).all()


async def admitted(session: ReadSession, hashed_key: str) -> Row[Any] | None:
    """Return the columns of `people` and the `Credential` of the secret with this hash, if a service account's.

    None where the account is disabled, or its tenant is out.
    """
    found = or_(Credential.hashed_key == hashed_key, Credential.previous_hashed_key == hashed_key)
    statement = people().add_columns(Credential).join(Credential, Credential.user_id == User.id)
    statement = statement.where(found, Credential.tenant_id == User.tenant_id, ADMITTED, ~PERSON)
    row: Row[Any] | None = (await session.execute(statement)).one_or_none()
    return row


async def key_with(session: ReadSession, hashed_key: str) -> Credential | None:
    """Return the key whose secret, now or before its rotation, has the hash."""
    matches = or_(Credential.hashed_key == hashed_key, Credential.previous_hashed_key == hashed_key)
    found: Credential | None = await session.scalar(select(Credential).where(matches))
    return found
