"""Who may do what."""

from budapp.commons.domain import Domain
from budapp.permission_ops.commands import app as commands
from budapp.permission_ops.routes import router

domain = Domain(routers=(router,), commands={"authz": commands})
