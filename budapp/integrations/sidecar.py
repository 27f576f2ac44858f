"""The connection to the sidecar by Dapr's SDK: one gRPC channel, over which calls run side by side.

The SDK's constructor waits for the sidecar and blocks the event loop meanwhile, so it is called only once a probe has
been answered. When the sidecar goes away, the client is dropped and the next call probes again: a channel left to
itself would wait up to two minutes before it looks whether the sidecar is back.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

from dapr.aio.clients import DaprClient as SdkClient
from dapr.clients.exceptions import DaprInternalError
from grpc import RpcError, StatusCode
from grpc.aio import UsageError
from opentelemetry.instrumentation.grpc import aio_client_interceptors

from budapp.commons.config import Settings
from budapp.commons.dapr_sdk import configure_sdk, grpc_address
from budapp.commons.errors import Conflict, Unavailable
from budapp.commons.in_flight import InFlight
from budapp.commons.logging import get_logger
from budapp.commons.outages import DAPR, outages, unavailable

logger = get_logger(__name__)

TRIES = 3

Result = TypeVar("Result")
Operation = Callable[[SdkClient], Awaitable[Result]]


class SidecarError(Exception):
    """What the sidecar answered, whichever of its exceptions the SDK raised."""

    def __init__(self, code: StatusCode | None, details: str) -> None:
        super().__init__(f"{code.name if code else 'UNKNOWN'}: {details}")
        self.code = code

    @classmethod
    def of(cls, error: BaseException | None) -> Self:
        """Translate the SDK's exception; that of a saved state hides the gRPC error as its cause."""
        found = error.__cause__ if isinstance(error, DaprInternalError) else error
        if isinstance(found, RpcError) and hasattr(found, "code") and hasattr(found, "details"):
            return cls(found.code(), str(found.details())[:500])
        return cls(None, repr(error))

    @property
    def is_gone(self) -> bool:
        """Whether the sidecar could not be reached, rather than refused."""
        return self.code == StatusCode.UNAVAILABLE


class Sidecar:
    """The sidecar of this process, connected to by the first call; everything runs in the loop of that call.

    Args:
        settings: where it is.
        healthy: asks it whether it is up.
    """

    def __init__(self, settings: Settings, healthy: Callable[[], Awaitable[bool]]) -> None:
        token = settings.dapr_api_token
        self._base_url = settings.dapr_base_url
        self._address = grpc_address(settings.dapr_base_url, settings.dapr_grpc_port)
        self._token = token.get_secret_value() if token else None
        self._healthy = healthy
        self._sdk: SdkClient | None = None
        self._connecting: InFlight[None, SdkClient] = InFlight()

    async def close(self) -> None:
        """Close the channel; calls that are under way end as `Unavailable`."""
        if self._sdk is not None:
            await self._drop(self._sdk)

    async def call(self, name: str, operation: Operation[Result], seconds: float, *, retry: bool = True) -> Result:
        """Return what the operation does with the SDK's client.

        Args:
            name: tells the operation in the log.
            operation: one call to the SDK.
            seconds: the deadline of the whole call, tries and pauses included.
            retry: whether doing it twice does no harm.

        Raises:
            Conflict: an etag does not match any more.
            Unavailable: the sidecar, or the component behind it, can't be reached in time, or refuses.
        """
        try:
            async with asyncio.timeout(seconds):
                result = await self._call_again(operation, TRIES if retry else 1)
        except TimeoutError as error:
            raise unavailable(DAPR, None, f"no answer to {name} within {seconds} s") from error
        except SidecarError as error:
            if error.code == StatusCode.ABORTED:
                raise Conflict from error
            if error.is_gone:
                raise unavailable(DAPR, None, error) from error
            logger.warning("dapr_refused", operation=name, error=str(error))
            raise Unavailable from error
        outages.answered(DAPR)
        return result

    async def _call_again(self, operation: Operation[Result], tries: int) -> Result:
        for attempt in range(tries - 1):
            try:
                return await self._call_once(operation)
            except SidecarError as error:
                if not error.is_gone:
                    raise
            await asyncio.sleep(pause_before_retry(attempt))
        return await self._call_once(operation)

    async def _call_once(self, operation: Operation[Result]) -> Result:
        sdk = self._sdk or await self._connect()
        try:
            return await operation(sdk)
        except (RpcError, DaprInternalError) as error:
            failure = SidecarError.of(error)
            if failure.is_gone:
                await self._drop(sdk)
            raise failure from error
        except UsageError as error:
            raise SidecarError(StatusCode.UNAVAILABLE, "the channel was closed") from error
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            raise SidecarError(StatusCode.UNAVAILABLE, "the channel was closed meanwhile") from error

    async def _connect(self) -> SdkClient:
        """Make a client, once for all who wait for one."""
        return await self._connecting.share(None, self._make_client)

    async def _make_client(self) -> SdkClient:
        if not await self._healthy():
            raise SidecarError(StatusCode.UNAVAILABLE, f"{self._base_url} does not answer")
        configure_sdk(self._base_url, self._token)
        try:
            self._sdk = SdkClient(self._address, interceptors=aio_client_interceptors())  # type: ignore[no-untyped-call]
        except TimeoutError as error:
            raise SidecarError(StatusCode.UNAVAILABLE, f"{self._base_url} does not answer any more") from error
        return self._sdk

    async def _drop(self, sdk: SdkClient) -> None:
        if self._sdk is sdk:
            self._sdk = None
            await sdk.close()  # type: ignore[no-untyped-call]


def pause_before_retry(attempt: int) -> float:
    """Return how many seconds to wait after an attempt: twice as long each time, never quite the same."""
    return random.uniform(0.1, 0.2) * float(2**attempt)  # noqa: S311 - jitter
