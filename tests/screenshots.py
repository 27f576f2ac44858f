"""Take the pictures of docs/images from the running stack: `python -m tests.screenshots`.

Needs what ./deploy/run_tests.sh sets: BUDAPP_ENV_FILE, CHROMIUM and CHROMEDRIVER.
"""

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
from dotenv import dotenv_values

from tests.oauth.browser import browser

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"


def status_page(address: str, email: str, password: str) -> str:
    """Return the status page as an administrator gets it; a browser can't send a token for a page."""
    with httpx.Client(base_url=address, timeout=60) as http:
        signed_in = http.post("/auth/login", json={"email": email, "password": password}).raise_for_status()
        token = signed_in.json()["token"]["access_token"]
        return http.get("/status", headers={"Authorization": f"Bearer {token}"}).raise_for_status().text


def main() -> None:
    values = {name: value or "" for name, value in dotenv_values(os.environ["BUDAPP_ENV_FILE"]).items()}
    address = f"http://127.0.0.1:{values['APP_PORT']}"
    with TemporaryDirectory() as folder, browser() as window:
        page = Path(folder) / "status.html"
        page.write_text(status_page(address, values["SUPER_USER_EMAIL"], values["SUPER_USER_PASSWORD"]))
        window.go(page.as_uri())
        window.picture(IMAGES / "status.png")
        window.go(f"{address}/docs")
        window.read("projects")
        window.picture(IMAGES / "docs.png")


if __name__ == "__main__":
    main()
