"""Dapr: publishing, its state and configuration stores by the SDK over gRPC, and calls of peers over pooled HTTP.

The SDK would make a connection for each call of a peer.
"""

import asyncio
import json as jsonlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

import httpx
from dapr.clients.grpc._state import Concurrency, Consistency, StateOptions
from opentelemetry.propagate import inject

from budapp.commons.config import Settings
from budapp.commons.context import request_id
from budapp.commons.domain import provided
from budapp.commons.errors import Conflict, PeerFailed
from budapp.commons.logging import get_logger
from budapp.commons.outages import DAPR, outages, unavailable
from budapp.commons.settings_stores import read_items
from budapp.integrations.http_transport import Transport
from budapp.integrations.sidecar import TRIES, Sidecar, pause_before_retry

logger = get_logger(__name__)

_PUBLISH_SECONDS = 10
_STORE_SECONDS = 5
TAKEN_FOR = timedelta(minutes=15)
"""How long a value that was taken stays marked so: longer than anybody who read it before can wait to take it too."""
_FIRST_WRITE = StateOptions(consistency=Consistency.strong, concurrency=Concurrency.first_write)
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
    """One channel and one pool of connections to the sidecar of this process; they connect with the first call.

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
            transport=Transport(limits=httpx.Limits(max_connections=100, max_keepalive_connections=20)),
        )
        self._sidecar = Sidecar(settings, self._http)

    async def close(self) -> None:
        """Close the connections."""
        await self._sidecar.close()
        await self._http.aclose()

    async def healthy(self) -> bool:
        """Tell whether the sidecar is up with its components, whether or not it has found this app yet."""
        return await self._sidecar.healthy()

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
        response = await self._send(request, timeout, safe, name)
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
        await self._sidecar.call(
            f"publish {topic}",
            lambda sdk: sdk.publish_event(
                self._pubsub,
                topic,
                jsonlib.dumps({**defaults, **payload}),
                data_content_type="application/cloudevents+json",
            ),
            _PUBLISH_SECONDS,
        )

    async def get_state(self, key: str) -> tuple[Any, str | None]:
        """Return the value under the key and its etag; both None where there is none. A key can't contain `||`."""
        found = await self._sidecar.call(f"get {key}", lambda sdk: sdk.get_state(self._statestore, key), _STORE_SECONDS)
        return (jsonlib.loads(found.data) if found.data else None), found.etag or None

    async def save_state(
        self,
        key: str,
        value: Any,
        *,
        ttl: timedelta | None = None,
        etag: str | None = None,
        first_write: bool = False,
    ) -> None:
        """Store the value under the key, for `ttl` where given.

        Args:
            key: where it is stored.
            value: what can be written as JSON.
            ttl: how long it is kept; for ever by default.
            etag: the one that the value must still have; implies `first_write`.
            first_write: whether what is there already is kept, unless it has the etag.

        Raises:
            Conflict: somebody else was first. Without an etag, Redis says only that it failed: `Unavailable`.
        """
        conditional = first_write or etag is not None
        await self._sidecar.call(
            f"save {key}",
            lambda sdk: sdk.save_state(
                self._statestore,
                key,
                jsonlib.dumps(value),
                etag=etag,
                options=_FIRST_WRITE if conditional else None,
                state_metadata={"ttlInSeconds": str(int(ttl.total_seconds()))} if ttl else {},
            ),
            _STORE_SECONDS,
            # Where the answer to a first try was lost, a second one would find itself to be late.
            retry=not conditional,
        )

    async def take_state(self, key: str) -> Any:
        """Return the value under the key to one caller only, however many ask at once; None to the others.

        The value is overwritten, not deleted: Redis deletes a key that is gone already whatever the etag, so of two
        takers both would succeed.
        """
        value, etag = await self.get_state(key)
        if value is None:
            return None
        try:
            await self.save_state(key, None, ttl=TAKEN_FOR, etag=etag)
        except Conflict:
            return None
        return value

    async def delete_state(self, key: str) -> None:
        """Delete what is under the key, if anything."""
        await self._sidecar.call(f"delete {key}", lambda sdk: sdk.delete_state(self._statestore, key), _STORE_SECONDS)

    async def get_configuration(self, store: str) -> dict[str, str]:
        """Return what the configuration store holds, by the fields of the settings that the keys stand for."""
        found = await self._sidecar.call(f"read {store}", lambda sdk: sdk.get_configuration(store, []), _STORE_SECONDS)
        return read_items(found.items)

    async def _send(self, request: httpx.Request, seconds: float, retry: bool, peer: str) -> httpx.Response:
        try:
            async with asyncio.timeout(seconds):
                response = await self._send_again(request, retry)
        except httpx.ConnectError as error:
            raise unavailable(DAPR, None, error) from error
        except (TimeoutError, httpx.TransportError) as error:
            raise unavailable(peer, None, error) from error
        outages.answered(DAPR)
        return response

    async def _send_again(self, request: httpx.Request, retry: bool) -> httpx.Response:
        for attempt in range(TRIES - 1):
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
            await asyncio.sleep(pause_before_retry(attempt))
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


def _answer_of(app_id: str, path: str, response: httpx.Response) -> Any:
    body = _json_of(response)
    failed = isinstance(body, dict) and body.get("object") == "error"
    if _sidecar_error(response):
        raise unavailable(app_id, None, _loggable(body))
    outages.answered(app_id)
    if response.is_success and not failed:
        return body
    status = response.status_code
    logger.warning("peer_failed", peer=app_id, path=path, status=status, answer=_loggable(body))
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


DaprDep = Annotated[DaprClient, provided(DaprClient)]
