"""Datasets for tests, made through the API."""

from typing import Any

import httpx
from fastapi import FastAPI

from budapp.commons.config import Settings
from budapp.commons.domain import components_of
from budapp.integrations.storage import Storage
from tests.cast import Person
from tests.stack import http_client

CSV = b"id,text,score\n1,one,0.5\n2,two,1.5\n3,three,2.5\n"


async def new_dataset(client: httpx.AsyncClient, person: Person, project_id: str, name: str = "Prompts") -> str:
    answer = await client.post("/datasets", json={"project_id": project_id, "name": name}, headers=person.headers)
    assert answer.status_code == 200, answer.text
    return str(answer.json()["dataset"]["id"])


async def new_version(client: httpx.AsyncClient, person: Person, project_id: str, name: str = "Prompts") -> str:
    dataset = f"/datasets/{await new_dataset(client, person, project_id, name)}"
    number = (await client.post(f"{dataset}/versions", headers=person.headers)).json()["version"]["number"]
    return f"{dataset}/versions/{number}"


async def put(
    client: httpx.AsyncClient,
    person: Person,
    version: str,
    content: bytes = CSV,
    file_name: str = "data.csv",
    split: str = "train",
) -> httpx.Response:
    files = {"file": (file_name, content)}
    return await client.put(f"{version}/files/{split}", files=files, headers=person.headers)


async def begin(client: httpx.AsyncClient, person: Person, version: str, size: int, **changes: Any) -> httpx.Response:
    body = {"split": "train", "file_name": "data.csv", "size": size, **changes}
    return await client.post(f"{version}/uploads", json=body, headers=person.headers)


async def send_parts(upload: dict[str, Any], content: bytes) -> list[dict[str, Any]]:
    """Send the parts as a browser would, and return what completes the upload."""
    sent, size = [], upload["part_size"]
    async with http_client(timeout=60) as browser:
        for part in upload["parts"]:
            piece = content[(part["number"] - 1) * size : part["number"] * size]
            answer = await browser.put(part["url"], content=piece)
            assert answer.status_code == 200, answer.text
            sent.append({"number": part["number"], "etag": answer.headers["etag"]})
    return sent


async def files_of(client: httpx.AsyncClient, person: Person, version: str) -> list[dict[str, Any]]:
    dataset = version.rpartition("/versions/")[0]
    body = (await client.get(dataset, headers=person.headers)).json()
    files: list[dict[str, Any]] = body["dataset"]["versions"][0]["files"]
    return files


def objects(app: FastAPI, tenant_id: Any) -> list[str]:
    """What the store holds of the tenant; unfinished uploads are no objects yet."""
    client, bucket = components_of(app)[Storage]._client, components_of(app)[Settings].minio_dataset_bucket
    return [str(item.object_name) for item in client.list_objects(bucket, prefix=f"{tenant_id}/", recursive=True)]


def unfinished(app: FastAPI, names: list[str]) -> list[str]:
    """Those of the objects of which the store holds an unfinished upload; MinIO tells of one by its whole name only."""
    client, bucket = components_of(app)[Storage]._client, components_of(app)[Settings].minio_dataset_bucket
    return [name for name in names if client._list_multipart_uploads(bucket, prefix=name).uploads]
