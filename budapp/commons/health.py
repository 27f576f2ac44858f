"""Whether the process lives, and whether what it depends on answers."""

import asyncio
from collections.abc import Mapping
from typing import Literal

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from budapp.commons.access import public
from budapp.commons.domain import HealthCheck, components_of
from budapp.commons.outages import outages
from budapp.commons.schemas import Schema

router = APIRouter(tags=["operations"], dependencies=[public], include_in_schema=False)


class HealthChecks(dict[str, HealthCheck]):
    """What must answer for the service to be ready, by name."""


_CHECK_SECONDS = 2.5


class Health(Schema):
    status: Literal["ok", "unavailable"]
    dependencies: dict[str, Literal["up", "down"]] = {}


async def run_checks(checks: Mapping[str, HealthCheck]) -> Health:
    """Ask all dependencies at once, each for a few seconds at most."""

    async def up(check: HealthCheck) -> bool:
        try:
            return await asyncio.wait_for(check(), _CHECK_SECONDS)
        except TimeoutError:
            return False

    answers = await asyncio.gather(*(up(check) for check in checks.values()))
    for name, answer in zip(checks, answers, strict=True):
        outages.answered(name) if answer else outages.failed(name, "the health check failed")
    dependencies: dict[str, Literal["up", "down"]] = {
        name: "up" if answer else "down" for name, answer in zip(checks, answers, strict=True)
    }
    return Health(status="ok" if all(answers) else "unavailable", dependencies=dependencies)


@router.get("/livez")
async def live() -> Health:
    """Tell that the process answers; it says nothing of what it depends on."""
    return Health(status="ok")


@router.get("/health")
@router.get("/readyz")
async def ready(request: Request, response: Response) -> Health:
    """Tell whether the service can do its work, and which dependency is down where it can't."""
    health = await run_checks(components_of(request)[HealthChecks])
    response.status_code = 200 if health.status == "ok" else 503
    return health


@router.get("/metrics")
def metrics() -> Response:  # in a thread: there can be thousands of figures
    """Return the process' figures for Prometheus."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
