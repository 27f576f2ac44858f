"""Values that are handed out once and for a short while, kept in the state store."""

import hashlib
from datetime import datetime, timedelta
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from budapp.commons.database import now
from budapp.commons.encryption import DecryptionError, Encryption
from budapp.commons.logging import get_logger
from budapp.integrations.dapr import TAKEN_FOR, DaprClient

logger = get_logger(__name__)

Value = TypeVar("Value", bound=BaseModel)


class _Sealed(BaseModel):
    """What is encrypted: with its end, for a store may keep a value longer than it was told to."""

    expires_at: datetime
    value: str


class OneTimeValues:
    """Hands a value out once, to whoever has the secret under which it was put.

    The store, which other services share, holds neither: the key is the secret's hash, and the value is encrypted for
    that key alone.
    """

    def __init__(self, dapr: DaprClient, encryption: Encryption) -> None:
        self._dapr = dapr
        self._encryption = encryption

    async def put(self, kind: str, secret: str, value: BaseModel, lifetime: timedelta) -> None:
        """Keep the value for `lifetime`, 15 minutes at most.

        Args:
            kind: what it is, such as `exchange_token`; must be given again to take it.
            secret: what the value is taken with; long and random.
            value: what is handed out.
            lifetime: how long it can be taken.

        Raises:
            Unavailable: the state store can't be reached.
        """
        assert lifetime <= TAKEN_FOR
        key = _key(kind, secret)
        sealed = _Sealed(expires_at=now() + lifetime, value=value.model_dump_json())
        encrypted = self._encryption.encrypt(sealed.model_dump_json(), key)
        await self._dapr.save_state(key, encrypted, ttl=lifetime)

    async def take(self, kind: str, secret: str, model: type[Value]) -> Value | None:
        """Return the value, of all who ask for it to the first one; None where it was taken, has expired or never was.

        Raises:
            Unavailable: the state store can't be reached.
        """
        key = _key(kind, secret)
        return self._opened(kind, key, await self._dapr.take_state(key), model)

    async def look(self, kind: str, secret: str, model: type[Value]) -> Value | None:
        """Return the value and leave it there; None where it was taken, has expired or never was.

        Raises:
            Unavailable: the state store can't be reached.
        """
        key = _key(kind, secret)
        encrypted, _ = await self._dapr.get_state(key)
        return self._opened(kind, key, encrypted, model)

    def _opened(self, kind: str, key: str, encrypted: object, model: type[Value]) -> Value | None:
        if encrypted is None:
            return None
        try:
            sealed = _Sealed.model_validate_json(self._encryption.decrypt(str(encrypted), key))
            return model.model_validate_json(sealed.value) if sealed.expires_at > now() else None
        except (DecryptionError, ValidationError) as error:
            logger.warning("one_time_value_unreadable", kind=kind, reason=type(error).__name__)
            return None


def _key(kind: str, secret: str) -> str:
    return f"{kind}:{hashlib.sha256(secret.encode()).hexdigest()}"
