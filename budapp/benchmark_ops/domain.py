"""Measuring models."""

from budapp.benchmark_ops import models
from budapp.benchmark_ops.routes import router, rows_router
from budapp.benchmark_ops.workflows import BENCHMARK
from budapp.commons.domain import Domain

domain = Domain(routers=(router, rows_router), tables=(models,), workflows=(BENCHMARK,))
