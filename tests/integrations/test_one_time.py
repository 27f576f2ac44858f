"""What is handed out once."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from datetime import timedelta
from uuid import uuid4

import pytest
from pydantic import BaseModel

from budapp.commons.config import Settings, parse_encryption_keys
from budapp.commons.encryption import Encryption
from budapp.integrations.dapr import DaprClient
from budapp.integrations.one_time import OneTimeValues

MINUTE = timedelta(minutes=1)


class Note(BaseModel):
    text: str


@pytest.fixture
async def dapr(settings: Settings) -> AsyncIterator[DaprClient]:
    dapr = DaprClient(settings)
    yield dapr
    await dapr.close()


@pytest.fixture
def values(dapr: DaprClient, settings: Settings) -> OneTimeValues:
    return OneTimeValues(dapr, Encryption(parse_encryption_keys(settings.encryption_keys)))


def key_of(secret: str) -> str:
    return f"note:{hashlib.sha256(secret.encode()).hexdigest()}"


async def test_of_all_who_ask_at_once_one_gets_it(values: OneTimeValues) -> None:
    secret = str(uuid4())
    await values.put("note", secret, Note(text="hello"), MINUTE)

    found = await asyncio.gather(*(values.take("note", secret, Note) for _ in range(10)))

    assert [note for note in found if note is not None] == [Note(text="hello")]
    assert await values.take("note", secret, Note) is None


async def test_the_store_sees_neither_the_secret_nor_the_value(values: OneTimeValues, dapr: DaprClient) -> None:
    secret = str(uuid4())
    await values.put("note", secret, Note(text="hello"), MINUTE)

    stored, _ = await dapr.get_state(key_of(secret))

    assert stored is not None
    assert "hello" not in str(stored)
    assert (await dapr.get_state(f"note:{secret}"))[0] is None


async def test_it_ends_with_its_time_even_where_the_store_keeps_it(values: OneTimeValues, dapr: DaprClient) -> None:
    secret = str(uuid4())
    await values.put("note", secret, Note(text="hello"), timedelta(seconds=1))
    stored, _ = await dapr.get_state(key_of(secret))
    await dapr.save_state(key_of(secret), stored, ttl=MINUTE)

    await asyncio.sleep(1.1)

    assert await values.take("note", secret, Note) is None


@pytest.mark.parametrize("kind", ["note", "other"])
async def test_what_was_put_for_another_secret_or_by_another_service_is_not_taken(
    values: OneTimeValues, dapr: DaprClient, kind: str
) -> None:
    secret, mine = str(uuid4()), str(uuid4())
    await values.put(kind, mine, Note(text="hello"), MINUTE)
    moved, _ = await dapr.get_state(key_of(mine).replace("note", kind))
    await dapr.save_state(key_of(secret), moved if kind == "note" else {"text": "forged"}, ttl=MINUTE)

    assert await values.take("note", secret, Note) is None
