"""Projects and their members."""

from budapp.commons.domain import Domain
from budapp.project_ops import models
from budapp.project_ops.routes import router

domain = Domain(routers=(router,), tables=(models,))
