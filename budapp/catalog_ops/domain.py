"""The models that customers choose from: deployed, published, with prices."""

from budapp.catalog_ops.routes import router
from budapp.commons.domain import Domain

domain = Domain(routers=(router,))
