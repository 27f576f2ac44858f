"""How the gateway treats requests to endpoints: rate limits, retries, fallbacks, and the way back to earlier ones.

Who changes fallbacks locks the project first, then the endpoint: two changes that make a circle only together come one
after the other, and the second is refused.
"""

from uuid import UUID

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.errors import BadRequest, Conflict, NotFound
from budapp.deployment_setting_ops import crud
from budapp.deployment_setting_ops.fallbacks import circle_through
from budapp.deployment_setting_ops.models import DeploymentSettingsRevision
from budapp.deployment_setting_ops.schemas import DeploymentSettings
from budapp.endpoint_ops.access import MANAGING, changeable_endpoint, reach_endpoint
from budapp.endpoint_ops.models import Endpoint, EndpointStatus
from budapp.endpoint_ops.services import endpoints_of_ids
from budapp.events.notify import notify_users

_PARAM = "fallback_config.fallback_models"


async def get_settings(session: ReadSession, caller: Caller, endpoint_id: UUID) -> Endpoint:
    """Return the endpoint with its settings.

    Raises:
        NotFound: no such endpoint, or out of reach.
    """
    return await reach_endpoint(session, caller, endpoint_id)


async def update_settings(
    session: WriteSession, caller: Caller, endpoint_id: UUID, update: DeploymentSettings
) -> Endpoint:
    """Change what the update says, and return the endpoint.

    Raises:
        NotFound: no such endpoint, or out of reach; or a fallback is.
        Forbidden: the caller may not change it.
        BadRequest: it is being deleted, or a fallback does not run, is of another project, or leads back to it.
    """
    endpoint = await _lock(session, caller, endpoint_id, fallbacks=update.fallback_config is not None)
    before = DeploymentSettings.of(endpoint)
    after = before.merged_with(update)
    if after == before:
        return endpoint
    if after.fallbacks != before.fallbacks:
        await _check_fallbacks(session, caller, endpoint, after.fallbacks)
    replaced = {"settings": endpoint.deployment_settings, "replaced_by": caller.user_id}
    revision = DeploymentSettingsRevision(tenant_id=endpoint.tenant_id, endpoint_id=endpoint.id, **replaced)
    await crud.keep(session, revision)
    await _set(session, caller, endpoint, after)
    return endpoint


async def roll_back(session: WriteSession, caller: Caller, endpoint_id: UUID) -> Endpoint:
    """Give the endpoint the settings from before the last change that was not taken back, and return it.

    Raises:
        NotFound, Forbidden, BadRequest: see `update_settings`; those settings may not be possible any more.
        Conflict: there are no earlier settings.
    """
    endpoint = await _lock(session, caller, endpoint_id, fallbacks=True)
    earlier = await crud.revisions(session, endpoint_id)
    if not earlier:
        raise Conflict("The settings were never changed, or every change was taken back")
    settings = DeploymentSettings.model_validate(earlier[0].settings or {})
    if settings.fallbacks != DeploymentSettings.of(endpoint).fallbacks:
        await _check_fallbacks(session, caller, endpoint, settings.fallbacks)
    await session.delete(earlier[0])
    await _set(session, caller, endpoint, settings)
    return endpoint


async def _lock(session: WriteSession, caller: Caller, endpoint_id: UUID, *, fallbacks: bool) -> Endpoint:
    """Return the endpoint, locked; for a change of fallbacks, its project is locked before."""
    if fallbacks:
        project_id = (await reach_endpoint(session, caller, endpoint_id)).project_id
        await MANAGING.check(session, caller, project_id, lock="update")
    endpoint = await changeable_endpoint(session, caller, endpoint_id, for_update=True)
    if endpoint.status == EndpointStatus.DELETING:
        raise BadRequest("The endpoint is being deleted")
    return endpoint


async def _check_fallbacks(session: WriteSession, caller: Caller, endpoint: Endpoint, targets: list[UUID]) -> None:
    if endpoint.id in targets:
        raise BadRequest("An endpoint can't fall back to itself", param=_PARAM)
    found = {target.id: target for target in await endpoints_of_ids(session, caller, targets)}
    for target_id in targets:
        target = found.get(target_id)
        if target is None:
            raise NotFound("Endpoint not found", param=_PARAM)
        if target.project_id != endpoint.project_id:
            raise BadRequest(f"{target.name} belongs to another project; choose one of this project", param=_PARAM)
        if target.status != EndpointStatus.RUNNING:
            raise BadRequest(f"{target.name} is {target.status}; choose an endpoint that is running", param=_PARAM)
    circle = circle_through(endpoint.id, targets, await crud.fallbacks_in(session, endpoint.project_id))
    if circle is not None:
        name = found[circle[1]].name
        raise BadRequest(f"{name} leads back to this endpoint; fallbacks must not make a circle", param=_PARAM)


async def _set(session: WriteSession, caller: Caller, endpoint: Endpoint, settings: DeploymentSettings) -> None:
    endpoint.deployment_settings = settings.model_dump(mode="json", exclude_none=True)
    await session.flush()
    await notify_users(
        session,
        aggregate=f"endpoint:{endpoint.id}",
        subscriber_ids={endpoint.created_by, caller.user_id},
        type="deployment_success",
        title="Deployment Settings Updated",
        message=f"The settings of {endpoint.name} have changed",
        target=("endpoint", endpoint.id),
        project_id=endpoint.project_id,
    )
