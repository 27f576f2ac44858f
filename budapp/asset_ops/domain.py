"""Icons and other static files."""

from budapp.asset_ops import models
from budapp.asset_ops.routes import router
from budapp.asset_ops.seeds import ensure_icons
from budapp.commons.domain import Domain

domain = Domain(routers=(router,), tables=(models,), seeds=(ensure_icons,))
