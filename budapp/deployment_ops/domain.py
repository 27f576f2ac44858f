"""Deploying models."""

from budapp.commons.domain import Domain
from budapp.deployment_ops import models, workflows
from budapp.deployment_ops.routes import router

domain = Domain(routers=(router,), tables=(models,), workflows=(workflows.DEPLOYMENT,))
