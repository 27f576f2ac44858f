"""What the users of the browser's notification centre have got, in memory: messages, and what was read."""

from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

_KEPT = 1000
_USERS_KEPT = 2000
_FEEDS = {"bud-notification": "inapp", "bud-internal": "internal"}


@dataclass
class Item:
    """A message to one user."""

    subscriber_id: str
    name: str
    payload: Mapping[str, Any]
    id: str = field(default_factory=lambda: uuid4().hex[:24])
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    seen: bool = False
    read: bool = False

    @property
    def feed(self) -> str:
        """The feed that it is in."""
        return _FEEDS[self.name]

    def shown(self) -> dict[str, Any]:
        """Return the message in Novu's words."""
        created, content = self.created_at.isoformat(), self.payload.get("content") or {}
        return {
            "_id": self.id,
            "id": self.id,
            "_subscriberId": self.subscriber_id,
            "_feedId": self.feed,
            "templateIdentifier": self.name,
            "channel": "in_app",
            "content": content.get("message") or "",
            "cta": {"data": {}},
            "payload": dict(self.payload),
            "seen": self.seen,
            "read": self.read,
            "createdAt": created,
            "updatedAt": created,
        }


Filter = Callable[[Item], bool]


class Inbox:
    """The messages of the users who came last, and of each the newest."""

    def __init__(self) -> None:
        self._items: dict[str, deque[Item]] = defaultdict(lambda: deque(maxlen=_KEPT))

    def users(self) -> list[str]:
        """Return the users who were sent something, or were looked up."""
        return list(self._items)

    def deliver(self, subscriber_id: str, name: str, payload: Mapping[str, Any]) -> Item | None:
        """Put a message in, and return it; None where messages of this name are mails only."""
        if name not in _FEEDS:
            return None
        item = Item(subscriber_id, name, payload)
        items = self._items.pop(subscriber_id, deque(maxlen=_KEPT))
        items.append(item)
        self._items[subscriber_id] = items
        while len(self._items) > _USERS_KEPT:
            del self._items[next(iter(self._items))]
        return item

    def find(self, subscriber_id: str, wanted: Filter = lambda _item: True) -> list[Item]:
        """Return a user's messages, the newest first."""
        return [item for item in reversed(self._items[subscriber_id]) if wanted(item)]

    def mark(self, subscriber_id: str, wanted: Filter, seen: bool | None = None, read: bool | None = None) -> int:
        """Mark messages, and return how many; one that was read was seen too."""
        found = self.find(subscriber_id, wanted)
        for item in found:
            item.read = item.read if read is None else read
            item.seen = item.read or (item.seen if seen is None else seen)
        return len(found)

    def remove(self, subscriber_id: str, wanted: Filter) -> None:
        """Remove messages."""
        left = [item for item in self._items[subscriber_id] if not wanted(item)]
        self._items[subscriber_id] = deque(left, maxlen=_KEPT)

    def unseen(self, subscriber_id: str) -> int:
        """Return how many messages a user has not seen."""
        return len(self.find(subscriber_id, lambda item: not item.seen))

    def unread(self, subscriber_id: str) -> int:
        """Return how many messages a user has not read."""
        return len(self.find(subscriber_id, lambda item: not item.read))
