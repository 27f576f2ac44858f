"""What is deployed on clusters, as their pages show it."""

from budapp.cluster_endpoint_ops.routes import router
from budapp.commons.domain import Domain

domain = Domain(routers=(router,))
