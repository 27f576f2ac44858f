"""Keeps the gateway's tables in Valkey as PostgreSQL says: after each change, and as a whole.

Both work entries out by the same functions (`entries`), so that they cannot disagree.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

from prometheus_client import Gauge
from pydantic import BaseModel
from sqlalchemy import Row

from budapp.commons.config import Settings
from budapp.commons.database import Database, ReadSession, now
from budapp.commons.logging import get_logger
from budapp.gateway_changes import services as changes
from budapp.gateway_ops import crud, entries, guardrail_crud, prompt_crud, token_crud
from budapp.gateway_ops.entries import Entries, is_served, reason_against
from budapp.gateway_ops.guardrails import Guardrail, deployments_of, guardrail, profiles_of_endpoints
from budapp.gateway_ops.guardrails import reason_against as reason_against_guardrail
from budapp.gateway_ops.limits import UsageLimits
from budapp.gateway_ops.owners import may_call
from budapp.gateway_ops.prompts import DraftName, draft_names
from budapp.gateway_ops.rows import Deployment, Key, PromptEntry
from budapp.gateway_ops.store import GatewayStore, same
from budapp.gateway_ops.tokens import tokens_of
from budapp.provider_credential_ops.services import ProviderCredentials

logger = get_logger(__name__)

DIFFERENCES = Gauge(
    "budapp_gateway_differences",
    "Entries of the gateway's tables that the last hourly comparison found wrong",
    ["kind"],
)

_CHANGES_AT_ONCE = 500
_KEYS_AT_ONCE = 500


class Difference(BaseModel):
    """How Valkey differs from what PostgreSQL says; `refused` are deployments and profiles that it has no form for."""

    missing: list[str] = []
    extra: list[str] = []
    different: list[str] = []
    refused: dict[UUID, str] = {}

    def __bool__(self) -> bool:
        """Tell whether there is a difference."""
        return bool(self.missing or self.extra or self.different)

    def persisting(self, later: "Difference") -> "Difference":
        """Return what is still so in a later look: the rest was just on its way."""
        lists = {
            name: sorted(set(getattr(self, name)) & set(getattr(later, name)))
            for name in ("missing", "extra", "different")
        }
        return Difference(**lists, refused=later.refused)


@dataclass(slots=True)
class _Scope:
    """The entries that are to be worked out anew."""

    hashes: set[str] = field(default_factory=set)
    endpoint_ids: set[UUID] = field(default_factory=set)
    tenant_ids: set[UUID] = field(default_factory=set)
    user_ids: set[UUID] = field(default_factory=set)
    profile_ids: set[UUID] = field(default_factory=set)
    prompt_ids: set[UUID] = field(default_factory=set)
    drafts: set[DraftName] = field(default_factory=set)
    published: bool = False

    @property
    def names(self) -> set[str]:
        names = {entries.api_key(hashed) for hashed in self.hashes}
        named = {*self.endpoint_ids, *self.prompt_ids, *(draft.called for draft in self.drafts)}
        names |= {entries.model(one) for one in named} | {name for one in self.drafts for name in draft_names(one)}
        names |= {guardrail(one) for one in self.profile_ids}
        return names | {entries.PUBLISHED} if self.published else names


@dataclass(frozen=True, slots=True)
class GatewayTables:
    """The gateway's tables: what they should say, and do."""

    database: Database
    store: GatewayStore
    settings: Settings
    credentials: ProviderCredentials

    @property
    def limits(self) -> UsageLimits:
        """What says who may go on."""
        return UsageLimits(self.database, self.store)

    async def apply_changes(self) -> int:
        """See to the changes that wait, the oldest first, and return how many it were.

        Raises:
            RedisError, OSError: Valkey does not answer; the changes wait on.
        """
        async with self.database.write() as session:
            waiting = await changes.waiting(session, _CHANGES_AT_ONCE)
            version = await changes.next_version(session) if waiting else 0
        if not waiting:
            return 0
        if any(change.kind == changes.EVERYTHING for change in waiting):
            await self.rebuild()
        else:
            async with self.database.read() as session:
                scope = await _scope_of(session, waiting)
                found = await self._work_out(session, scope)
            await self.store.write(version, scope.names, found)
            await self.limits.renew(scope.user_ids, version)
        async with self.database.write() as session:
            await changes.forget(session, [change.id for change in waiting])
        return len(waiting)

    async def rebuild(self, tenant_id: UUID | None = None) -> int:
        """Make all entries, or those of a tenant, what PostgreSQL says, and return how many have changed."""
        await self._address_credentials()
        async with self.database.write() as session:
            version = await changes.next_version(session)
        changed = 0
        live: set[str] = set()
        async with self.database.read() as session:
            async for names, found in self._all(session, tenant_id):
                changed += await self.store.write(version, names, found)
                live |= found.keys()
        if tenant_id is None:
            strangers = [name async for name in self.store.strangers(live)]
            changed += await self.store.write(version, strangers, {})
            await self.store.note_built(version, live)
        await self.limits.renew_all(tenant_id)
        return changed

    async def diff(self, tenant_id: UUID | None = None) -> Difference:
        """Compare all entries, or those of a tenant, with what PostgreSQL says."""
        difference = Difference()
        live: set[str] = set()
        async with self.database.read() as session:
            async for names, found in self._all(session, tenant_id):
                there = await self.store.read(sorted(names))
                for name in sorted(names):
                    if not same(there.get(name), found.get(name)):
                        which = _kind_of_difference(name in there, name in found)
                        getattr(difference, which).append(name)
                live |= found.keys()
            conditions = [crud.in_tenants([tenant_id])] if tenant_id else []
            guardrails = await self._guardrails(session, [tenant_id] if tenant_id else None)
            for one in self._with_standalone(await crud.deployments(session, *conditions), guardrails):
                reason = reason_against(one)
                if reason is not None:
                    difference.refused[one.id] = reason
            for profile in guardrails:
                reason = reason_against_guardrail(profile)
                if reason is not None:
                    difference.refused[profile.id] = reason
        missing, different = await self.limits.wrong(tenant_id)
        difference.missing += missing
        difference.different += different
        if tenant_id is None:
            known = live.union(difference.extra)
            difference.extra += [name async for name in self.store.strangers(known)]
        return difference

    async def mend(self) -> None:
        """Compare everything, and make it right where it is not."""
        difference = await self.diff()
        counts = {name: len(getattr(difference, name)) for name in ("missing", "extra", "different")}
        for name, count in counts.items():
            DIFFERENCES.labels(name).set(count)
        changed = await self.rebuild()
        if changed:
            logger.warning("gateway_tables_mended", changed=changed, **counts)

    async def is_built(self) -> bool:
        """Tell whether Valkey has the tables at all."""
        return await self.store.is_built()

    async def _all(
        self, session: ReadSession, tenant_id: UUID | None
    ) -> AsyncIterator[tuple[Collection[str], Entries]]:
        """Yield the names of all entries that there may be, a part at a time, with the entries that there should be."""
        conditions = [crud.in_tenants([tenant_id])] if tenant_id else []
        guardrails = await self._guardrails(session, [tenant_id] if tenant_id else None)
        endpoints = guarded(await crud.deployments(session, *conditions), guardrails)
        deployments = self._with_standalone(endpoints, guardrails)
        yield (
            {guardrail(one.id) for one in guardrails},
            entries.guardrail_entries(guardrails, self.settings.bud_sentinel_url),
        )
        served = {one.id for one in deployments if is_served(one)}
        models = entries.model_entries(deployments, served, self.settings.bud_doc_service_url)
        yield {entries.model(one.id) for one in deployments}, models
        prompts = await self._prompts(session, tenant_id)
        called = entries.prompt_entries(prompts, self.settings.bud_prompt_service_url)
        yield set(called), called
        if tenant_id is None:
            yield {entries.PUBLISHED}, entries.published_entry(deployments)
        async for rows in crud.pages_of_keys(session, tenant_id, _KEYS_AT_ONCE):
            keys = await _keys(session, rows)
            yield _names_of(keys), entries.api_key_entries(keys, deployments, now(), prompts)
        async for rows in token_crud.pages(session, tenant_id, _KEYS_AT_ONCE):
            tokens = await tokens_of(session, rows, deployments)
            names = {entries.api_key(row.GatewayToken.hashed_token) for row in rows}
            yield names, entries.token_entries(tokens, deployments, now(), prompts)

    async def _prompts(self, session: ReadSession, tenant_id: UUID | None) -> list[PromptEntry]:
        """Return all prompts and drafts, of a tenant or of all; none where the gateway does not reach budprompt."""
        if self.settings.bud_prompt_service_url is None:
            return []
        if tenant_id is None:
            return [*await prompt_crud.live(session), *await prompt_crud.drafts(session)]
        of_tenant = await prompt_crud.live(session, prompt_crud.in_tenants([tenant_id]))
        return [*of_tenant, *await prompt_crud.drafts(session, prompt_crud.drafts_in_tenant(tenant_id))]

    async def _work_out(self, session: ReadSession, scope: _Scope) -> Entries:
        rows = await crud.keys(session, scope.hashes) if scope.hashes else []
        openable = await self._opened_by(session, rows) if rows else []
        keys = await _keys(session, rows)
        wanted = {entries.api_key(hashed) for hashed in scope.hashes}
        made = entries.api_key_entries(keys, openable, now(), await self._of_projects(session, rows))
        found = {name: entry for name, entry in made.items() if name in wanted}
        found |= await self._tokens(session, scope.hashes - {key.hashed_key for key in keys})
        if scope.endpoint_ids:
            found |= await self._models(session, scope)
        if scope.profile_ids:
            profiles = await guardrail_crud.guardrails(session, guardrail_crud.with_ids(scope.profile_ids))
            found |= entries.guardrail_entries(profiles, self.settings.bud_sentinel_url)
        if scope.prompt_ids or scope.drafts:
            changed = await prompt_crud.live(session, prompt_crud.with_ids(scope.prompt_ids))
            named = {draft.called for draft in scope.drafts}
            changed += await prompt_crud.drafts(session, prompt_crud.drafts_called(named))
            found |= entries.prompt_entries(changed, self.settings.bud_prompt_service_url)
        if scope.published:
            found |= entries.published_entry(await crud.deployments(session, crud.published_by_platform()))
        return found

    async def _tokens(self, session: ReadSession, hashes: Collection[str]) -> Entries:
        rows = await token_crud.with_hashes(session, hashes) if hashes else []
        if not rows:
            return {}
        tenant_ids = {row.GatewayToken.tenant_id for row in rows}
        openable = await crud.deployments(session, crud.in_tenants(tenant_ids))
        openable = self._with_standalone(openable, await self._guardrails(session, tenant_ids))
        prompts: list[PromptEntry] = []
        if self.settings.bud_prompt_service_url is not None:
            prompts = await prompt_crud.live(session, prompt_crud.in_tenants({row.User.tenant_id for row in rows}))
            prompts += await prompt_crud.drafts(session, prompt_crud.drafts_of_users({row.User.id for row in rows}))
        return entries.token_entries(await tokens_of(session, rows, openable), openable, now(), prompts)

    async def _of_projects(self, session: ReadSession, keys: Sequence[Row[Any]]) -> list[PromptEntry]:
        project_ids = {row.Credential.project_id for row in keys}
        if not project_ids or self.settings.bud_prompt_service_url is None:
            return []
        return await prompt_crud.live(session, prompt_crud.in_projects(project_ids))

    async def _models(self, session: ReadSession, scope: _Scope) -> Entries:
        of_tenants = await crud.deployments(session, crud.in_tenants(scope.tenant_ids)) if scope.tenant_ids else []
        guardrails = await self._guardrails(session, scope.tenant_ids)
        of_tenants = self._with_standalone(guarded(of_tenants, guardrails), guardrails)
        served = {one.id for one in of_tenants if is_served(one)}
        wanted = [one for one in of_tenants if one.id in scope.endpoint_ids]
        return entries.model_entries(wanted, served, self.settings.bud_doc_service_url)

    async def _opened_by(self, session: ReadSession, keys: Sequence[Row[Any]]) -> list[Deployment]:
        """Return what the keys may open, guardrails that are at work by themselves too."""
        project_ids = {row.Credential.project_id for row in keys}
        guardrails = await guardrail_crud.guardrails(session, guardrail_crud.in_projects(project_ids))
        return self._with_standalone(await crud.deployments(session, crud.opened_by(keys)), guardrails)

    def _with_standalone(self, deployments: Sequence[Deployment], guardrails: Sequence[Guardrail]) -> list[Deployment]:
        """Add the guardrails that are at work by themselves; a name that a deployment has too is the deployment's."""
        return [*deployments_of(guardrails, self.settings.bud_sentinel_url), *deployments]

    async def _guardrails(self, session: ReadSession, tenant_ids: Collection[UUID] | None) -> list[Guardrail]:
        conditions = [guardrail_crud.in_tenants(tenant_ids)] if tenant_ids is not None else []
        return await guardrail_crud.guardrails(session, *conditions)

    async def _address_credentials(self) -> None:
        """Encrypt the keys of providers for the gateway that there is now."""
        gateway = self.credentials.recipients.gateway
        async with self.database.write() as session:
            for row in await crud.stale_credentials(session, gateway.id if gateway else None):
                self.credentials.address_to_gateway(row)


async def _scope_of(session: ReadSession, waiting: Iterable[Row[Any]]) -> _Scope:
    """Return which entries follow from the changes."""
    items: dict[str, set[str]] = {}
    for change in waiting:
        items.setdefault(change.kind, set()).add(change.item)
    scope = _Scope(hashes=items.pop("key", set()))
    scope.drafts = {DraftName(*item.split("/")) for item in items.pop("draft", set())}
    by_kind = {kind: {UUID(item) for item in found} for kind, found in items.items()}
    scope.endpoint_ids |= by_kind.get("endpoint", set()) | by_kind.get("adapter", set())
    projects = by_kind.setdefault("project", set())
    for kind, condition in crud.ENDPOINTS_OF.items():
        for row in await crud.endpoints(session, condition(by_kind[kind])) if by_kind.get(kind) else ():
            scope.endpoint_ids.add(row.id)
            scope.tenant_ids.add(row.tenant_id)
            projects.add(row.project_id)
    for kind, profiles in guardrail_crud.GUARDRAILS_OF.items():
        if by_kind.get(kind):
            scope.profile_ids |= await guardrail_crud.ids(session, profiles(by_kind[kind]))
    scope.profile_ids |= by_kind.get("guardrail", set())
    for row in await guardrail_crud.guarded_by(session, scope.profile_ids) if scope.profile_ids else ():
        scope.endpoint_ids.add(row.id)
        scope.tenant_ids.add(row.tenant_id)
    for row in await guardrail_crud.standalone_of(session, scope.profile_ids) if scope.profile_ids else ():
        scope.endpoint_ids.add(row.id)
        scope.tenant_ids.add(row.tenant_id)
        projects.add(row.project_id)
    routers = by_kind.get("router", set()) | await crud.routers_over(session, scope.endpoint_ids)
    scope.endpoint_ids |= await crud.adapters_of(session, scope.endpoint_ids) | routers
    for row in await crud.routers(session, routers) if routers else ():
        scope.tenant_ids.add(row.tenant_id)
        projects.add(row.project_id)
    scope.prompt_ids = by_kind.get("prompt", set())
    projects |= await prompt_crud.projects_of(session, scope.prompt_ids) if scope.prompt_ids else set()
    for kind, condition in crud.KEYS_OF.items():
        if by_kind.get(kind):
            scope.hashes |= await crud.hashes(session, condition(by_kind[kind]))
            scope.hashes |= await token_crud.hashes(session, token_crud.TOKENS_OF[kind](by_kind[kind]))
    scope.user_ids = by_kind.get("limit", set()) | by_kind.get("owner", set())
    scope.published = not by_kind.keys().isdisjoint({"catalog", "model", "provider_credential", "tenant"})
    return scope


def guarded(deployments: Sequence[Deployment], guardrails: Sequence[Guardrail]) -> list[Deployment]:
    """Return the deployments with the profiles that stand before them, of those that have an entry."""
    known = {one.id for one in guardrails if reason_against_guardrail(one) is None}
    profiles = profiles_of_endpoints(guardrails, known)
    return [replace(one, guardrail=profiles.get(one.adapted or one.id)) for one in deployments]


async def _keys(session: ReadSession, rows: Sequence[Row[Any]]) -> list[Key]:
    overrides = await crud.overrides_of(session, {row.User.id for row in rows}) if rows else {}
    return [crud.key_of(row, may_call=may_call(row, overrides.get(row.User.id, {}))) for row in rows]


def _names_of(keys: Iterable[Key]) -> set[str]:
    hashes = ((key.hashed_key, key.previous_hashed_key) for key in keys)
    return {entries.api_key(hashed) for pair in hashes for hashed in pair if hashed is not None}


def _kind_of_difference(is_there: bool, should_be: bool) -> str:
    return "different" if is_there and should_be else "missing" if should_be else "extra"
