"""The Dapr sidecar of a stand-in: calling budapp, publishing events, and the state that services share."""

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx

from peers.settings import PeerSettings

_TRIES = 5
_PAUSE_SECONDS = 0.5
_ASK_SECONDS = 30


class Refused(Exception):
    """budapp has refused what it was asked, has failed, or can't be reached; the message says why."""


class Sidecar:
    """One pool of connections; it connects with the first call."""

    def __init__(self, settings: PeerSettings) -> None:
        self._pubsub = settings.pubsub_name
        self._statestore = settings.statestore_name
        self._app_id = settings.app_id
        self._http = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{settings.dapr_http_port}/v1.0/",
            headers={"dapr-api-token": settings.dapr_api_token.get_secret_value()},
            timeout=10,
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def ask_budapp(
        self,
        method: str,
        path: str,
        body: Mapping[str, Any] | None = None,
        *,
        params: Mapping[str, Any] | None = None,
        seconds: float = _ASK_SECONDS,
    ) -> dict[str, Any]:
        """Call a route of budapp's, and return the answer.

        Raises:
            Refused: there is no answer within `seconds`, or it is an error.
        """
        at = f"invoke/{self._app_id}/method/{path}"
        try:
            response = await self._http.request(method, at, json=body, params=params, timeout=seconds)
            answer = response.json() if response.content else {}
        except (httpx.HTTPError, ValueError) as problem:
            raise Refused(f"budapp can't be reached: {problem!r}") from problem
        if response.is_error or answer.get("object") == "error":
            raise Refused(str(answer.get("message") or f"budapp answered {response.status_code}"))
        return dict(answer)

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

    async def get_state(self, key: str) -> tuple[Any, str | None]:
        """Return what the platform's services share under a key, and its etag; both None where there is nothing.

        Raises:
            httpx.HTTPError: the store cannot be reached.
        """
        response = await self._http.get(f"state/{self._statestore}/{key}")
        response.raise_for_status()
        return (response.json() if response.content else None), response.headers.get("etag")

    async def save_state(self, key: str, value: Any, etag: str | None) -> bool:
        """Store a value, and return True; False where it is not the one of the etag any more.

        Raises:
            httpx.HTTPError: the store cannot be reached.
        """
        item = {"key": key, "value": value, "options": {"concurrency": "first-write"}}
        response = await self._http.post(
            f"state/{self._statestore}", json=[{**item, **({"etag": etag} if etag else {})}]
        )
        if response.status_code == httpx.codes.CONFLICT:
            return False
        response.raise_for_status()
        return True
