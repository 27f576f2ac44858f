"""Who has to wait after failed sign-ins, and who never has to for what others do."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest
from fastapi import FastAPI
from redis.asyncio import Redis

from budapp.auth.schemas import Login
from budapp.auth.services import AuthService
from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.commons.errors import TooManyRequests
from budapp.commons.rate_limits import FailureLimiter, Pauses
from budapp.integrations.keycloak import Keycloak
from tests.auth.test_sessions import refresh, sign_in
from tests.cast import PASSWORD, Cast, forget_failures

WRONG = "Wrong-Password-1"
HOME = "203.0.113.7"

At = Callable[..., httpx.AsyncClient]


@pytest.fixture
async def at(app: FastAPI, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[At]:
    """Makes a client at an address, in a browser; failures are answered at once, and pauses outlast a test."""
    monkeypatch.setattr(components_of(app)[Settings], "login_free_failures", 2)
    monkeypatch.setattr(
        components_of(app)[AuthService]._limits,
        "_limiter",
        FailureLimiter(components_of(app)[Redis], Pauses(60, 900, 3600)),
    )

    await forget_failures(app)

    def make(address: str, browser: str = "Firefox") -> httpx.AsyncClient:
        transport = httpx.ASGITransport(app, client=(address, 1))
        return httpx.AsyncClient(transport=transport, base_url="http://budapp.test", headers={"User-Agent": browser})

    yield make
    await forget_failures(app)


def somewhere() -> str:
    """An address that no other test, and no earlier run, has come from."""
    return f"stranger-{time.time_ns()}"


async def attempt(client: httpx.AsyncClient, email: str, password: str = WRONG, **more: str) -> int:
    return (await client.post("/auth/login", json={"email": email, "password": password, **more})).status_code


async def guess_until_stopped(at: At, email: str, **more: str) -> None:
    answers = [await attempt(at(somewhere()), email, **more) for _ in range(4)]
    assert answers == [400, 400, 400, 429]


async def test_guesses_on_one_account_are_slowed_down_whatever_the_address(cast: Cast, at: At) -> None:
    await guess_until_stopped(at, cast.developer.email)
    answer = await at(somewhere()).post("/auth/login", json={"email": cast.developer.email, "password": PASSWORD})
    assert answer.status_code == 429
    assert 0 < int(answer.headers["retry-after"]) <= 60


async def test_an_account_that_nobody_has_is_treated_like_one_that_somebody_has(cast: Cast, at: At) -> None:
    await guess_until_stopped(at, "nobody@example.com")
    await guess_until_stopped(at, cast.tester.email)


async def test_the_owner_gets_in_where_they_are_known_whoever_guesses(cast: Cast, at: At) -> None:
    assert await attempt(at(HOME), cast.developer.email, PASSWORD) == 200
    await guess_until_stopped(at, cast.developer.email)
    assert await attempt(at(HOME), cast.developer.email, PASSWORD) == 200
    assert await attempt(at(HOME, "Chrome"), cast.developer.email, PASSWORD) == 200


async def test_guesses_from_the_owners_office_leave_their_own_browser_alone(cast: Cast, at: At) -> None:
    assert await attempt(at(HOME), cast.developer.email, PASSWORD) == 200
    for browser in ("Chrome", "Safari", "Edge"):
        assert await attempt(at(HOME, browser), cast.developer.email) == 400
    assert await attempt(at(HOME, "Opera"), cast.developer.email) == 429
    assert await attempt(at(HOME), cast.developer.email, PASSWORD) == 200


async def test_a_known_browser_is_slowed_down_too(cast: Cast, at: At) -> None:
    assert await attempt(at(HOME), cast.developer.email, PASSWORD) == 200
    assert [await attempt(at(HOME), cast.developer.email) for _ in range(4)] == [400, 400, 400, 429]


async def test_a_place_that_the_owner_signed_out_of_from_elsewhere_is_known_no_more(cast: Cast, at: At) -> None:
    thief, home = at(somewhere()), at(HOME)
    await sign_in(thief, cast.developer.email)
    tokens = await sign_in(home, cast.developer.email)
    headers = {"Authorization": f"Bearer {tokens['access_token']}"}
    assert (await home.delete("/users/me/sessions", headers=headers)).status_code == 200
    await guess_until_stopped(at, cast.developer.email)
    assert await attempt(thief, cast.developer.email) == 429


async def test_the_same_email_in_another_tenant_is_another_account(cast: Cast, at: At) -> None:
    await guess_until_stopped(at, cast.other_admin.email, tenant_id=str(cast.tenant_id))
    other = {"tenant_id": str(cast.other_tenant_id)}
    assert await attempt(at(somewhere()), cast.other_admin.email, PASSWORD, **other) == 200


async def test_tries_that_keycloak_does_not_answer_lock_nobody_out(
    cast: Cast, at: At, app: FastAPI, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = at(HOME, "Unanswered")
    openid = [each for each in components_of(app)[Keycloak]._openid.values() if each.realm_name == cast_realm(app)]
    assert openid
    with monkeypatch.context() as down:
        for each in openid:
            down.setattr(each.connection, "base_url", "http://127.0.0.1:9/")
        assert [await attempt(home, cast.developer.email, PASSWORD) for _ in range(5)] == [503] * 5
    assert await attempt(home, cast.developer.email, PASSWORD) == 200


def cast_realm(app: FastAPI) -> str:
    return components_of(app)[Settings].default_realm_name


async def test_a_success_forgets_the_failures_before(cast: Cast, at: At) -> None:
    assert await attempt(at(HOME), cast.developer.email, PASSWORD) == 200
    for _ in range(3):
        assert [await attempt(at(HOME), cast.developer.email) for _ in range(2)] == [400, 400]
        assert await attempt(at(HOME), cast.developer.email, PASSWORD) == 200


async def test_guesses_at_once_count_one_by_one(cast: Cast, at: At) -> None:
    guesses = (attempt(at(somewhere()), cast.developer.email) for _ in range(12))
    answers = await asyncio.gather(*guesses)
    assert sorted(answers) == [400] * 3 + [429] * 9


async def test_guesses_of_one_address_on_many_accounts_are_slowed_down_but_nobody_who_is_known_there(
    app: FastAPI, cast: Cast, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components_of(app)[Settings], "login_free_failures_of_address", 3)
    office = somewhere()
    assert await attempt(at(office), cast.developer.email, PASSWORD) == 200
    answers = [await attempt(at(office), f"{number}@example.com") for number in range(5)]
    assert answers == [400, 400, 400, 400, 429]
    assert await attempt(at(office), cast.developer.email, PASSWORD) == 200
    assert await attempt(at(somewhere()), cast.manager.email, PASSWORD) == 200


async def test_an_office_signs_in_at_once(cast: Cast, at: At) -> None:
    office = somewhere()
    people = (cast.admin, cast.manager, cast.developer, cast.tester, cast.client)
    answers = await asyncio.gather(*(attempt(at(office), person.email, PASSWORD) for person in people))
    assert answers == [200] * 5


async def test_an_address_has_a_ceiling_whatever_it_claims(
    app: FastAPI, cast: Cast, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components_of(app)[Settings], "rate_limit_address", "3/minute")
    async with at(somewhere()) as client:
        client.headers["X-Forwarded-For"] = "1.2.3.4"
        assert [await attempt(client, f"{n}@example.com") for n in range(4)] == [400, 400, 400, 429]


async def test_the_lock_of_keycloak_keeps_nobody_out_who_is_known(app: FastAPI, cast: Cast, at: At) -> None:
    assert await attempt(at(HOME), cast.manager.email, PASSWORD) == 200
    access = await components_of(app)[AuthService]._access()
    for _ in range(components_of(app)[Settings].keycloak_failures_before_lock + 1):
        await components_of(app)[AuthService]._sign_in(Login(email=cast.manager.email, password=WRONG), access)
    assert await attempt(at(somewhere()), cast.manager.email, PASSWORD) == 400
    assert await attempt(at(HOME), cast.manager.email, PASSWORD) == 200
    assert await attempt(at(HOME), cast.manager.email) == 400


async def test_pauses_grow_up_to_the_longest(app: FastAPI) -> None:
    limiter, key = FailureLimiter(components_of(app)[Redis], Pauses(60, 300, 3600)), f"test:{time.time_ns()}"
    pauses = []
    for number in range(7):
        await limiter.begin({key: 2})
        if number >= 2:
            with pytest.raises(TooManyRequests) as stopped:
                await limiter.begin({key: 2})
            pauses.append(stopped.value.retry_after)
        await components_of(app)[Redis].delete(f"pause:{key}")
    assert pauses == [60, 120, 240, 300, 300]


async def test_a_success_takes_back_what_it_counted_and_failures_are_forgotten_in_time(app: FastAPI) -> None:
    valkey, account, address = components_of(app)[Redis], f"a:{time.time_ns()}", f"b:{time.time_ns()}"
    limiter = FailureLimiter(valkey, Pauses(60, 300, 3600))
    await limiter.begin({account: 0, address: 0})
    with pytest.raises(TooManyRequests):
        await limiter.begin({address: 0})
    assert 3590 < await valkey.ttl(f"failures:{address}") <= 3600
    await limiter.take_back([account, address], forget=account)
    assert await valkey.mget(f"failures:{account}", f"failures:{address}") == [None, "0"]
    await limiter.begin({address: 1})


async def test_renewals_are_limited_by_session_and_not_by_address(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(components_of(app)[Settings], "rate_limit_refresh", "3/minute")
    first, second = await sign_in(client, cast.developer.email), await sign_in(client, cast.manager.email)
    head, payload, _ = second["refresh_token"].split(".")
    for number in range(5):
        assert (await refresh(client, f"{head}.{payload}.forged{number}")).status_code == 401
    for tokens in (first, second):
        token = tokens["refresh_token"]
        for _ in range(3):
            answer = await refresh(client, token)
            assert answer.status_code == 200
            token = answer.json()["token"]["refresh_token"]
        stopped = await refresh(client, token)
        assert stopped.status_code == 429
        assert 0 < int(stopped.headers["retry-after"]) <= 60
