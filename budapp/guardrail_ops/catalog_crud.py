"""The statements that bring the preset probes up to date: by the ORM, so that the gateway hears of each change."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from sqlalchemy import inspect, select
from uuid_utils.compat import uuid7

from budapp.commons import advisory_locks
from budapp.commons.database import WriteSession, not_deleted
from budapp.guardrail_ops.models import GuardrailProbe, GuardrailRule

State = Literal["added", "changed"] | None


async def lock_catalog(session: WriteSession) -> None:
    """Wait for whoever else brings the presets up to date."""
    await advisory_locks.lock(session, "budapp:guardrail-catalog")


async def put_probe(session: WriteSession, columns: Mapping[str, Any]) -> tuple[GuardrailProbe, State]:
    """Put a preset in, or bring it up to date; return whether it was new, or has changed."""
    found = await session.scalar(select(GuardrailProbe).where(GuardrailProbe.uri == columns["uri"]))
    probe = found or GuardrailProbe(id=uuid7())
    return probe, await _put(session, probe, {**columns, "status": "active"}, is_new=found is None)


async def put_rule(session: WriteSession, probe: GuardrailProbe, columns: Mapping[str, Any]) -> State:
    """Put a rule of a preset in, or bring it up to date; return whether it was new, or has changed."""
    found = await session.scalar(select(GuardrailRule).where(GuardrailRule.uri == columns["uri"]))
    rule = found or GuardrailRule(id=uuid7())
    wanted = {**columns, "probe_id": probe.id, "status": "active"}
    return await _put(session, rule, wanted, is_new=found is None)


async def _put(session: WriteSession, row: Any, columns: Mapping[str, Any], *, is_new: bool) -> State:
    for name, value in columns.items():
        if is_new or getattr(row, name) != value:
            setattr(row, name, value)
    session.add(row)
    changed = is_new or bool(inspect(row).modified)
    await session.flush()
    return "added" if is_new else "changed" if changed else None


async def remove_other_rules(session: WriteSession, probe: GuardrailProbe, uris: Sequence[str]) -> int:
    """Delete the preset's other rules; return how many there were."""
    others = (GuardrailRule.probe_id == probe.id, GuardrailRule.uri.not_in(uris), not_deleted(GuardrailRule))
    rows = (await session.scalars(select(GuardrailRule).where(*others))).all()
    for row in rows:
        row.status = "deleted"
    await session.flush()
    return len(rows)


async def remove_other_probes(session: WriteSession, uris: Sequence[str]) -> int:
    """Delete other presets; return how many there were."""
    presets = (GuardrailProbe.tenant_id.is_(None), not_deleted(GuardrailProbe))
    rows = (await session.scalars(select(GuardrailProbe).where(*presets, GuardrailProbe.uri.not_in(uris)))).all()
    for row in rows:
        row.status = "deleted"
    await session.flush()
    return len(rows)
