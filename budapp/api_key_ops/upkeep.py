"""What is done about keys by itself: owners are told before they expire, and uses are taken over from budmetrics."""

from datetime import timedelta

from budapp.api_key_ops import crud
from budapp.commons.database import Database, now
from budapp.events.notify import notify_users
from budapp.integrations import budmetrics
from budapp.integrations.dapr import DaprClient

_AT_ONCE = 500
_OVERLAP = timedelta(minutes=5)
_LONGEST = timedelta(days=30)


async def tell_of_expiry(database: Database) -> int:
    """Tell the owners of keys that expire soon, once each, and return their number."""
    told = 0
    while True:
        async with database.write() as session:
            rows = await crud.expiring(session, _AT_ONCE)
            for row in rows:
                key = row.Credential
                key.expiry_notified_at = now()
                place = f"in {row.project_name}" if row.project_name else "of a service account"
                owner = f"project:{key.project_id}" if key.project_id else f"service_account:{key.user_id}"
                await notify_users(
                    session,
                    aggregate=owner,
                    subscriber_ids=[key.issued_by or key.user_id],
                    type="credential_expiry",
                    title=key.name,
                    message=f"The API key {place} expires on {key.expiry:%d %B %Y}; rotate or prolong it",
                    target=("project", key.project_id) if key.project_id else None,
                )
        told += len(rows)
        if len(rows) < _AT_ONCE:
            return told


async def take_over_uses(database: Database, dapr: DaprClient) -> None:
    """Write down which keys were used since the last time that one was seen, after however long an outage.

    Raises:
        PeerFailed, Unavailable: budmetrics; what is known stays.
    """
    async with database.read() as session:
        any_keys, last = await crud.last_use(session)
    if not any_keys:
        return
    since = max(last - _OVERLAP if last else now() - _LONGEST, now() - _LONGEST)
    uses = await budmetrics.credential_usage(dapr, since=since)
    if uses:
        async with database.write() as session:
            await crud.note_uses(session, uses)
