"""clients/python/examples do what they say: most on the running stack, as its administrator."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import uuid4

import httpx
import pytest
from dotenv import dotenv_values
from stack.client import CLIENT

from tests.datasets.data import CSV
from tests.deployments.conftest import Ground, ground
from tests.events.sidecar import free_port
from tests.peers.conftest import environment, stand_in
from tests.stack import http_client
from tests.waiting import until
from tests.workflows.conftest import bench

__all__ = ["bench", "environment", "ground", "stand_in"]

EXAMPLES = CLIENT / "examples"
SECONDS = 60


@pytest.fixture
async def stack() -> AsyncIterator[httpx.AsyncClient]:
    """The running stack, asked by its administrator."""
    values = dotenv_values(os.environ.get("BUDAPP_ENV_FILE", ".env"))
    async with http_client(f"http://127.0.0.1:{values['APP_PORT']}", timeout=SECONDS) as http:
        account = {"email": values["SUPER_USER_EMAIL"], "password": values["SUPER_USER_PASSWORD"]}
        signed_in = await http.post("/auth/login", json=account)
        assert signed_in.status_code == 200, signed_in.text
        http.headers["Authorization"] = f"Bearer {signed_in.json()['token']['access_token']}"
        yield http


@asynccontextmanager
async def example(
    name: str, *arguments: object, cwd: Path, api: httpx.AsyncClient, **variables: str
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Run an example within the block."""
    token = api.headers["Authorization"].removeprefix("Bearer ")
    named = {"BUDAPP_ADDRESS": str(api.base_url), "BUDAPP_TOKEN": token, "PYTHONPATH": str(CLIENT / "src")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *(str(EXAMPLES / name), *map(str, arguments)),
        cwd=cwd,
        env=os.environ | named | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def output(process: asyncio.subprocess.Process) -> str:
    """Return all that an example prints, once it is over."""
    printed, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    assert process.returncode == 0, printed.decode()
    return printed.decode()


async def printed(process: asyncio.subprocess.Process, pattern: str) -> str:
    """Return the first line that an example prints like this."""
    assert process.stdout is not None
    seen = []
    async with asyncio.timeout(SECONDS):
        while line := (await process.stdout.readline()).decode():
            if re.match(pattern, line):
                return line
            seen.append(line)
    pytest.fail("".join(seen))


async def test_a_dataset_is_uploaded(stack: httpx.AsyncClient, tmp_path: Path) -> None:
    path = tmp_path / f"numbers-{uuid4().hex[:8]}.csv"
    path.write_bytes(CSV)
    async with example("upload_dataset.py", path, cwd=tmp_path, api=stack) as process:
        assert re.fullmatch(r"numbers-\w+\.csv: 3 rows, dataset \S{36}\n", await output(process))


async def test_a_key_is_rotated(stack: httpx.AsyncClient, tmp_path: Path) -> None:
    async with example("rotate_key.py", f"Rotation {uuid4().hex[:8]}", cwd=tmp_path, api=stack) as process:
        first, second = (await output(process)).split()
    assert first != second
    assert first.startswith("bud_admin_")
    assert second.startswith("bud_admin_")


async def test_events_are_followed_from_where_they_stopped(stack: httpx.AsyncClient, tmp_path: Path) -> None:
    follow, place = ("follow_events.py", "workflow"), tmp_path / "last-event-id"

    async def is_there() -> bool:
        return place.exists()

    async def is_kept() -> bool:
        return place.read_text() != before

    async with example(*follow, cwd=tmp_path, api=stack) as process:
        await printed(process, "ready ")
        await until(is_there)
        before = place.read_text()
        seen = await begin_workflow(stack)
        await printed(process, f"workflow.status .*{seen}")
        await until(is_kept)
    missed = await begin_workflow(stack)
    async with example(*follow, cwd=tmp_path, api=stack) as process:
        told = await printed(process, f"workflow.status .*({seen}|{missed})")
    assert missed in told, "what was seen comes again"


async def begin_workflow(stack: httpx.AsyncClient) -> str:
    step = {"step_number": 1, "workflow_total_steps": 5, "provider_type": "hugging_face"}
    begun = await stack.post("/models/local-model-workflow", json=step)
    assert begun.status_code == 200, begun.text
    return str(begun.json()["workflow_id"])


async def test_a_webhook_is_verified(stack: httpx.AsyncClient, tmp_path: Path) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    made = await stack.post("/webhooks", json={"name": "Example", "url": url})
    assert made.is_success, made.text
    webhook = f"/webhooks/{made.json()['webhook']['id']}"
    secret = {"WEBHOOK_SECRET": made.json()["secret"]}
    try:
        async with example("receive_webhook.py", port, cwd=tmp_path, api=stack, **secret) as process:
            async with http_client() as stranger:
                assert await answers_stranger(stranger, url) == 401
            assert (await stack.post(f"{webhook}/test")).is_success
            assert "webhook.test" in await printed(process, "webhook.test ")
    finally:
        await stack.delete(webhook)


async def answers_stranger(stranger: httpx.AsyncClient, url: str) -> int:
    """Post what nobody has signed, as soon as the receiver is up."""
    async with asyncio.timeout(SECONDS):
        while True:
            with suppress(httpx.ConnectError):
                return (await stranger.post(url, json={"type": "webhook.test"})).status_code
            await asyncio.sleep(0.1)


async def test_a_model_is_deployed(address: str, ground: Ground, tmp_path: Path) -> None:
    headers = {"Authorization": f"Bearer {ground.bench.person.tokens['access_token']}"}
    async with http_client(address, headers=headers) as api:
        arguments = (ground.project_id, ground.model_id, "chat")
        async with example("deploy_model.py", *arguments, cwd=tmp_path, api=api) as process:
            over = asyncio.create_task(output(process))

            async def is_over() -> bool:
                return over.done()

            await ground.until(is_over)
            assert await over == "chat runs\n"
