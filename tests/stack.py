"""The stack that the tests run on: its settings, and clients of its parts."""

import os
import ssl
import time
from functools import cache
from typing import Any

import httpx
from dotenv import dotenv_values
from pydantic import SecretStr

from budapp.commons.config import Settings, load_settings
from tests.processes import forked


@cache
def environment() -> dict[str, str]:
    """Return the stack's settings, the ports of its parts among them."""
    values = dotenv_values(os.environ.get("BUDAPP_ENV_FILE", ".env"))
    return {name: value for name, value in values.items() if value is not None}


@cache
def settings() -> Settings:
    """Return the settings as budapp reads them, which takes a moment."""
    return load_settings()


def address_of(part: str) -> str:
    """Return the URL of a part, such as `budcluster`."""
    return f"http://127.0.0.1:{environment()[f'{part.upper()}_PORT']}"


def valkey_url(of: Settings, database: int) -> str:
    """Return the address of a database of Valkey; those from 16 on belong to the workers of the tests, two to each."""
    return f"{of.tensorzero_redis_url.get_secret_value().rpartition('/')[0]}/{database}"


def in_valkey_database(of: Settings, database: int) -> Settings:
    """Return the settings of a process that keeps its keys in this database of Valkey."""
    return of.model_copy(update={"tensorzero_redis_url": SecretStr(valkey_url(of, database))})


def number_of(worker_id: str) -> int:
    """Return the number of a worker of pytest-xdist, below 16."""
    return int(worker_id[2:]) % 16 if worker_id.startswith("gw") else 0


@cache
def administrator() -> tuple[str, str]:
    """Make an administrator of this process's own in the stack's tenant; return the email address and the password.

    Keycloak refuses a sign-in while another to the same account is under way.
    """
    email = f"administrator-{time.time_ns()}@example.com"
    seed = forked("seed", environment=os.environ | {"SUPER_USER_EMAIL": email})
    seed.join(120)
    assert seed.exitcode == 0, "budapp seed failed"
    return email, environment()["SUPER_USER_PASSWORD"]


def http_client(base_url: str = "", **options: Any) -> httpx.AsyncClient:
    """Return a client as httpx makes it, but for the certificates, which it would read anew each time: that is slow."""
    return httpx.AsyncClient(base_url=base_url, verify=_certificates(), **options)


@cache
def _certificates() -> ssl.SSLContext:
    return ssl.create_default_context()
