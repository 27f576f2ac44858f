from typing import Any
from uuid import UUID

from sqlalchemy import Row, and_, literal, select

from budapp.cluster_ops.models import Cluster
from budapp.commons.database import ReadSession, WriteSession, not_deleted
from budapp.deployment_ops.models import DeploymentName
from budapp.endpoint_ops.models import Endpoint
from budapp.project_ops.models import Project
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.template_ops.models import ModelTemplate

Named = Row[Any, Any, Any, Any, Any]


async def named(session: ReadSession, tenant_id: UUID, ids: dict[str, UUID | None]) -> Named:
    """Return project, template, endpoint, credential and cluster of these ids, None each where there is none."""
    nothing = select(literal(1).label("one")).subquery()
    statement = (
        select(Project, ModelTemplate, Endpoint, ProviderCredential, Cluster)
        .select_from(nothing)
        .outerjoin(Project, and_(Project.id == ids["project_id"], Project.tenant_id == tenant_id))
        .outerjoin(ModelTemplate, ModelTemplate.id == ids["template_id"])
        .outerjoin(Endpoint, and_(Endpoint.id == ids["endpoint_id"], Endpoint.tenant_id == tenant_id))
        .outerjoin(
            ProviderCredential,
            and_(ProviderCredential.id == ids["credential_id"], ProviderCredential.tenant_id == tenant_id),
        )
        .outerjoin(
            Cluster,
            and_(Cluster.cluster_id == ids["cluster_id"], Cluster.tenant_id == tenant_id, not_deleted(Cluster)),
        )
    )
    return (await session.execute(statement)).first()  # type: ignore[return-value]  # it has one row at least


async def template_exists(session: ReadSession, template_id: UUID) -> bool:
    """Tell whether there is the template."""
    return await session.scalar(select(ModelTemplate.id).where(ModelTemplate.id == template_id)) is not None


async def lock_project(session: WriteSession, tenant_id: UUID, project_id: UUID) -> Project | None:
    """Return the tenant's project, which is not deleted before the commit; None where it is already."""
    mine = (Project.id == project_id, Project.tenant_id == tenant_id, not_deleted(Project))
    found: Project | None = await session.scalar(select(Project).where(*mine).with_for_update(read=True))
    return found


async def reservation(session: ReadSession, tenant_id: UUID, name: str) -> DeploymentName | None:
    """Return who the name is kept for, or was."""
    mine = (DeploymentName.tenant_id == tenant_id, DeploymentName.name == name)
    found: DeploymentName | None = await session.scalar(select(DeploymentName).where(*mine))
    return found
