"""How the gateway treats requests to deployments."""

from budapp.commons.domain import Domain
from budapp.deployment_setting_ops import models
from budapp.deployment_setting_ops.routes import router

domain = Domain(routers=(router,), tables=(models,))
