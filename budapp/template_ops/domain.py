"""Templates of deployments."""

from budapp.commons.domain import Domain
from budapp.template_ops import models
from budapp.template_ops.routes import router
from budapp.template_ops.seeds import ensure_templates

domain = Domain(routers=(router,), tables=(models,), seeds=(ensure_templates,))
