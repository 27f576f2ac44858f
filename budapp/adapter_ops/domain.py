"""The adapters of deployments."""

from budapp.adapter_ops import models, services, workflows
from budapp.adapter_ops.routes import router
from budapp.commons.domain import Domain
from budapp.deployment_ops import hooks as deployment_hooks

domain = Domain(
    routers=(router,),
    tables=(models,),
    workflows=(workflows.ADDITION, workflows.DELETION),
    hooks=(deployment_hooks.after_deletion.register(services.after_endpoint_deletion),),
)
