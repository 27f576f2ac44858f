"""Several deployments under one name."""

from budapp.commons.domain import Domain
from budapp.router_ops import models
from budapp.router_ops.routes import router

domain = Domain(routers=(router,), tables=(models,))
