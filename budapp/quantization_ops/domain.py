"""Quantizing models."""

from budapp.commons.domain import Domain
from budapp.quantization_ops import models, workflows
from budapp.quantization_ops.routes import router
from budapp.quantization_ops.seeds import ensure_methods

domain = Domain(routers=(router,), tables=(models,), workflows=(workflows.QUANTIZATION,), seeds=(ensure_methods,))
