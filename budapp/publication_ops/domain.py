"""Which deployments the catalog offers."""

from budapp.commons.domain import Domain
from budapp.publication_ops import models
from budapp.publication_ops.routes import router

domain = Domain(routers=(router,), tables=(models,))
