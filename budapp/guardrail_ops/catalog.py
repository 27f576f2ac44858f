"""The catalogue of preset probes: read from a file or an address, and brought into the tables as a whole.

What it no longer names is deleted by its status: profiles lose it. A catalogue with a mistake changes nothing.
"""

import asyncio
import json
from pathlib import Path
from typing import Annotated, Any, Literal

import httpx
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from budapp.commons.database import Database, WriteSession
from budapp.commons.errors import BadRequest, PeerFailed, Unavailable
from budapp.commons.logging import get_logger
from budapp.commons.storable import cleaned
from budapp.guardrail_ops import catalog_crud as crud
from budapp.guardrail_ops.policies import Line, Long, Short
from budapp.guardrail_ops.schemas import GuardTypes, Modalities, ScannerType, Tags
from budapp.integrations.outgoing import ForbiddenAddress, Outgoing
from budapp.provider_ops.models import ProviderType
from budapp.provider_ops.services import find_provider

logger = get_logger(__name__)

BUNDLED = Path(__file__).with_name("catalog.json")

_SECONDS = 30
_MAX_BYTES = 20_000_000
_WHERE = "The catalogue of probes"


def _storable(value: dict[str, Any] | None) -> dict[str, Any] | None:
    if cleaned(value)[1] is not None:
        raise ValueError("holds something that can't be stored")
    return value


Uri = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,254}$")]


class OfferedRule(BaseModel):
    """A rule of a probe."""

    model_config = ConfigDict(extra="ignore", protected_namespaces=())

    name: Short
    uri: Uri
    description: Long | None = None
    icon: Line | None = None
    examples: list[Long] = Field(default=[], max_length=100)
    guard_types: GuardTypes = ["input", "output"]
    modality_types: Modalities = ["text"]
    scanner_type: ScannerType | None = None
    model_uri: Short | None = None
    model_provider_type: ProviderType | None = None
    is_gated: bool = False
    model_config_json: Annotated[dict[str, Any] | None, AfterValidator(_storable)] = None


class OfferedProbe(BaseModel):
    """A probe of a provider, by that one's type."""

    model_config = ConfigDict(extra="ignore")

    name: Short
    uri: Uri
    provider: Short
    provider_type: Literal["cloud", "bud"]
    probe_type: Literal["provider", "model_scanner"] = "provider"
    description: Long | None = None
    icon: Line | None = None
    tags: Tags = []
    rules: list[OfferedRule] = Field(min_length=1, max_length=1_000)


class Catalog(BaseModel):
    """All of it."""

    version: Short
    probes: list[OfferedProbe] = Field(min_length=1, max_length=10_000)

    @model_validator(mode="after")
    def _each_once(self) -> "Catalog":
        probes = [probe.uri for probe in self.probes]
        rules = [rule.uri for probe in self.probes for rule in probe.rules]
        for what, uris in (("probe", probes), ("rule", rules)):
            if len(set(uris)) < len(uris):
                raise ValueError(f"a {what} is listed twice")
        return self


class SyncReport(BaseModel):
    """What has changed; `skipped` are probes of providers that there are not, or that do not look at texts."""

    version: str
    probes_added: int = 0
    probes_changed: int = 0
    probes_removed: int = 0
    rules_added: int = 0
    rules_changed: int = 0
    rules_removed: int = 0
    skipped: list[str] = []


async def read_catalog(source: str | None, outgoing: Outgoing) -> Catalog:
    """Return the catalogue.

    Args:
        source: an http or https address, or the path of a file; None for the one that comes with the service.
        outgoing: which addresses may be asked.

    Raises:
        BadRequest: there is a mistake in it; the message says where.
        PeerFailed, Unavailable: the address.
    """
    if source is not None and source.startswith(("http://", "https://")):
        content = await _download(source, outgoing)
    else:
        try:
            content = await asyncio.to_thread((Path(source) if source else BUNDLED).read_bytes)
        except OSError as error:
            raise BadRequest(f"{_WHERE} can't be read: {error.strerror}") from error
    try:
        return Catalog.model_validate(json.loads(content))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the top level"
        raise BadRequest(f"{_WHERE} is not valid at {where}: {first['msg']}") from error
    except (ValueError, RecursionError) as error:
        raise BadRequest(f"{_WHERE} is not JSON") from error


async def sync(session: WriteSession, catalog: Catalog) -> SyncReport:
    """Make the presets what the catalogue says. Two at once come one after the other."""
    await crud.lock_catalog(session)
    report = SyncReport(version=catalog.version)
    kept: list[str] = []
    for offered in catalog.probes:
        provider = await find_provider(session, type=offered.provider)
        if provider is None or "moderation" not in provider.capabilities:
            report.skipped.append(offered.uri)
            continue
        kept.append(offered.uri)
        columns = offered.model_dump(mode="json", exclude={"provider", "rules"})
        probe, state = await crud.put_probe(session, {**columns, "provider_id": provider.id})
        _count(report, "probes", state)
        for rule in offered.rules:
            _count(report, "rules", await crud.put_rule(session, probe, rule.model_dump(mode="json")))
        report.rules_removed += await crud.remove_other_rules(session, probe, [rule.uri for rule in offered.rules])
    report.probes_removed = await crud.remove_other_probes(session, kept)
    return report


def _count(report: SyncReport, what: str, state: str | None) -> None:
    if state is not None:
        setattr(report, f"{what}_{state}", getattr(report, f"{what}_{state}") + 1)


async def sync_from(database: Database, outgoing: Outgoing, source: str | None) -> SyncReport:
    """Read the catalogue, and make the presets what it says; raises as `read_catalog` does."""
    catalog = await read_catalog(source, outgoing)
    async with database.write() as session:
        report = await sync(session, catalog)
    logger.info("guardrails_synced", **report.model_dump())
    return report


async def _download(address: str, outgoing: Outgoing) -> bytes:
    try:
        async with outgoing.client(seconds=_SECONDS) as client, client.stream("GET", address) as answer:
            answer.raise_for_status()
            content = bytearray()
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > _MAX_BYTES:
                    raise PeerFailed(f"{_WHERE}'s address answered more than {_MAX_BYTES} bytes")
            return bytes(content)
    except httpx.HTTPStatusError as error:
        raise PeerFailed(f"{_WHERE}'s address answered {error.response.status_code}") from error
    except ForbiddenAddress as error:
        raise BadRequest(f"{_WHERE}'s address can't be used: {error}") from error
    except httpx.HTTPError as error:
        raise Unavailable(f"{_WHERE}'s address can't be reached") from error
