"""How this service connects to others over HTTP."""

import httpx


class Transport(httpx.AsyncHTTPTransport):
    """httpx' own transport, on which a peer that resets a connection while it is being made is a `ConnectError`.

    Under uvloop such a connection has no socket any more when anyio asks for it, which is an `AttributeError` there.
    """

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request."""
        try:
            return await super().handle_async_request(request)
        except AttributeError as error:
            raise httpx.ConnectError("The connection was reset at once", request=request) from error
