"""Custom roles."""

from budapp.commons.domain import Domain
from budapp.role_ops.routes import router

domain = Domain(routers=(router,))
