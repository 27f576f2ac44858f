"""Where Dapr's SDK finds the sidecar: its health check and token come from settings of the whole process."""

from urllib.parse import urlsplit

from dapr.conf import settings as sdk_settings

CALL_SECONDS = 10


def configure_sdk(base_url: str, token: str | None) -> None:
    """Point the SDK at a sidecar; to be called right before a client is made.

    A client made now checks the sidecar's health once, for half a second at most, and its calls end after
    `CALL_SECONDS` where nothing shorter is asked for.
    """
    values = {
        "DAPR_HTTP_ENDPOINT": base_url,
        "DAPR_API_TOKEN": token or None,
        "DAPR_HEALTH_TIMEOUT": 0,
        "DAPR_API_TIMEOUT_SECONDS": CALL_SECONDS,
        # No HTTP client for invocations beside the channel: its constructor would check the sidecar a second time.
        "DAPR_API_METHOD_INVOCATION_PROTOCOL": "grpc",
    }
    for name, value in values.items():
        setattr(sdk_settings, name, value)


def grpc_address(base_url: str, port: int) -> str:
    """Return where the sidecar listens for gRPC: on the host of its HTTP API."""
    parts = urlsplit(base_url)
    host = parts.hostname or "127.0.0.1"
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    return f"{address}?tls=true" if parts.scheme == "https" else address
