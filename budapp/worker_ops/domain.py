"""The workers of deployments."""

from budapp.commons.domain import Domain
from budapp.worker_ops import workflows
from budapp.worker_ops.routes import router

domain = Domain(routers=(router,), workflows=(workflows.ADDITION, workflows.DELETION))
