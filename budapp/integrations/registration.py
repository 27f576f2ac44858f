"""What other services look up of this one in the state store."""

from budapp.commons.config import Settings
from budapp.commons.errors import Conflict, Unavailable
from budapp.commons.logging import get_logger
from budapp.integrations.dapr import DaprClient

logger = get_logger(__name__)


class Registration:
    """Keeps `__metadata__<app id>` in the state store: the components and topics of this service.

    The store has no other copy of it, so it is looked at again and again, and written anew where the store was lost.
    """

    def __init__(self, settings: Settings, dapr: DaprClient) -> None:
        self._dapr = dapr
        self.key = f"__metadata__{settings.app_id}"
        self.metadata = {
            "app_name": settings.app_id,
            "configstore": settings.configstore_name or "",
            "secretstore": settings.secretstore_name or "",
            "statestore": settings.statestore_name,
            "pubsub": settings.pubsub_name,
            "topic": settings.app_topic,
            "deadletter": settings.dead_letter_topic,
        }

    async def register(self) -> None:
        """Write the entry unless it is there already; where the store can't be reached, leave it for the next time."""
        try:
            current, etag = await self._dapr.get_state(self.key)
            if current == self.metadata:
                return
            await self._dapr.save_state(self.key, self.metadata, etag=etag, first_write=True)
        except Conflict:
            logger.info("registered_elsewhere", key=self.key)
        except Unavailable:
            logger.warning("not_registered", key=self.key)
        else:
            logger.info("registered", key=self.key)
