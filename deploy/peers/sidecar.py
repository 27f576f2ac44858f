"""The Dapr sidecar of a stand-in: publishing events, and calling other services."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from peers.settings import PeerSettings

_TRIES = 5
_PAUSE_SECONDS = 0.5


class Sidecar:
    """One pool of connections; it connects with the first call."""

    def __init__(self, settings: PeerSettings) -> None:
        self._pubsub = settings.pubsub_name
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{settings.dapr_http_port}/v1.0/",
            headers={"dapr-api-token": settings.dapr_api_token.get_secret_value()},
            timeout=10,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def publish(self, topic: str, event: Mapping[str, Any]) -> None:
        """Publish an event as it is: the content type keeps the sidecar from wrapping it into another one.

        Raises:
            httpx.HTTPError: the sidecar or its broker does not take it, after some tries.
        """
        headers = {"content-type": "application/cloudevents+json"}
        for attempt in range(_TRIES):
            try:
                response = await self._http.post(f"publish/{self._pubsub}/{topic}", json=event, headers=headers)
                response.raise_for_status()
            except httpx.HTTPError:
                if attempt == _TRIES - 1:
                    raise
                await asyncio.sleep(_PAUSE_SECONDS)
            else:
                return

    async def get(self, app_id: str, path: str, params: Mapping[str, Any]) -> Any:
        """Return the JSON answer of another service.

        Raises:
            httpx.HTTPError: it cannot be reached, or refuses.
        """
        response = await self._http.get(f"invoke/{app_id}/method/{path}", params=dict(params))
        response.raise_for_status()
        return response.json()
