"""What published deployments cost."""

from budapp.commons.domain import Domain
from budapp.endpoint_ops import hooks as endpoint_hooks
from budapp.pricing_ops import models, services
from budapp.pricing_ops.routes import router

domain = Domain(routers=(router,), tables=(models,), hooks=(endpoint_hooks.price.register(services.price_of),))
