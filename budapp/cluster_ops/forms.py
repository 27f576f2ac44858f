"""The form that clusters are onboarded with."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import File, Form, UploadFile
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from budapp.cluster_ops.kubeconfig import FIELD, MAX_BYTES, read_kubeconfig
from budapp.cluster_ops.schemas import ClusterPost
from budapp.commons.errors import BadRequest

Text = Annotated[str | None, Form()]
Id = Annotated[UUID | None, Form()]
_EXTENSIONS = (".yaml", ".yml")


async def onboarding_form(
    step_number: Annotated[int, Form()],
    name: Text = None,
    icon: Text = None,
    ingress_url: Text = None,
    configuration_file: Annotated[UploadFile | None, File(description="A kubeconfig: .yaml or .yml")] = None,
    workflow_id: Id = None,
    workflow_total_steps: Annotated[int | None, Form()] = None,
    trigger_workflow: Annotated[bool, Form()] = False,
    cluster_type: Annotated[str | None, Form(description="`ON_PREM` (as without it) or `CLOUD`")] = None,
    credential_id: Id = None,
    provider_id: Id = None,
    region: Annotated[str | None, Form(description="The cloud's name of the region; for `CLOUD` only")] = None,
    callback_topic: Text = None,
) -> ClusterPost:
    """Read the form, and the kubeconfig in it.

    Raises:
        RequestValidationError: a field that can't be.
        BadRequest: the file is not named as YAML.
        UnprocessableContent: the kubeconfig can't be used; see `read_kubeconfig`.
    """
    fields: dict[str, Any] = {
        **{"step_number": step_number, "name": name, "icon": icon, "ingress_url": ingress_url, "region": region},
        **{"workflow_id": workflow_id, "workflow_total_steps": workflow_total_steps, "cluster_type": cluster_type},
        **{"credential_id": credential_id, "provider_id": provider_id, "trigger_workflow": trigger_workflow},
        **{"callback_topic": callback_topic},
    }
    try:
        post = ClusterPost.model_validate({name: value for name, value in fields.items() if value is not None})
    except ValidationError as error:
        found = [{**problem, "loc": ("body", *problem["loc"])} for problem in error.errors()]
        raise RequestValidationError(found) from error
    if configuration_file is None:
        return post
    if not (configuration_file.filename or "").lower().endswith(_EXTENSIONS):
        raise BadRequest("Invalid file extension for configuration file: use .yaml or .yml", param=FIELD)
    kubeconfig = await read_kubeconfig(await configuration_file.read(MAX_BYTES + 1))
    return ClusterPost.model_validate(
        {**post.model_dump(exclude_unset=True), "configuration_yaml": kubeconfig.text, "server": kubeconfig.server}
    )
