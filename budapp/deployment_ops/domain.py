"""Deploying models."""

from budapp.commons.domain import Domain
from budapp.deployment_ops import deletion, endpoint_routes, models, workflows
from budapp.deployment_ops.routes import router

domain = Domain(
    routers=(router, endpoint_routes.router),
    tables=(models,),
    workflows=(workflows.DEPLOYMENT, deletion.DELETION),
)
