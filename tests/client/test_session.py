"""Signing in, staying signed in, and what is raised where the service says no."""

import asyncio
import time
from dataclasses import replace
from uuid import uuid4

import pytest

from budapp_client import ApiError, Budapp, NoAnswer, NotFound, SignedOut, Tokens, answer
from budapp_client.connection import sign_in
from budapp_client.rest.api.projects import projects_create, projects_get, projects_list
from budapp_client.rest.models import ProjectCreate
from budapp_client.tokens import Memory
from tests.cast import PASSWORD, Cast
from tests.events.sidecar import free_port


async def test_somebody_signs_in_and_lists_projects(address: str, cast: Cast) -> None:
    def session() -> list[str]:
        with Budapp.sign_in(address, cast.manager.email, PASSWORD) as api:
            projects_create.sync(client=api, body=ProjectCreate(name="Atlas"))
            found = answer(projects_list.sync(client=api))
            return [listed.project.name for listed in found.projects]

    assert await asyncio.to_thread(session) == ["Atlas"]


async def test_an_expired_token_is_renewed(address: str, tokens: Tokens) -> None:
    store = Memory(replace(tokens, expires_at=time.time() - 1))
    with Budapp.resume(address, store) as api:
        await asyncio.to_thread(projects_list.sync, client=api)
    renewed = store.read()
    assert renewed.access != tokens.access
    assert renewed.refresh != tokens.refresh
    assert renewed.expires_at > time.time()


async def test_threads_renew_at_the_same_time(address: str, tokens: Tokens) -> None:
    with Budapp.resume(address, Memory(replace(tokens, expires_at=0))) as api:
        calls = [asyncio.to_thread(projects_list.sync, client=api) for _ in range(6)]
        found = await asyncio.gather(*calls)
        assert [answer(one).projects for one in found] == [[]] * 6
        await asyncio.to_thread(projects_list.sync, client=api)


async def test_a_token_that_the_service_no_longer_takes_is_renewed(address: str, tokens: Tokens) -> None:
    header, body, signature = tokens.access.split(".")
    store = Memory(replace(tokens, access=f"{header}.{body}.{signature[::-1]}"))
    with Budapp.resume(address, store) as api:
        await asyncio.to_thread(projects_list.sync, client=api)
    assert store.read().expires_at > tokens.expires_at


async def test_the_asynchronous_functions_are_renewed_too(address: str, tokens: Tokens) -> None:
    store = Memory(replace(tokens, expires_at=0))
    async with Budapp.resume(address, store) as api:
        assert answer(await projects_list.asyncio(client=api)).projects == []
        with pytest.raises(NotFound):
            await projects_get.asyncio(uuid4(), client=api)
    assert store.read().access != tokens.access


async def test_who_has_signed_out_must_sign_in_again(address: str, cast: Cast) -> None:
    tokens = await asyncio.to_thread(sign_in, address, cast.manager.email, PASSWORD)
    with Budapp.resume(address, Memory(tokens)) as api:
        await asyncio.to_thread(api.sign_out)
        with pytest.raises(SignedOut) as found:
            await asyncio.to_thread(projects_list.sync, client=api)
    assert found.value.status == 401


async def test_a_wrong_password_is_an_error_in_words(address: str, cast: Cast) -> None:
    with pytest.raises(ApiError) as found:
        await asyncio.to_thread(Budapp.sign_in, address, cast.manager.email, "Wrong-Horse-1")
    assert found.value.status == 400
    assert "password" in str(found.value).lower()


async def test_what_is_not_there_is_an_exception(api: Budapp) -> None:
    with pytest.raises(NotFound) as found:
        await asyncio.to_thread(projects_get.sync, uuid4(), client=api)
    error = found.value
    assert (error.status, error.message) == (404, "Project not found")
    assert error.request_id
    assert error.refused.kind == "urn:bud:error:not_found"


async def test_what_is_not_valid_names_the_field(api: Budapp) -> None:
    with pytest.raises(ApiError) as found:
        await asyncio.to_thread(projects_create.sync, client=api, body=ProjectCreate(name=""))
    assert (found.value.status, found.value.param) == (422, "name")
    assert found.value.errors[0]["loc"][-1] == "name"


async def test_a_service_that_is_not_there(tokens: Tokens) -> None:
    port = free_port()
    with Budapp.resume(f"http://127.0.0.1:{port}", Memory(tokens)) as api, pytest.raises(NoAnswer) as found:
        await asyncio.to_thread(projects_list.sync, client=api)
    assert f"http://127.0.0.1:{port} does not answer" in str(found.value)


async def test_secrets_are_not_shown(tokens: Tokens) -> None:
    assert tokens.access not in repr(tokens)
    assert tokens.refresh not in repr(tokens)
