"""Windows of budadmin on the running stack."""

from collections.abc import AsyncIterator, Callable

import pytest

from tests import stack
from tests.frontend.window import Window
from tests.stack import address_of, http_client

Open = Callable[[], Window]


@pytest.fixture
async def open_window() -> AsyncIterator[Open]:
    """Opens another window, in which nobody is signed in."""
    windows: list[Window] = []
    async with http_client(address_of("app"), timeout=30, follow_redirects=False) as api:

        def opened() -> Window:
            windows.append(Window(api, address_of("notify")))
            return windows[-1]

        yield opened
        for window in windows:
            await window.close()


@pytest.fixture
def administrator() -> tuple[str, str]:
    """The address and password of an administrator in the stack's tenant."""
    return stack.administrator()


@pytest.fixture
async def window(open_window: Open, administrator: tuple[str, str]) -> Window:
    """A window in which an administrator is signed in, with a page open."""
    made = open_window()
    await made.sign_in(*administrator)
    await made.open_page()
    return made
