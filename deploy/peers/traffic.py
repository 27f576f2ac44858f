"""Made-up traffic of deployments: the same for the same deployment, key and hour, whoever asks and however often.

Each request is made up by itself, and all figures are reckoned from the requests: sums are those of their parts.
"""

import json
import random
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis

DAY = 86_400
_REACH_DAYS = 200
"""How far back there is traffic."""
_LOOK_SECONDS = 2
PLACES = (
    ("US", "United States", "Virginia", "Ashburn", 39.04, -77.49),
    ("DE", "Germany", "Hesse", "Frankfurt", 50.11, 8.68),
    ("IN", "India", "Karnataka", "Bengaluru", 12.97, 77.59),
    ("JP", "Japan", "Tokyo", "Tokyo", 35.68, 139.69),
    ("BR", "Brazil", "Sao Paulo", "Sao Paulo", -23.55, -46.63),
)
_ADDRESSES = ("203.0.113.7", "198.51.100.23", "192.0.2.81")


class Source(BaseModel):
    """A deployment that is called with a key, and how often."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    endpoint_id: UUID
    model_id: UUID
    project_id: UUID
    api_key_id: UUID | None = None
    api_key_project_id: UUID | None = None
    user_id: UUID | None = None
    name: str = "model"
    per_hour: float = Field(default=1.5, ge=0, le=100)

    @property
    def digest(self) -> int:
        """The first half of the ids of its requests."""
        ids = f"{self.endpoint_id} {self.api_key_id} {self.api_key_project_id} {self.user_id}"
        return int.from_bytes(sha256(ids.encode()).digest()[:8])


@dataclass(frozen=True, slots=True)
class Inference:
    """One request."""

    id: UUID
    at: float
    source: Source
    input_tokens: int
    output_tokens: int
    latency_ms: int
    ttft_ms: int
    queuing_ms: int
    concurrency: int
    success: bool
    cached: bool
    cost: float
    place: int

    @property
    def throughput(self) -> float:
        """Tokens per second."""
        return self.output_tokens / max(self.latency_ms, 1) * 1000


class Told(BaseModel):
    """A request that a test puts in by itself."""

    model_config = ConfigDict(extra="forbid")

    source: Source
    at: datetime
    input_tokens: int = 100
    output_tokens: int = 50
    latency_ms: int = 800
    success: bool = True


class Traffic:
    """All requests: of the sources that were told, and of what the gateway's tables open to each key."""

    def __init__(self, gateway_url: str) -> None:
        self._redis: Redis | None = Redis.from_url(gateway_url) if gateway_url else None
        self._looked = 0.0
        self._of_gateway: list[Source] = []
        self.told_sources: dict[int, Source] = {}
        self.told: dict[UUID, Inference] = {}

    async def close(self) -> None:
        """Close the connection."""
        if self._redis is not None:
            await self._redis.aclose()

    def tell(self, inference_id: UUID, told: Told) -> None:
        """Put in one request."""
        self.told[inference_id] = Inference(
            id=inference_id,
            at=told.at.timestamp(),
            source=told.source,
            input_tokens=told.input_tokens,
            output_tokens=told.output_tokens,
            latency_ms=told.latency_ms,
            ttft_ms=told.latency_ms // 4,
            queuing_ms=5,
            concurrency=1,
            success=told.success,
            cached=False,
            cost=(told.input_tokens + told.output_tokens) * 2 / 1_000_000,
            place=0,
        )

    def forget(self, project_id: UUID) -> None:
        """Forget what was put in of the project."""
        sources, told = self.told_sources.items(), self.told.items()
        self.told_sources = {digest: one for digest, one in sources if one.project_id != project_id}
        self.told = {key: one for key, one in told if one.source.project_id != project_id}

    async def sources(self) -> list[Source]:
        """Return all sources, each once."""
        if self._redis is not None and time.monotonic() - self._looked > _LOOK_SECONDS:
            self._looked = time.monotonic()
            self._of_gateway = await _opened(self._redis)
        return list({one.digest: one for one in (*self._of_gateway, *self.told_sources.values())}.values())

    async def between(self, start: datetime, end: datetime, filters: dict[str, Any]) -> list[Inference]:
        """Return the requests of a period that the filters let through, the oldest first."""
        first, last = start.timestamp(), min(end.timestamp(), time.time())
        found = [
            one
            for source in await self.sources()
            if _matches(source, filters)
            for one in _of_source(source, first, last)
        ]
        found += [one for one in self.told.values() if first <= one.at < last and _matches(one.source, filters)]
        return sorted(found, key=lambda one: one.at)

    async def find(self, inference_id: UUID) -> Inference | None:
        """Return the request of the id."""
        if inference_id in self.told:
            return self.told[inference_id]
        digest, day = inference_id.int >> 64, inference_id.int >> 24 & 0xFFFFFFFF
        for source in await self.sources():
            if source.digest == digest and day * DAY < time.time():
                return next((one for one in _of_day(source, day) if one.id == inference_id), None)
        return None


def _matches(source: Source, filters: dict[str, Any]) -> bool:
    for name, value in filters.items():
        wanted = value if isinstance(value, list) else [value]
        if str(getattr(source, name, None)) not in {str(one) for one in wanted}:
            return False
    return True


def _of_source(source: Source, first: float, last: float) -> Iterator[Inference]:
    start = max(first, time.time() - _REACH_DAYS * DAY)
    for day in range(int(start // DAY), int(last // DAY) + 1):
        for one in _of_day(source, day):
            if start <= one.at < last:
                yield one


@lru_cache(maxsize=8192)
def _of_day(source: Source, day: int) -> tuple[Inference, ...]:
    luck = random.Random(f"{source.digest} {day}")
    workday = 1.0 if (day + 3) % 7 < 5 else 0.6
    count = int(source.per_hour * 24 * workday * luck.uniform(0.7, 1.3))
    moments = sorted(luck.triangular(0, DAY, DAY * 0.6) for _ in range(count))
    return tuple(_made_up(source, day, number, moment, luck) for number, moment in enumerate(moments))


def _made_up(source: Source, day: int, number: int, moment: float, luck: random.Random) -> Inference:
    going_in, coming_out, success = luck.randint(20, 1200), luck.randint(10, 600), luck.random() > 0.03
    ttft = luck.randint(60, 400)
    coming_out = coming_out if success else 0
    return Inference(
        id=UUID(int=source.digest << 64 | day << 24 | number),
        at=day * DAY + moment,
        source=source,
        input_tokens=going_in,
        output_tokens=coming_out,
        latency_ms=ttft + coming_out * luck.randint(3, 12),
        ttft_ms=ttft,
        queuing_ms=luck.randint(0, 40),
        concurrency=luck.randint(1, 32),
        success=success,
        cached=luck.random() < 0.1,
        cost=round((going_in + 3 * coming_out) / 1_000_000, 8),
        place=luck.randrange(len(PLACES)),
    )


async def _opened(redis: Redis) -> list[Source]:
    """Return what each key of the gateway's tables opens."""
    names = [name async for name in redis.scan_iter("api_key:*", count=1000)]
    values: Iterable[Any] = await redis.mget(names) if names else ()
    return [source for value in values if value for source in _sources_of(json.loads(value))]


def _sources_of(entry: dict[str, Any]) -> Iterator[Source]:
    about = entry.pop("__metadata__", None) or {}
    for name, opened in entry.items():
        if "endpoint_id" in opened and "prompt_id" not in opened:
            yield Source(
                endpoint_id=opened["endpoint_id"],
                model_id=opened["model_id"],
                project_id=opened["project_id"],
                api_key_id=about.get("api_key_id"),
                api_key_project_id=about.get("api_key_project_id"),
                user_id=about.get("user_id"),
                name=name,
            )


def moment(seconds: float) -> datetime:
    """Return the moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def about(one: Inference) -> dict[str, Any]:
    """Return what lists show of a request."""
    source, words = one.source, f"{one.id.int % 97} questions about the weather"
    failed = {"error_code": "timeout", "error_message": "The model did not answer in time", "error_type": "timeout"}
    return {
        "inference_id": one.id,
        "timestamp": moment(one.at),
        "model_name": source.name,
        "prompt_preview": words,
        "response_preview": f"Answers to {words}" if one.success else "",
        "input_tokens": one.input_tokens,
        "output_tokens": one.output_tokens,
        "total_tokens": one.input_tokens + one.output_tokens,
        "response_time_ms": one.latency_ms,
        "cost": one.cost,
        "is_success": one.success,
        "cached": one.cached,
        "project_id": source.project_id,
        "api_key_project_id": source.api_key_project_id,
        "endpoint_id": source.endpoint_id,
        "model_id": source.model_id,
        "endpoint_type": "chat",
        "status_code": 200 if one.success else 504,
        **({} if one.success else failed),
    }


def in_detail(one: Inference) -> dict[str, Any]:
    """Return all that is known of a request."""
    shown, place = about(one), PLACES[one.place]
    gateway = {
        "client_ip": _ADDRESSES[one.place % len(_ADDRESSES)],
        "country_code": place[0],
        "region": place[2],
        "city": place[3],
        "latitude": place[4],
        "longitude": place[5],
        "user_agent": "python-httpx/0.28",
        "device_type": "desktop",
        "is_bot": False,
        "method": "POST",
        "path": "/v1/chat/completions",
        "request_headers": {"content-type": "application/json"},
        "api_key_id": str(one.source.api_key_id or ""),
        "auth_method": "api_key",
        "user_id": str(one.source.user_id or ""),
        "gateway_processing_ms": 4,
        "total_duration_ms": one.latency_ms + 4,
        "status_code": shown["status_code"],
        "is_blocked": False,
        "tags": {},
    }
    dropped = ("prompt_preview", "response_preview", "total_tokens")
    return {
        **{name: value for name, value in shown.items() if name not in dropped},
        "object": "inference_detail",
        "model_provider": "vllm",
        "messages": [{"role": "user", "content": shown["prompt_preview"]}],
        "output": shown["response_preview"],
        "ttft_ms": one.ttft_ms,
        "processing_time_ms": one.latency_ms - one.queuing_ms,
        "request_ip": gateway["client_ip"],
        "request_arrival_time": moment(one.at),
        "request_forward_time": moment(one.at + one.queuing_ms / 1000),
        "finish_reason": "stop" if one.success else None,
        "raw_request": json.dumps({"model": one.source.name}),
        "raw_response": json.dumps({"usage": {"completion_tokens": one.output_tokens}}),
        "gateway_metadata": gateway,
        "feedback_count": 1,
        "average_rating": 4.0,
    }
