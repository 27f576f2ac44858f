"""The manifest of traits and datasets: read from a file or an address, whole or in several files.

    {"version": "2026.11", "traits": [{"name": ...}], "datasets": [{"name": ...}, "datasets/mmlu.json"]}

A text among the datasets is the address of a file with one dataset, or a list of them, relative to the manifest.
"""

import asyncio
import hashlib
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urljoin, urlsplit

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from budapp.commons.errors import BadRequest, PeerFailed, Unavailable
from budapp.commons.storable import cleaned
from budapp.integrations.outgoing import ForbiddenAddress, Outgoing

BUNDLED = Path(__file__).with_name("manifest.json")

_SECONDS = 30
_MAX_BYTES = 20_000_000
_MAX_FILES = 1_000
_WHERE = "The manifest"


def _storable(value: Any) -> Any:
    if cleaned(value)[1] is not None:
        raise ValueError("holds something that can't be stored")
    return value


Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), AfterValidator(_storable)]
LongText = Annotated[str, StringConstraints(max_length=10_000), AfterValidator(_storable)]
Texts = Annotated[list[LongText], Field(max_length=500)]
Object = Annotated[dict[str, Any], AfterValidator(_storable)]
Count = Annotated[int, Field(ge=0, lt=1 << 31)]


class ManifestTrait(BaseModel):
    """Something that a model may be good at."""

    model_config = ConfigDict(extra="ignore")

    name: Text
    description: LongText | None = None
    icon: Text | None = None
    category: Text | None = None


class ManifestDataset(BaseModel):
    """A benchmark. `eval_types` holds the engine's name of it, as `gen`; without one it can't be run."""

    model_config = ConfigDict(extra="ignore")

    name: Text
    version: Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_storable)] = "1"
    sample_count: Annotated[int, Field(ge=1, lt=1 << 31)] | None = None
    is_proportion: bool = True
    traits: list[Text] = Field(default=[], max_length=100)
    description: LongText | None = None
    meta_links: Object = {}
    config_validation_schema: Object | None = None
    estimated_input_tokens: Count | None = None
    estimated_output_tokens: Count | None = None
    language: Texts = []
    domains: Texts = []
    concepts: Texts = []
    humans_vs_llm_qualifications: Texts = []
    task_type: Texts = []
    modalities: Texts = []
    sample_questions_answers: Object = {}
    advantages_disadvantages: Object = {}
    eval_types: dict[Annotated[str, StringConstraints(max_length=50)], Text] = {}
    why_run_this_eval: Texts = []
    what_to_expect: Texts = []
    additional_info: Object = {}
    metrics: Texts = []
    evaluator: Text | None = None


class Manifest(BaseModel):
    """All of it."""

    model_config = ConfigDict(extra="ignore")

    version: Annotated[str, StringConstraints(min_length=1, max_length=50), AfterValidator(_storable)]
    traits: list[ManifestTrait] = Field(max_length=1_000)
    datasets: list[ManifestDataset] = Field(min_length=1, max_length=10_000)

    @model_validator(mode="after")
    def _fits_together(self) -> "Manifest":
        names = {trait.name for trait in self.traits}
        for what, values in (
            ("trait", [one.name for one in self.traits]),
            ("dataset", [d.name for d in self.datasets]),
        ):
            lowered = [value.lower() for value in values]
            if len(set(lowered)) < len(lowered):
                raise ValueError(f"a {what} is listed twice")
        for number, dataset in enumerate(self.datasets):
            if not names.issuperset(dataset.traits):
                raise ValueError(f"dataset number {number + 1} names a trait that is not listed")
        return self


@dataclass(frozen=True, slots=True)
class Found:
    """A manifest, where it came from, and a digest that changes with it."""

    source: str
    manifest: Manifest
    digest: str


Reader = Callable[[str], Awaitable[Any]]


async def read_manifest(source: str | None, outgoing: Outgoing) -> Found:
    """Return the manifest.

    Args:
        source: an http or https address, or the path of a file; None for the one that comes with the service.
        outgoing: which addresses may be asked.

    Raises:
        BadRequest: there is a mistake in it; the message says where.
        PeerFailed, Unavailable: the address.
    """
    start = source or str(BUNDLED)
    if start.startswith(("http://", "https://")):
        async with outgoing.client(seconds=_SECONDS) as client:

            async def download(address: str) -> Any:
                return await _download(client, address)

            whole = await _collect(start, download, urljoin)
    else:
        whole = await _collect(start, _read_file, _beside)
    try:
        manifest = Manifest.model_validate(whole)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the top level"
        raise BadRequest(f"{_WHERE} is not valid at {where}: {first['msg']}") from error
    text = manifest.model_dump_json()
    return Found(source or "the one that comes with the service", manifest, hashlib.sha256(text.encode()).hexdigest())


async def _collect(start: str, read: Reader, beside: Callable[[str, str], str]) -> Any:
    """Return the manifest with what its files hold in place of their addresses."""
    whole = await read(start)
    listed = whole.get("datasets") if isinstance(whole, dict) else None
    if not isinstance(listed, list):
        return whole
    if sum(isinstance(one, str) for one in listed) > _MAX_FILES:
        raise BadRequest(f"{_WHERE} names more than {_MAX_FILES} files")
    datasets: list[Any] = []
    for one in listed:
        part = await read(beside(start, one)) if isinstance(one, str) else one
        datasets += part if isinstance(part, list) else [part]
    return {**whole, "datasets": datasets}


async def _read_file(path: str) -> Any:
    try:
        content = await asyncio.to_thread(Path(path).read_bytes)
    except OSError as error:
        raise BadRequest(f"{_WHERE} can't be read: {error.strerror}") from error
    return _parsed(content)


def _beside(start: str, name: str) -> str:
    """Return the path of a file that the manifest names; it must lie in the manifest's folder, or below."""
    folder = Path(start).resolve().parent
    path = (folder / name).resolve()
    if not path.is_relative_to(folder):
        raise BadRequest(f"{_WHERE} names a file outside of its folder")
    return str(path)


async def _download(client: httpx.AsyncClient, address: str) -> Any:
    if urlsplit(address).scheme not in ("http", "https"):
        raise BadRequest(f"{_WHERE} names an address that is none")
    try:
        async with client.stream("GET", address) as answer:
            answer.raise_for_status()
            content = bytearray()
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > _MAX_BYTES:
                    raise PeerFailed(f"{_WHERE}'s address answered more than {_MAX_BYTES} bytes")
    except httpx.HTTPStatusError as error:
        raise PeerFailed(f"{_WHERE}'s address answered {error.response.status_code}") from error
    except ForbiddenAddress as error:
        raise BadRequest(f"{_WHERE}'s address can't be used: {error}") from error
    except httpx.HTTPError as error:
        raise Unavailable(f"{_WHERE}'s address can't be reached") from error
    return _parsed(bytes(content))


def _parsed(content: bytes) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{_WHERE} is not JSON") from error


def names_of(rows: Sequence[ManifestTrait | ManifestDataset]) -> list[str]:
    """Return the names."""
    return [row.name for row in rows]
