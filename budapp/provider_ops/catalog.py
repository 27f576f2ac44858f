"""The catalog of what clouds offer: read from a file or an address, and brought into the tables as a whole.

What the catalog no longer names is taken away: providers become inactive, models deleted, and deployments of such
models deprecated. A source that can't be read, has a mistake, or offers nothing changes nothing.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import httpx
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, TypeAdapter, ValidationError

from budapp.asset_ops.icons import is_icon, monogram
from budapp.commons.database import Database, WriteSession
from budapp.commons.errors import BadRequest, PeerFailed, Unavailable
from budapp.commons.hooks import hooks_of
from budapp.commons.logging import get_logger
from budapp.integrations.outgoing import ForbiddenAddress, Outgoing
from budapp.provider_ops import catalog_crud as crud
from budapp.provider_ops.hooks import after_sync
from budapp.provider_ops.modalities import EndpointPath, Modality, of_keyword
from budapp.provider_ops.models import CloudModel, Provider
from budapp.provider_ops.tags import colored

logger = get_logger(__name__)

BUNDLED = Path(__file__).with_name("providers.json")

_PAGE = 5
_MAX_PAGES = 1000
_SECONDS = 30

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500)]


class OfferedModel(BaseModel):
    """A model of a cloud; `kind` stands for modalities and endpoints, where these are not given."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    uri: Text
    name: Text | None = None
    description: str | None = Field(default=None, max_length=5000)
    author: str | None = Field(default=None, max_length=200)
    kind: str = "llm"
    modality: list[Modality] | None = None
    supported_endpoints: list[str] | None = None
    tags: list[Text] = []
    tasks: list[Text] = []
    model_size: int | None = Field(default=None, ge=0, lt=1 << 63)
    max_input_tokens: int | None = Field(default=None, ge=0, lt=1 << 31)
    input_cost: dict[str, Any] | None = None
    output_cost: dict[str, Any] | None = None
    deprecation_date: date | None = None
    github_url: str | None = Field(default=None, max_length=1000)
    huggingface_url: str | None = Field(default=None, max_length=1000)
    website_url: str | None = Field(default=None, max_length=1000)


class OfferedProvider(BaseModel):
    """A company, with the models that its cloud offers; with an icon that is not ours, its monogram is shown."""

    model_config = ConfigDict(extra="ignore")

    type: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_-]{1,100}$")]
    name: Text
    description: str | None = Field(default=None, max_length=5000)
    icon: str | None = None
    capabilities: list[Literal["model", "moderation", "local"]] = ["model"]
    models: list[OfferedModel] = []


class _Paged(BaseModel):
    items: list[OfferedProvider]
    total_pages: int = Field(default=1, ge=0)


class SyncReport(BaseModel):
    """How many providers and models came, changed, and went."""

    providers_added: int = 0
    providers_changed: int = 0
    providers_removed: int = 0
    models_added: int = 0
    models_changed: int = 0
    models_removed: int = 0


_DOCUMENT: TypeAdapter[list[OfferedProvider]] = TypeAdapter(list[OfferedProvider])


async def read_catalog(source: str | None, outgoing: Outgoing) -> list[OfferedProvider]:
    """Return what the source offers.

    Args:
        outgoing: which addresses may be asked.
        source: an http or https address, which serves a list of providers, or pages `{"items", "total_pages"}` of it;
            the path of a file with such a list; None for the catalog that comes with the service.

    Raises:
        BadRequest: there is a mistake in it, or nothing.
        PeerFailed, Unavailable: the address.
    """
    try:
        if source is not None and source.startswith(("http://", "https://")):
            found = await _download(source, outgoing)
        else:
            path = Path(source) if source else BUNDLED
            found = _DOCUMENT.validate_json(await asyncio.to_thread(path.read_bytes))
    except OSError as error:
        raise BadRequest(f"The catalog can't be read: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the top level"
        raise BadRequest(f"The catalog is not valid at {where}: {first['msg']}") from error
    _check(found)
    return found


async def sync(session: WriteSession, offered: Sequence[OfferedProvider]) -> SyncReport:
    """Make the tables say what the catalog says. Two at once come one after the other."""
    await crud.lock_catalog(session)
    report = SyncReport()
    providers = [_provider_row(provider, position) for position, provider in enumerate(offered)]
    report.providers_added, report.providers_changed = await crud.upsert_all(session, Provider, "type", providers)
    ids = await crud.provider_ids(session)
    models = [_model_row(model, provider, ids[provider.type]) for provider in offered for model in provider.models]
    report.models_added, report.models_changed = await crud.upsert_all(session, CloudModel, "uri", models)
    report.providers_removed = await crud.deactivate_other_providers(session, [row["type"] for row in providers])
    report.models_removed = await crud.delete_other_cloud_models(session, [row["uri"] for row in models])
    for follow in hooks_of(session).all(after_sync):
        await follow(session)
    return report


async def sync_from(database: Database, outgoing: Outgoing, source: str | None) -> SyncReport:
    """Read the source, and make the tables say what it says.

    Raises:
        BadRequest, PeerFailed, Unavailable: see `read_catalog`.
    """
    offered = await read_catalog(source, outgoing)
    async with database.write() as session:
        report = await sync(session, offered)
    logger.info("catalog_synced", **report.model_dump())
    return report


async def _download(address: str, outgoing: Outgoing) -> list[OfferedProvider]:
    found: list[OfferedProvider] = []
    async with outgoing.client(seconds=_SECONDS) as client:
        for number in range(1, _MAX_PAGES + 1):
            content = await _get(client, address, {"page": number, "limit": _PAGE})
            if isinstance(content, list):
                return _DOCUMENT.validate_python(content)
            page = _Paged.model_validate(content)
            found += page.items
            if number >= page.total_pages:
                return found
    raise PeerFailed("The catalog has too many pages")


async def _get(client: httpx.AsyncClient, address: str, params: dict[str, int]) -> Any:
    try:
        answer = await client.get(address, params=params)
        answer.raise_for_status()
        return answer.json()
    except httpx.HTTPStatusError as error:
        raise PeerFailed(f"The catalog's address answered {error.response.status_code}") from error
    except ForbiddenAddress as error:
        raise BadRequest(f"The catalog's address can't be used: {error}") from error
    except httpx.HTTPError as error:
        raise Unavailable("The catalog's address can't be reached") from error
    except json.JSONDecodeError as error:
        raise PeerFailed("The catalog's address did not answer JSON") from error


def _check(offered: Sequence[OfferedProvider]) -> None:
    types = [provider.type for provider in offered]
    uris = [model.uri for provider in offered for model in provider.models]
    for name, values in (("provider type", types), ("model", uris)):
        twice = next((value for value in set(values) if values.count(value) > 1), None)
        if twice is not None:
            raise BadRequest(f"The catalog lists the {name} {twice} twice")
    if not uris:
        raise BadRequest("The catalog contains no models")


def _provider_row(provider: OfferedProvider, position: int) -> dict[str, Any]:
    icon = provider.icon if provider.icon and is_icon(provider.icon) else monogram(provider.name)
    return {**provider.model_dump(exclude={"models"}), "icon": icon, "position": position, "is_active": True}


def _model_row(model: OfferedModel, provider: OfferedProvider, provider_id: Any) -> dict[str, Any]:
    modality, endpoints = of_keyword(model.kind)
    known = get_args(EndpointPath)
    own = [path for path in model.supported_endpoints or [] if path in known]
    return {
        **model.model_dump(exclude={"kind"}),
        "name": model.name or model.uri.rpartition("/")[2],
        "modality": model.modality or modality,
        "supported_endpoints": own if model.supported_endpoints is not None else endpoints,
        "tags": colored(model.tags),
        "tasks": colored(model.tasks),
        "source": provider.type,
        "provider_id": provider_id,
        "status": "active",
    }
