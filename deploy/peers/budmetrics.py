"""The stand-in for budmetrics: how much somebody has used, as it was told or as their id gives; requests; clusters."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter, FastAPI, HTTPException, Response, status
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from peers import cluster_metrics, observability, prompt_traces
from peers.control import Control
from peers.sidecar import Sidecar
from peers.traffic import Traffic


class Usage(BaseModel):
    """What somebody has used; the same for every period."""

    model_config = ConfigDict(extra="forbid")

    total_input_tokens: int = Field(default=0, ge=0)
    total_output_tokens: int = Field(default=0, ge=0)
    total_cost: float = Field(default=0, ge=0)
    request_count: int = Field(default=0, ge=0)
    success_count: int = Field(default=0, ge=0)


class KeyUsage(BaseModel):
    """When an API key was used last."""

    model_config = ConfigDict(extra="forbid")

    last_used_at: AwareDatetime
    request_count: int = Field(default=1, ge=0)


class KeyUsageRequest(BaseModel):
    """Which uses are asked for."""

    since: AwareDatetime
    credential_ids: list[UUID] | None = None
    data_source: str = "inference"


class BulkRequest(BaseModel):
    """Whose usage is asked for."""

    user_ids: list[UUID] = Field(max_length=1000)
    start_date: AwareDatetime
    end_date: AwareDatetime
    project_id: UUID | None = None


class Metrics:
    """What the stand-in knows, in memory."""

    def __init__(self) -> None:
        self._usages: dict[UUID, Usage] = {}
        self._keys: dict[UUID, KeyUsage] = {}

    async def summary(
        self, start_date: datetime, end_date: datetime, user_id: UUID | None = None, project_id: UUID | None = None
    ) -> dict[str, Any]:
        """Say what a user has used in a period."""
        if end_date < start_date:
            raise HTTPException(status.HTTP_400_BAD_REQUEST, "The period ends before it starts")
        usage = self._usages.get(user_id) if user_id else None
        return {"object": "usage_summary", "message": "Usage found", "param": _param(usage or _made_up(user_id))}

    async def summaries(self, asked: BulkRequest) -> dict[str, Any]:
        """Say what each of many users has used in a period; who was not set has used nothing and is left out."""
        if asked.end_date < asked.start_date:
            raise HTTPException(status.HTTP_400_BAD_REQUEST, "The period ends before it starts")
        known = [user_id for user_id in asked.user_ids if user_id in self._usages]
        users = [{"user_id": user_id, **_param(self._usages[user_id])} for user_id in known]
        return {"object": "usage_summary_bulk", "message": "Usage found", "param": {"users": users, "summary": {}}}

    async def history(
        self,
        user_id: UUID,
        start_date: datetime,
        end_date: datetime,
        granularity: str = "daily",
        project_id: UUID | None = None,
    ) -> dict[str, Any]:
        """Say what a user has used in each part of a period: all of it in the first one."""
        usage = _param(self._usages.get(user_id) or _made_up(user_id))
        first = {
            "date": start_date.date().isoformat(),
            "tokens": usage["total_tokens"],
            "input_tokens": usage["total_input_tokens"],
            "output_tokens": usage["total_output_tokens"],
            "requests": usage["request_count"],
            "cost": usage["total_cost"],
        }
        return {"object": "usage_history", "param": {"data": [first], "granularity": granularity}}

    async def set_usage(self, user_id: UUID, usage: Usage) -> Usage:
        """Say this of the user from now on."""
        self._usages[user_id] = usage
        return usage

    async def key_usage(self, asked: KeyUsageRequest) -> dict[str, Any]:
        """Say which keys were used since then."""
        found = [
            {"credential_id": key_id, **usage.model_dump()}
            for key_id, usage in self._keys.items()
            if usage.last_used_at >= asked.since and key_id in (asked.credential_ids or [key_id])
        ]
        window = {"since": asked.since, "until": datetime.now(UTC)}
        return {"object": "credential_usage", "credentials": found, "query_window": window}

    async def set_key_usage(self, credential_id: UUID, usage: KeyUsage) -> KeyUsage:
        """Say this of the key from now on."""
        self._keys[credential_id] = usage
        return usage

    async def forget(self) -> Response:
        """Say of everyone again what their ids give."""
        self._usages.clear()
        self._keys.clear()
        return Response(status_code=status.HTTP_204_NO_CONTENT)


def _made_up(user_id: UUID | None) -> Usage:
    """Return a usage that depends on the id alone."""
    number = int.from_bytes(hashlib.sha256(str(user_id).encode()).digest()[:4])
    requests = 10 + number % 90
    return Usage(
        total_input_tokens=requests * 400,
        total_output_tokens=requests * 150,
        total_cost=round(requests * 0.0125, 4),
        request_count=requests,
        success_count=requests - number % 3,
    )


def _param(usage: Usage) -> dict[str, Any]:
    rate = 100 * usage.success_count / usage.request_count if usage.request_count else 0
    total = usage.total_input_tokens + usage.total_output_tokens
    return {"total_tokens": total, **usage.model_dump(), "success_rate": round(rate, 2)}


def router(control: Control) -> APIRouter:
    """Return the routes of the contract, and those that set what it says."""
    metrics, sidecar = Metrics(), Sidecar(control.settings)
    traffic = Traffic(control.settings.tensorzero_redis_url.get_secret_value())

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await sidecar.close()
        await traffic.close()

    routes = APIRouter(lifespan=lifespan)
    routes.include_router(cluster_metrics.router(sidecar))
    routes.include_router(observability.router(traffic))
    routes.include_router(prompt_traces.router())
    routes.add_api_route("/observability/usage/summary", metrics.summary)
    routes.add_api_route("/observability/usage/summary/bulk", metrics.summaries, methods=["POST"])
    routes.add_api_route("/observability/usage/history", metrics.history)
    routes.add_api_route("/observability/credential-usage", metrics.key_usage, methods=["POST"])
    path = "/control/credential-usage/{credential_id}"
    routes.add_api_route(path, metrics.set_key_usage, methods=["PUT"], tags=["control"])
    routes.add_api_route("/control/usage/{user_id}", metrics.set_usage, methods=["PUT"], tags=["control"])
    routes.add_api_route("/control/usage", metrics.forget, methods=["DELETE"], tags=["control"], status_code=204)
    return routes
