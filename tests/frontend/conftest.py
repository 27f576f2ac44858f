"""Windows of budadmin on the running stack."""

import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable

import httpx
import pytest

from tests.frontend.window import Window
from tests.peers.conftest import environment

__all__ = ["environment"]

Open = Callable[[], Window]


@pytest.fixture
async def open_window(environment: dict[str, str]) -> AsyncIterator[Open]:
    """Opens another window, in which nobody is signed in."""
    windows: list[Window] = []
    base_url = f"http://127.0.0.1:{environment['APP_PORT']}"
    async with httpx.AsyncClient(base_url=base_url, timeout=30, follow_redirects=False) as api:

        def opened() -> Window:
            windows.append(Window(api, f"http://127.0.0.1:{environment['NOTIFY_PORT']}"))
            return windows[-1]

        yield opened
        for window in windows:
            await window.close()


@pytest.fixture
def administrator(environment: dict[str, str]) -> tuple[str, str]:
    """The address and password of an administrator of this test's own, in the stack's tenant."""
    email = f"walker-{time.time_ns()}@example.com"
    seeded = os.environ | {"SUPER_USER_EMAIL": email}
    subprocess.run([sys.executable, "-m", "budapp.cli", "seed"], env=seeded, check=True, timeout=120)
    return email, environment["SUPER_USER_PASSWORD"]


@pytest.fixture
async def window(open_window: Open, administrator: tuple[str, str]) -> Window:
    """A window in which an administrator is signed in, with a page open."""
    made = open_window()
    await made.sign_in(*administrator)
    await made.open_page()
    return made
