"""Quotas hold in the playground where no gateway holds them: room is taken before a model is asked."""

import asyncio
from collections import Counter
from contextlib import suppress
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.commons.errors import TooManyRequests
from budapp.gateway_ops.entries import usage_limit
from budapp.gateway_ops.reservations import Reservations, estimate
from tests.billing.test_billing import set_up
from tests.cast import Cast
from tests.playground.test_playground import CHAT, ModelServer, asking, enter, model
from tests.projects.data import create
from tests.replicas import running_replica
from tests.stack import http_client
from tests.waiting import until

__all__ = ["model"]

MOST = 50
COST = estimate(asking("x")["messages"], MOST)


@pytest.fixture
async def own(client: httpx.AsyncClient, cast: Cast, database: Database, model: ModelServer) -> str:
    """A deployment that the customer may call."""
    project = await create(client, cast.manager, name="Published")
    return await enter(database, cast.manager, project["id"], model.url, is_published=True)


async def ask(http: httpx.AsyncClient, cast: Cast, name: str, **more: Any) -> httpx.Response:
    return await http.post(CHAT, json=asking(name, max_tokens=MOST, **more), headers=cast.client.headers)


@pytest.mark.timeout(300)
async def test_of_two_hundred_calls_on_two_replicas_as_many_pass_as_there_is_room_for(
    client: httpx.AsyncClient, cast: Cast, own: str, model: ModelServer, settings: Settings
) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=10 * COST + 5)
    model.words, model.pause = 2, 10.0  # nobody has answered before all have asked
    async with running_replica(settings) as other:
        http = http_client(str(other.http.base_url), timeout=60, limits=httpx.Limits(max_connections=100))
        calls = [ask(one, cast, own, stream=True) for one in (client, http) for _ in range(100)]
        statuses = Counter(answer.status_code for answer in await asyncio.gather(*calls))
        await http.aclose()
    assert statuses == {200: 10, 429: 190}
    assert len(model.asked) == 10


async def test_what_was_used_counts_and_the_rest_is_given_back(
    client: httpx.AsyncClient, cast: Cast, own: str, model: ModelServer
) -> None:
    model.words = 30
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=COST + 40)
    assert (await ask(client, cast, own)).status_code == 200
    assert (await ask(client, cast, own, stream=True)).status_code == 200, "34 of the room were used, not all"
    refused = await ask(client, cast, own)
    assert (refused.status_code, refused.json()["message"].partition(";")[0]) == (
        429,
        "The tokens that are left in this cycle do not suffice for this request",
    )
    assert int(refused.headers["Retry-After"]) > 3600
    assert len(model.asked) == 2


@pytest.mark.parametrize("stream", [False, True])
async def test_a_model_that_fails_costs_nothing(
    client: httpx.AsyncClient, cast: Cast, own: str, model: ModelServer, stream: bool
) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=COST)
    model.status = 500
    for _ in range(3):
        assert (await ask(client, cast, own, stream=stream)).status_code == 502
    model.status = 200
    assert (await ask(client, cast, own, stream=stream)).status_code == 200


async def test_a_plan_that_is_used_up_says_so_and_who_has_none_goes_on(
    client: httpx.AsyncClient, cast: Cast, own: str, model: ModelServer, app: FastAPI
) -> None:
    assert (await ask(client, cast, own)).status_code == 200
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=COST)
    reservations = components_of(app)[Reservations]
    await reservations.renew(cast.client.id)
    room = await reservations.take(cast.client.id, 1)
    await reservations.settle(room, COST)
    assert await components_of(app)[Redis].ttl(usage_limit(cast.client.id)) > 0, "it ends where nobody renews it"
    refused = await ask(client, cast, own)
    assert (refused.status_code, refused.json()["message"]) == (429, "The tokens of this cycle are used up")


async def test_room_that_nobody_settles_is_free_again_after_a_while(
    client: httpx.AsyncClient, cast: Cast, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    await set_up(client, cast.admin, cast.client.id, custom_token_quota=100)
    reservations = components_of(app)[Reservations]
    await reservations.renew(cast.client.id)
    with monkeypatch.context() as patched:
        patched.setattr("budapp.gateway_ops.reservations.LASTS_SECONDS", 1)
        await reservations.take(cast.client.id, 90)  # its replica is killed
    await reservations.take(cast.client.id, 5)
    with pytest.raises(TooManyRequests):
        await reservations.take(cast.client.id, 50)

    async def is_free() -> bool:
        with suppress(TooManyRequests):
            await reservations.take(cast.client.id, 50)
            return True
        return False

    await until(is_free)


def test_the_estimate_is_of_what_is_asked_and_of_what_may_be_answered() -> None:
    assert estimate("x" * 400, 7) == 107
    assert estimate("", None) == 1024
