"""The Dapr sidecar: calling peers, publishing, and its state store, over its HTTP API.

Dapr's Python SDK is left aside: its client blocks in the constructor until the sidecar answers, and so a service that
starts before its sidecar hangs.
"""

import asyncio
import random
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import httpx
from fastapi import Depends, Request
from opentelemetry.propagate import inject

from budapp.commons.config import Settings
from budapp.commons.context import request_id
from budapp.commons.errors import Conflict, PeerFailed, Unavailable
from budapp.commons.logging import get_logger

logger = get_logger(__name__)

_TRIES = 3
_IDEMPOTENT_METHODS = frozenset({"GET", "HEAD", "PUT", "DELETE"})
_CLEAR_MESSAGE_LENGTH = 300


class Peer(StrEnum):
    """The services of the platform; a deployment may give each another Dapr app id."""

    BUDCLUSTER = "budcluster"
    BUDMODEL = "budmodel"
    BUDSIM = "budsim"
    BUDMETRICS = "budmetrics"
    BUDNOTIFY = "budnotify"
    BUDEVAL = "budeval"
    BUDPROMPT = "budprompt"
    BUDPIPELINE = "budpipeline"


def _app_ids(settings: Settings) -> dict[str, str]:
    return {
        Peer.BUDCLUSTER: settings.bud_cluster_app_id,
        Peer.BUDMODEL: settings.bud_model_app_id,
        Peer.BUDSIM: settings.bud_simulator_app_id,
        Peer.BUDMETRICS: settings.bud_metrics_app_id,
        Peer.BUDNOTIFY: settings.bud_notify_app_id,
        Peer.BUDEVAL: settings.bud_eval_app_id,
        Peer.BUDPROMPT: settings.bud_prompt_app_id,
        Peer.BUDPIPELINE: settings.bud_pipeline_app_id,
    }


class PeerRefused(PeerFailed):
    """The peer answered 4xx: the same request will not fare better later.

    Attributes:
        peer_status: the status that the peer answered.
    """

    def __init__(self, message: str | None, peer_status: int) -> None:
        super().__init__(message)
        self.peer_status = peer_status


class DaprClient:
    """One pool of connections to the sidecar of this process; it connects with the first call.

    Every method raises `Unavailable` where the sidecar, or what stands behind it, cannot be reached in time.
    """

    def __init__(self, settings: Settings) -> None:
        token = settings.dapr_api_token
        self._pubsub = settings.pubsub_name
        self._statestore = settings.statestore_name
        self._app_topic = settings.app_topic
        self._app_ids = _app_ids(settings)
        self._http = httpx.AsyncClient(
            base_url=f"{settings.dapr_base_url}/v1.0/",
            headers={"dapr-api-token": token.get_secret_value()} if token else {},
            limits=httpx.Limits(max_connections=100, max_keepalive_connections=20),
            trust_env=False,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def invoke(
        self,
        app_id: str,
        method: str,
        path: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        timeout: float = 30,  # noqa: ASYNC109 - the deadline of the whole call, tries and pauses included
        idempotent: bool | None = None,
        data: Mapping[str, Any] | None = None,
        files: Mapping[str, Any] | None = None,
    ) -> Any:
        """Call a peer and return its parsed answer (the raw text where it is not JSON, None where it is empty).

        Args:
            app_id: a `Peer`, or any Dapr app id.
            method: the HTTP method.
            path: the peer's path, such as `cluster/delete`.
            json: the body, as JSON.
            params: the query; values of None are left out.
            timeout: seconds for the whole call.
            idempotent: whether asking twice does no harm; by default so for GET, PUT and DELETE. What may be asked
                twice is tried again on a lost connection and on 502, 503 and 504.
            data: form fields, for a multipart body.
            files: the files of a multipart body.

        Raises:
            PeerRefused: the peer answered 4xx.
            PeerFailed: the peer answered 5xx, or 200 with `object: "error"`.
            Unavailable: the peer or the sidecar cannot be reached, or not in time.
        """
        name = self._app_ids.get(app_id, app_id)
        request = self._http.build_request(
            method,
            f"invoke/{quote(name, safe='')}/method/{path.lstrip('/')}",
            json=json,
            params={key: value for key, value in (params or {}).items() if value is not None} or None,
            data=data,
            files=files,
            headers=_headers(),
            timeout=timeout,
        )
        safe = method.upper() in _IDEMPOTENT_METHODS if idempotent is None else idempotent
        response = await self._send(request, timeout, safe)
        return _answer_of(name, path, response)

    async def publish(self, topic: str, payload: Mapping[str, Any]) -> None:
        """Publish the flat envelope that the platform's services speak.

        What it lacks of `source`, `source_topic`, `type` and `time` is filled in.
        The content type says that it is a CloudEvent already, so that the sidecar adds its fields at the top level
        and does not wrap the envelope into `data`. It bears no `id`: receivers refuse fields they do not know.
        """
        nested = payload.get("payload")
        defaults = {
            "source": self._app_topic,
            "source_topic": self._app_topic,
            "type": (nested.get("type") if isinstance(nested, Mapping) else None) or "notification",
            "time": datetime.now(UTC).isoformat(),
        }
        headers = {**_headers(), "content-type": "application/cloudevents+json"}
        url = f"publish/{quote(self._pubsub, safe='')}/{quote(topic, safe='')}"
        request = self._http.build_request("POST", url, json={**defaults, **payload}, headers=headers, timeout=10)
        _check_sidecar(await self._send(request, 10, retry=True))

    async def get_state(self, key: str) -> tuple[Any, str | None]:
        """Return the value under the key and its etag; both None where there is none. A key can't contain `||`."""
        response = await self._state("GET", f"/{quote(key, safe='')}")
        return (response.json() if response.content else None), response.headers.get("etag")

    async def save_state(self, key: str, value: Any, *, ttl: timedelta | None = None, etag: str | None = None) -> None:
        """Store the value under the key, for `ttl` where given.

        Raises:
            Conflict: an `etag` was given and the value has changed since.
        """
        item: dict[str, Any] = {"key": key, "value": value}
        if ttl is not None:
            item["metadata"] = {"ttlInSeconds": str(int(ttl.total_seconds()))}
        if etag is not None:
            item |= {"etag": etag, "options": {"concurrency": "first-write"}}
        await self._state("POST", json=[item])

    async def delete_state(self, key: str) -> None:
        """Delete what is under the key, if anything."""
        await self._state("DELETE", f"/{quote(key, safe='')}")

    async def healthy(self) -> bool:
        """Tell whether the sidecar is up with its components, whether or not it has found this app yet."""
        try:
            response = await self._http.get("healthz/outbound", timeout=2)
        except httpx.TransportError:
            return False
        return response.is_success

    async def _state(self, method: str, path: str = "", json: Any = None) -> httpx.Response:
        url = f"state/{quote(self._statestore, safe='')}{path}"
        request = self._http.build_request(method, url, json=json, headers=_headers(), timeout=5)
        response = await self._send(request, 5, retry=True)
        _check_sidecar(response)
        return response

    async def _send(self, request: httpx.Request, seconds: float, retry: bool) -> httpx.Response:
        try:
            async with asyncio.timeout(seconds):
                return await self._send_again(request, retry)
        except (TimeoutError, httpx.TransportError) as error:
            logger.warning("dapr_unreachable", url=str(request.url), error=repr(error))
            raise Unavailable from error

    async def _send_again(self, request: httpx.Request, retry: bool) -> httpx.Response:
        for attempt in range(_TRIES - 1):
            try:
                response = await self._http.send(request)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout):
                pass  # nothing was sent
            except httpx.TransportError:
                if not retry:
                    raise
            else:
                if not (retry and _may_pass(response)):
                    return response
            await asyncio.sleep(random.uniform(0.5, 1) * 0.2 * 2**attempt)  # noqa: S311 - jitter
        return await self._http.send(request)


def _headers() -> dict[str, str]:
    headers: dict[str, str] = {}
    inject(headers)
    current = request_id.get()
    return {**headers, "x-request-id": current} if current else headers


def _json_of(response: httpx.Response) -> Any:
    try:
        return response.json() if response.content else None
    except ValueError:
        return response.text


def _sidecar_error(response: httpx.Response) -> str | None:
    """Return the sidecar's own error code; peers have no `errorCode`."""
    body = _json_of(response) if response.is_error else None
    code = body.get("errorCode") if isinstance(body, dict) else None
    return code if isinstance(code, str) and code.startswith("ERR_") else None


def _may_pass(response: httpx.Response) -> bool:
    return response.status_code in (502, 503, 504) or _sidecar_error(response) == "ERR_DIRECT_INVOKE"


def _check_sidecar(response: httpx.Response) -> None:
    if response.is_success:
        return
    logger.warning("dapr_refused", url=str(response.url), status=response.status_code, answer=response.text[:500])
    raise Conflict if response.status_code == 409 else Unavailable


def _answer_of(app_id: str, path: str, response: httpx.Response) -> Any:
    body = _json_of(response)
    failed = isinstance(body, dict) and body.get("object") == "error"
    if response.is_success and not failed:
        return body
    status = response.status_code
    logger.warning("peer_failed", peer=app_id, path=path, status=status, answer=_loggable(body))
    if _sidecar_error(response):
        raise Unavailable
    if response.is_client_error:
        raise PeerRefused(_clear_message(body), status)
    raise PeerFailed


def _loggable(body: Any) -> str:
    """Return what the peer says, without what it repeats of our request: that may hold a secret."""
    if not isinstance(body, dict):
        return str(body)[:200]
    detail = body.get("detail")
    if isinstance(detail, list):
        detail = [{key: part.get(key) for key in ("loc", "msg")} for part in detail if isinstance(part, dict)]
    return str({**{key: body.get(key) for key in ("errorCode", "type", "message")}, "detail": detail})[:1000]


def _clear_message(body: Any) -> str | None:
    """Return what the peer says about a request of ours, where it reads as one sentence for a person."""
    message = body.get("message") or body.get("detail") if isinstance(body, dict) else None
    clear = isinstance(message, str) and len(message) <= _CLEAR_MESSAGE_LENGTH and "\n" not in message
    return message if clear else None


def get_dapr(request: Request) -> DaprClient:
    """Give a route the process' client of the sidecar."""
    client: DaprClient = request.app.state.dapr
    return client


DaprDep = Annotated[DaprClient, Depends(get_dapr)]
