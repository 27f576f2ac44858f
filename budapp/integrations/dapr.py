"""Dapr: publishing, its state and configuration stores by the SDK over gRPC, and calls of peers over pooled HTTP.

The SDK makes a connection for each call of a peer, and takes four times the processor time; see docs/benchmarks.md.
"""

import json as jsonlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Annotated, Any
from urllib.parse import quote

from aiohttp import FormData
from dapr.clients.grpc._state import Concurrency, Consistency, StateOptions
from opentelemetry.propagate import inject

from budapp.commons.config import Settings
from budapp.commons.context import request_id
from budapp.commons.domain import provided
from budapp.commons.errors import Conflict, PeerFailed
from budapp.commons.logging import get_logger
from budapp.commons.outages import DAPR, outages, timed, unavailable
from budapp.commons.settings_stores import read_items
from budapp.integrations.sidecar import Sidecar
from budapp.integrations.sidecar_http import Call, Response, SidecarHttp

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
        self._pubsub = settings.pubsub_name
        self._statestore = settings.statestore_name
        self._app_topic = settings.app_topic
        self._app_ids = _app_ids(settings)
        self._http = SidecarHttp(settings)
        self._sidecar = Sidecar(settings, self._http.healthy)

    async def close(self) -> None:
        """Close the connections."""
        await self._sidecar.close()
        await self._http.close()

    async def healthy(self) -> bool:
        """Tell whether the sidecar is up with its components, whether or not it has found this app yet."""
        return await self._http.healthy()

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
        files: Mapping[str, tuple[str, bytes, str]] | None = None,
        headers: Mapping[str, str] | None = None,
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
            files: the files of a multipart body: field → name, content, media type.
            headers: what else the peer reads, such as `X-User-ID`.

        Raises:
            PeerRefused: the peer answered 4xx.
            PeerFailed: the peer answered 5xx, or 200 with `object: "error"`.
            Unavailable: the peer or the sidecar cannot be reached, or not in time.
        """
        name = self._app_ids.get(app_id, app_id)
        call = Call(
            method=method,
            path=f"invoke/{quote(name, safe='')}/method/{path.lstrip('/')}",
            headers={**_headers(), **(headers or {})},
            params=_query(params or {}),
            json=json,
            form=(lambda: _form(data or {}, files or {})) if data or files else None,
        )
        safe = method.upper() in _IDEMPOTENT_METHODS if idempotent is None else idempotent
        with timed(name if app_id in self._app_ids else "other"):
            return _answer_of(name, path, await self._http.send(call, name, timeout, retry=safe))

    async def publish(self, topic: str, payload: Mapping[str, Any], *, key: str | None = None) -> None:
        """Publish the flat envelope that the platform's services speak.

        What it lacks of `source`, `source_topic`, `type` and `time` is filled in.
        The content type says that it is a CloudEvent already, so that the sidecar adds its fields at the top level
        and does not wrap the envelope into `data`. It bears no `id`: receivers refuse fields they do not know.

        Args:
            topic: where it is published.
            payload: the envelope.
            key: what it is about. Kafka keeps the order of events with the same key; without one each may overtake
                any other.
        """
        nested = payload.get("payload")
        defaults = {
            "source": self._app_topic,
            "source_topic": self._app_topic,
            "type": (nested.get("type") if isinstance(nested, Mapping) else None) or "notification",
            "time": datetime.now(UTC).isoformat(),
        }
        with timed(DAPR):
            await self._sidecar.call(
                f"publish {topic}",
                lambda sdk: sdk.publish_event(
                    self._pubsub,
                    topic,
                    jsonlib.dumps({**defaults, **payload}),
                    publish_metadata={} if key is None else {"partitionKey": key},
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


def _headers() -> dict[str, str]:
    headers: dict[str, str] = {}
    inject(headers)
    current = request_id.get()
    return {**headers, "x-request-id": current} if current else headers


def _query(params: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the pairs of a query: a list is repeated, None is left out."""
    lists = ((name, value if isinstance(value, list | tuple) else [value]) for name, value in params.items())
    pairs = ((name, value) for name, values in lists for value in values if value is not None)
    return [(name, str(value).lower() if isinstance(value, bool) else str(value)) for name, value in pairs]


def _form(data: Mapping[str, Any], files: Mapping[str, tuple[str, bytes, str]]) -> FormData:
    form = FormData()
    for name, value in data.items():
        form.add_field(name, str(value))
    for name, (filename, content, media_type) in files.items():
        form.add_field(name, content, filename=filename, content_type=media_type)
    return form


def _answer_of(app_id: str, path: str, response: Response) -> Any:
    body = response.body
    failed = isinstance(body, dict) and body.get("object") == "error"
    if response.sidecar_error:
        raise unavailable(app_id, None, _loggable(body))
    outages.answered(app_id)
    if response.is_success and not failed:
        return body
    logger.warning("peer_failed", peer=app_id, path=path, status=response.status, answer=_loggable(body))
    if 400 <= response.status < 500:
        raise PeerRefused(_clear_message(body), response.status)
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
    if isinstance(message, dict):
        message = message.get("message") or message.get("error")
    clear = isinstance(message, str) and len(message) <= _CLEAR_MESSAGE_LENGTH and "\n" not in message
    return message if clear else None


DaprDep = Annotated[DaprClient, provided(DaprClient)]
