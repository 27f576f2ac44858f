"""Whether the process lives, and whether what it depends on answers."""

import asyncio
import platform
from collections.abc import Mapping
from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, Info, disable_created_metrics, generate_latest

from budapp import __version__
from budapp.commons.access import public
from budapp.commons.domain import HealthCheck, components_of
from budapp.commons.outages import outages
from budapp.commons.schemas import Schema

disable_created_metrics()  # type: ignore[no-untyped-call]  # a moment for each counter, which nobody asks for
Info("budapp_build", "Which budapp runs").info({"version": __version__, "python": platform.python_version()})

router = APIRouter(tags=["operations"], dependencies=[public], include_in_schema=False)


class HealthChecks(dict[str, HealthCheck]):
    """What the service depends on, by name."""


_CHECK_SECONDS = 2.5


class Health(Schema):
    """`degraded`: something does not answer, and what does not need it works; `unavailable`: nothing does."""

    status: Literal["ok", "degraded", "unavailable"]
    dependencies: dict[str, Literal["up", "down"]] = {}


async def run_checks(checks: Mapping[str, HealthCheck]) -> Health:
    """Ask all dependencies at once, each for a few seconds at most."""

    async def up(check: HealthCheck) -> bool:
        try:
            return await asyncio.wait_for(check.answers(), _CHECK_SECONDS)
        except TimeoutError:
            return False

    answers = await asyncio.gather(*(up(check) for check in checks.values()))
    for name, answer in zip(checks, answers, strict=True):
        outages.answered(name) if answer else outages.failed(name, "the health check failed")
    dependencies: dict[str, Literal["up", "down"]] = {
        name: "up" if answer else "down" for name, answer in zip(checks, answers, strict=True)
    }
    vital = [answer for check, answer in zip(checks.values(), answers, strict=True) if check.vital]
    status: Literal["ok", "degraded", "unavailable"] = "unavailable"
    if all(vital):
        status = "ok" if all(answers) else "degraded"
    return Health(status=status, dependencies=dependencies)


@router.get("/livez")
async def live() -> Health:
    """Tell that the process answers; it says nothing of what it depends on."""
    return Health(status="ok")


@router.get("/health")
@router.get("/readyz")
async def ready(request: Request, response: Response) -> Health:
    """Tell whether requests should come to this replica, and which dependencies are down.

    Most are the same for all replicas: one that is down must not take them all out of service at once.
    """
    health = await run_checks(components_of(request)[HealthChecks])
    response.status_code = 503 if health.status == "unavailable" else 200
    return health


@router.get("/metrics")
def metrics() -> Response:  # in a thread: there can be thousands of figures
    """Return the process' figures for Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
