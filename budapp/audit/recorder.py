"""Writes the trail: what the ORM changes by itself, what else happens by `record`.

Entries are committed together with what they tell of, or not at all (`commons.pending`). Bulk statements are noted as
such; use the ORM where before and after matter, which is everywhere but in maintenance.
"""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy import event, inspect
from sqlalchemy.orm import ORMExecuteState, Session
from uuid_utils.compat import uuid7

from budapp.audit.models import Action, AuditEntry
from budapp.audit.snapshots import clean_text, kept
from budapp.commons.auditing import Audited, NotAudited
from budapp.commons.context import provenance, request_id
from budapp.commons.database import Base, WriteSession, hold, now
from budapp.commons.pending import Pending
from budapp.commons.signing import Keys

_OPERATIONS = {"create": Action.CREATE, "update": Action.UPDATE, "delete": Action.DELETE}
_NEVER_SHOWN = frozenset({"id", "created_at", "modified_at"})
_pending: Pending[dict[str, Any]] = Pending(AuditEntry, lambda entries: entries)


def record(
    session: WriteSession,
    action: Action,
    resource_type: str,
    *,
    tenant_id: UUID | None = None,
    user_id: UUID | None = None,
    actioned_by: UUID | None = None,
    resource_id: UUID | None = None,
    resource_name: str | None = None,
    details: Mapping[str, Any] | None = None,
    previous_state: Mapping[str, Any] | None = None,
    new_state: Mapping[str, Any] | None = None,
) -> None:
    """Leave an entry in the unit of work, for what is no change of a row.

    Args:
        session: the entry is committed with it.
        action: what was done.
        resource_type: to what, one of `ResourceType`.
        tenant_id: whose it is; the caller's tenant where absent.
        user_id: whom it concerns; the caller where absent.
        actioned_by: who did it; the caller where absent.
        resource_id: the id of what it was done to.
        resource_name: its name for people.
        details: anything else; fields that are called like secrets are blanked.
        previous_state: what it was.
        new_state: what it is now.
    """
    hold(session)
    fields = {
        "tenant_id": tenant_id,
        "user_id": user_id,
        "actioned_by": actioned_by,
        "resource_id": resource_id,
        "resource_name": resource_name,
        "details": _state(details),
        "previous_state": _state(previous_state),
        "new_state": _state(new_state),
    }
    _note(session.sync_session, action, resource_type, **fields)


def _state(values: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if values is None else {name: kept(name, value) for name, value in values.items()}


def _note(session: Session, action: str, resource_type: str, **fields: Any) -> None:
    keys: Keys | None = session.info.get("audit_keys")
    if keys is None:
        return
    where = provenance.get()
    caller = where.caller
    own = (caller.user_id, caller.tenant_id) if caller is not None else (None, None)
    actioned_by = fields.pop("actioned_by", None) or own[0]
    name = fields.pop("resource_name", None)
    entry = {
        "id": uuid7(),
        "timestamp": now(),
        "tenant_id": fields.pop("tenant_id", None) or own[1],
        "user_id": fields.pop("user_id", None) or actioned_by,
        "actioned_by": actioned_by,
        "action": str(action),
        "resource_type": resource_type,
        "resource_id": fields.pop("resource_id", None),
        "resource_name": clean_text(None if name is None else str(name), 255),
        "source": where.source,
        "ip_address": clean_text(where.ip_address, 45),
        "user_agent": clean_text(where.user_agent, 200),
        "request_id": request_id.get(),
        "key_id": keys.current,
        "previous_state": None,
        "new_state": None,
        **fields,
    }
    if where.name is not None:
        entry["details"] = {**(entry["details"] or {}), where.source: where.name}
    entry["record_hash"] = keys.record_hash(entry)
    entry["created_at"] = entry["modified_at"] = entry["timestamp"]
    _pending.add(session, entry)


def declared(model: type[Base]) -> Audited:
    """Return what the table says of the trail; one that says nothing is recorded under its own name."""
    found = getattr(model, "audited", None)
    return found if isinstance(found, Audited) else Audited(model.__tablename__[:50])


def _is_recorded(row: object) -> bool:
    return isinstance(row, Base) and not isinstance(getattr(type(row), "audited", None), NotAudited)


@event.listens_for(Session, "after_flush")
def _note_rows(session: Session, _context: object) -> None:
    """Note what was flushed, while the session still knows how the rows were before."""
    if "audit_keys" not in session.info:
        return
    for row in filter(_is_recorded, session.new):
        _note_row(session, row, "create", None, _whole(row))
    for row in filter(_is_recorded, session.dirty):
        before, after = _changes(row)
        if after:
            _note_row(session, row, "update", before, after)
    for row in filter(_is_recorded, session.deleted):
        _note_row(session, row, "delete", _whole(row), None)


def _note_row(
    session: Session, row: Any, operation: str, before: dict[str, Any] | None, after: dict[str, Any] | None
) -> None:
    says = declared(type(row))
    is_user, is_tenant = row.__tablename__ == "user", row.__tablename__ == "tenant"
    _note(
        session,
        says.action or _OPERATIONS[operation],
        says.resource_type,
        tenant_id=row.id if is_tenant else getattr(row, "tenant_id", None),
        user_id=row.id if is_user else getattr(row, "user_id", None),
        resource_id=row.id,
        resource_name=getattr(row, says.name, None) if says.name else None,
        details={"operation": operation, "table": row.__tablename__},
        previous_state=before,
        new_state=after,
    )


def _columns(row: Any) -> list[str]:
    return [attribute.key for attribute in inspect(type(row)).column_attrs if attribute.key not in _NEVER_SHOWN]


def _whole(row: Any) -> dict[str, Any]:
    """Return the row's columns as far as they are loaded."""
    says, values = declared(type(row)), inspect(row).dict
    return {key: kept(key, values[key], secret=key in says.secrets) for key in _columns(row) if key in values}


def _changes(row: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the changed columns as they were and as they are."""
    says, attributes = declared(type(row)), inspect(row).attrs
    before: dict[str, Any] = {}
    after: dict[str, Any] = {}
    for key in _columns(row):
        history = attributes[key].history
        if key in says.ignored or not history.has_changes() or history.added == history.deleted:
            continue
        secret = key in says.secrets
        after[key] = kept(key, history.added[0] if history.added else None, secret=secret)
        if history.deleted:
            before[key] = kept(key, history.deleted[0], secret=secret)
    return before, after


@event.listens_for(Session, "do_orm_execute")
def _note_bulk(state: ORMExecuteState) -> None:
    """Note a statement that changes rows past the ORM; nobody knows which rows, but the statement is on record."""
    if not (state.is_insert or state.is_update or state.is_delete) or state.bind_mapper is None:
        return
    model = state.bind_mapper.class_
    if isinstance(getattr(model, "audited", None), NotAudited):
        return
    operation = "create" if state.is_insert else "update" if state.is_update else "delete"
    says = declared(model)
    details = {"operation": operation, "table": model.__tablename__, "rows": "by one statement"}
    _note(state.session, says.action or _OPERATIONS[operation], says.resource_type, details=details)
