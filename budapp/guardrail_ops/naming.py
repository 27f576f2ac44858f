"""The objects that the steps of guardrails name."""

from typing import Any
from uuid import UUID

from budapp.cluster_ops import services as clusters
from budapp.commons.database import ReadSession
from budapp.guardrail_ops import profile_crud
from budapp.model_ops import services as models
from budapp.workflow_ops.step_views import Named, StepObjects


async def name_objects(session: ReadSession, tenant_id: UUID, data: dict[str, Any]) -> StepObjects:
    """Return provider, project, cluster, endpoints and profile."""
    found: dict[str, Any] = {**await models.name_objects(session, tenant_id, data)}
    found |= await clusters.name_objects(session, tenant_id, data)
    endpoints = await profile_crud.named_endpoints(
        session, tenant_id, [UUID(one) for one in data.get("endpoint_ids") or ()]
    )
    if endpoints:
        found["endpoints"] = [Named.model_validate(row) for row in endpoints]
    if data.get("guardrail_profile_id"):
        profile = await profile_crud.find_profile(session, tenant_id, UUID(data["guardrail_profile_id"]))
        found["guardrail_profile"] = Named(id=profile.id, name=profile.name) if profile is not None else None
    return found
