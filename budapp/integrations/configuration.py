"""Following the configuration store while the service runs."""

import asyncio
import random

from budapp.commons.background import BackgroundTasks
from budapp.commons.config import Settings
from budapp.commons.errors import Unavailable
from budapp.commons.live_settings import LiveSettings
from budapp.integrations.dapr import DaprClient

SECONDS = 15


class ConfigurationFollower:
    """Takes over changes in the store that `CONFIGSTORE_NAME` names, each replica for itself.

    It reads the store again and again: to subscribe, the SDK's asynchronous client (1.19) blocks the loop for 5 s, and
    then fails; and a subscription ends with each restart of the sidecar.
    """

    def __init__(self, settings: Settings, dapr: DaprClient, seconds: float = SECONDS) -> None:
        self._store = settings.configstore_name
        self._live = LiveSettings(settings)
        self._dapr = dapr
        self._seconds = seconds
        self._tasks = BackgroundTasks()

    async def start(self) -> None:
        """Begin to read, in the background."""
        if self._store:
            self._tasks.run(configuration=self.follow)

    async def stop(self) -> None:
        """End that."""
        await self._tasks.stop()

    async def read(self) -> None:
        """Take over what the store holds now; where it can't be reached, everything stays as it is."""
        if self._store is None:
            return
        try:
            values = await self._dapr.get_configuration(self._store)
        except Unavailable:
            return
        self._live.apply(values)

    async def follow(self) -> None:
        """Read until stopped."""
        while True:
            await self.read()
            await asyncio.sleep(self._seconds * random.uniform(0.8, 1.2))  # noqa: S311 - jitter
