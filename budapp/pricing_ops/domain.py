"""What published deployments cost."""

from budapp.commons.domain import Domain
from budapp.pricing_ops import models

domain = Domain(tables=(models,))
