"""The settings of clusters."""

from budapp.cluster_setting_ops import models
from budapp.cluster_setting_ops.routes import router
from budapp.commons.domain import Domain

domain = Domain(routers=(router,), tables=(models,))
