"""The clouds in which clusters can be made."""

from budapp.cloud_provider_ops import models
from budapp.cloud_provider_ops.routes import router
from budapp.cloud_provider_ops.seeds import ensure_cloud_providers
from budapp.commons.domain import Domain

domain = Domain(routers=(router,), tables=(models,), seeds=(ensure_cloud_providers,))
