from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import select

from budapp.commons.database import ReadSession, WriteSession, not_deleted
from budapp.deployment_setting_ops.models import DeploymentSettingsRevision
from budapp.endpoint_ops.models import Endpoint

KEPT = 50
"""How many changes of an endpoint's settings can be taken back."""


async def fallbacks_in(session: ReadSession, project_id: UUID) -> dict[UUID, list[UUID]]:
    """Return which endpoints of the project fall back to which."""
    targets = Endpoint.deployment_settings["fallback_config"]["fallback_models"]
    here = (Endpoint.project_id == project_id, not_deleted(Endpoint), Endpoint.deployment_settings.is_not(None))
    rows = await session.execute(select(Endpoint.id, targets.label("targets")).where(*here))
    return {row.id: [UUID(target) for target in row.targets or []] for row in rows}


async def revisions(session: WriteSession, endpoint_id: UUID) -> Sequence[DeploymentSettingsRevision]:
    """Return the earlier settings of an endpoint, which is locked, the newest first."""
    mine = select(DeploymentSettingsRevision).where(DeploymentSettingsRevision.endpoint_id == endpoint_id)
    newest = (DeploymentSettingsRevision.created_at.desc(), DeploymentSettingsRevision.id.desc())
    return (await session.scalars(mine.order_by(*newest))).all()


async def keep(session: WriteSession, revision: DeploymentSettingsRevision) -> None:
    """Keep settings that are about to be replaced, in place of the oldest of too many."""
    for old in (await revisions(session, revision.endpoint_id))[KEPT - 1 :]:
        await session.delete(old)
    session.add(revision)
