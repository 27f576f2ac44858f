"""A real browser without a window."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from selenium.common.exceptions import ElementClickInterceptedException, StaleElementReferenceException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

_FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1280,900",
)
_SECONDS = 60
"""The API's page takes half of that where others keep the machine busy."""


class Browser:
    """One window with cookies of its own; every call blocks."""

    def __init__(self, chrome: Chrome) -> None:
        self._chrome = chrome

    @property
    def url(self) -> str:
        return str(self._chrome.current_url)

    def go(self, url: str) -> None:
        self._chrome.get(url)

    def click(self, element: str) -> None:
        WebDriverWait(self._chrome, _SECONDS).until(lambda chrome: chrome.find_elements(By.ID, element))
        self._chrome.find_element(By.ID, element).click()

    def sign_in(self, password: str, email: str | None = None) -> None:
        """Fill in and send Keycloak's form."""
        WebDriverWait(self._chrome, _SECONDS).until(lambda chrome: chrome.find_elements(By.ID, "kc-login"))
        if email is not None:
            self._chrome.find_element(By.ID, "username").send_keys(email)
        self._chrome.find_element(By.ID, "password").send_keys(password)
        self.click("kc-login")

    def press(self, selector: str) -> None:
        """Click the first element that fits, once nothing covers it any more."""

        def pressed(chrome: Chrome) -> bool:
            shown = [one for one in chrome.find_elements(By.CSS_SELECTOR, selector) if one.is_displayed()]
            for one in shown[:1]:
                one.click()
            return bool(shown)

        moving = (ElementClickInterceptedException, StaleElementReferenceException)
        WebDriverWait(self._chrome, _SECONDS, ignored_exceptions=moving).until(pressed)

    def fill(self, element: str, text: str) -> None:
        """Type the text into a field."""
        WebDriverWait(self._chrome, _SECONDS).until(lambda chrome: chrome.find_elements(By.ID, element))
        self._chrome.find_element(By.ID, element).send_keys(text)

    def read(self, text: str) -> None:
        """Wait until the page says so."""
        script = "return document.body ? document.body.innerText : ''"
        WebDriverWait(self._chrome, _SECONDS).until(lambda chrome: text in chrome.execute_script(script))

    def ask(self, script: str) -> Any:
        """Wait until what the script returns is something, and return it."""
        return WebDriverWait(self._chrome, _SECONDS).until(lambda chrome: chrome.execute_script(script))

    def picture(self, path: Path) -> None:
        """Save what the window shows as PNG."""
        self._chrome.set_window_size(1280, 900)
        assert self._chrome.save_screenshot(str(path))

    def arrive(self, prefix: str) -> str:
        """Wait until the address begins so, and return it."""
        WebDriverWait(self._chrome, _SECONDS).until(lambda chrome: chrome.current_url.startswith(prefix))
        return self.url


@contextmanager
def browser() -> Iterator[Browser]:
    """Open a browser that has been nowhere yet."""
    found, driver = os.environ.get("CHROMIUM"), os.environ.get("CHROMEDRIVER")
    if not (found and driver):
        pytest.fail("./deploy/run_tests.sh finds or installs Chromium, and says where it is")
    with TemporaryDirectory(prefix="chromium-") as profile:
        options = ChromeOptions()
        options.binary_location = found
        for flag in (*_FLAGS, f"--user-data-dir={Path(profile) / 'profile'}"):
            options.add_argument(flag)
        chrome = Chrome(options=options, service=Service(driver))
        chrome.set_script_timeout(_SECONDS)
        try:
            yield Browser(chrome)
        finally:
            chrome.quit()
