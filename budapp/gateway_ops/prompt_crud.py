"""The prompts, and drafts of prompts, that the gateway is told of."""

from collections.abc import Collection, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Row, select

from budapp.commons.database import ReadSession, among, now
from budapp.endpoint_ops.models import Endpoint
from budapp.gateway_ops.rows import PromptEntry
from budapp.prompt_ops.models import Prompt, PromptDraft, PromptStatus, PromptVersion


async def live(session: ReadSession, *conditions: ColumnElement[bool]) -> list[PromptEntry]:
    """Return the versions of the prompts that meet the conditions, in a fixed order."""
    statement = (
        select(Prompt, PromptVersion)
        .join(PromptVersion, PromptVersion.prompt_id == Prompt.id)
        .where(Prompt.status == PromptStatus.ACTIVE, PromptVersion.status == PromptStatus.ACTIVE, *conditions)
        .order_by(PromptVersion.prompt_id, PromptVersion.version)
    )
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return [_entry(row) for row in rows]


async def drafts(session: ReadSession, *conditions: ColumnElement[bool]) -> list[PromptEntry]:
    """Return the drafts with a deployment that meet the conditions and are not over, in a fixed order."""
    statement = (
        select(PromptDraft, Endpoint.project_id, Endpoint.model_id)
        .join(Endpoint, Endpoint.id == PromptDraft.endpoint_id)
        .where(PromptDraft.expires_at > now(), *conditions)
        .order_by(PromptDraft.id)
    )
    rows: Sequence[Any] = (await session.execute(statement)).all()
    return [_draft(row) for row in rows]


def in_projects(project_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return the condition for the prompts of the projects."""
    return among(Prompt.project_id, project_ids)


def in_tenants(tenant_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return the condition for the prompts of the tenants."""
    return among(Prompt.tenant_id, tenant_ids)


def with_ids(prompt_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return the condition for these prompts."""
    return among(Prompt.id, prompt_ids)


def drafts_of_users(user_ids: Collection[UUID]) -> ColumnElement[bool]:
    """Return the condition for the drafts of the users."""
    return among(PromptDraft.created_by, user_ids)


def drafts_called(names: Collection[str]) -> ColumnElement[bool]:
    """Return the condition for the drafts of these ids."""
    return among(PromptDraft.bud_prompt_id, names)


def drafts_in_tenant(tenant_id: UUID) -> ColumnElement[bool]:
    """Return the condition for the drafts of a tenant."""
    return PromptDraft.tenant_id == tenant_id


async def projects_of(session: ReadSession, prompt_ids: Collection[UUID]) -> set[UUID]:
    """Return the projects of the prompts, deleted ones too."""
    return set(await session.scalars(select(Prompt.project_id).where(among(Prompt.id, prompt_ids))))


def _entry(row: Row[Any]) -> PromptEntry:
    prompt, version = row.Prompt, row.PromptVersion
    return PromptEntry(
        id=str(prompt.id),
        called=prompt.bud_prompt_id,
        version=version.version,
        is_default=version.id == prompt.default_version_id,
        tenant_id=prompt.tenant_id,
        project_id=prompt.project_id,
        endpoint_id=version.endpoint_id,
        model_id=version.model_id,
        version_id=version.id,
    )


def _draft(row: Row[Any]) -> PromptEntry:
    draft = row.PromptDraft
    return PromptEntry(
        id=draft.bud_prompt_id,
        called=draft.bud_prompt_id,
        version=draft.version,
        is_default=True,
        tenant_id=draft.tenant_id,
        project_id=row.project_id,
        endpoint_id=draft.endpoint_id,
        model_id=row.model_id,
        drafted_by=draft.created_by,
        expires_at=draft.expires_at,
    )
