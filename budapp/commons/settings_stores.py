"""Settings kept in the Dapr configuration and secret stores, read once at start."""

import time
from collections.abc import Mapping
from typing import Any

import httpx
from dapr.clients import DaprClient
from dapr.clients.exceptions import DaprInternalError
from grpc import RpcError
from pydantic.fields import FieldInfo
from pydantic_settings import PydanticBaseSettingsSource

from budapp.commons.dapr_sdk import configure_sdk, grpc_address

_PREFIX = "budapp_"


class StoresUnreachable(Exception):
    """The sidecar does not answer, or a store can't be read; the message says which, and what to do."""


class DaprStores(PydanticBaseSettingsSource):
    """Settings kept in the Dapr configuration and secret stores, where `CONFIGSTORE_NAME` or `SECRETSTORE_NAME` is set.

    A key counts with or without the prefix `budapp_`, in any case, as the other bud-stack services write them.
    """

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Part of the base class' interface; the whole mapping is built in `__call__`."""
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return the values that the configured stores hold for fields of the settings.

        Raises:
            StoresUnreachable: see the class.
        """
        configstore, secretstore = self._value("configstore_name"), self._value("secretstore_name")
        if not configstore and not secretstore:
            return {}
        base_url, token = str(self._value("dapr_base_url")).rstrip("/"), self._value("dapr_api_token")
        _wait_for_sidecar(base_url, token, float(self._value("dapr_wait_seconds")))
        configure_sdk(base_url, token)
        try:
            with DaprClient(grpc_address(base_url, int(self._value("dapr_grpc_port")))) as dapr:
                found = read_items(dapr.get_configuration(configstore, []).items) if configstore else {}
                found |= _read_secrets(dapr, secretstore) if secretstore else {}
        except (RpcError, DaprInternalError, TimeoutError) as error:
            raise StoresUnreachable(_reason(error)) from None
        values = {name: value for name, value in found.items() if name in self.settings_cls.model_fields}
        return {**values, "from_stores": frozenset(values.keys() - self.current_state.keys())}

    def _value(self, name: str) -> Any:
        return self.current_state.get(name, self.settings_cls.model_fields[name].default)


def field_name(key: str) -> str:
    """Return which field of the settings a store's key stands for."""
    return key.lower().removeprefix(_PREFIX)


def read_items(items: Mapping[str, Any]) -> dict[str, Any]:
    """Return field → value of what a configuration store holds."""
    return {field_name(key): item.value for key, item in items.items()}


def _read_secrets(dapr: DaprClient, store: str) -> dict[str, Any]:
    secrets = dapr.get_bulk_secret(store).secrets
    return {field_name(key): next(iter(parts.values())) for key, parts in secrets.items() if parts}


def _wait_for_sidecar(base_url: str, token: str | None, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    headers = {"dapr-api-token": token} if token else {}
    with httpx.Client(headers=headers, timeout=2, trust_env=False) as http:
        while not _answers(http, f"{base_url}/v1.0/healthz/outbound"):
            if time.monotonic() >= deadline:
                raise StoresUnreachable(f"the sidecar at {base_url} does not answer (DAPR_BASE_URL, DAPR_API_TOKEN)")
            time.sleep(0.2)


def _answers(http: httpx.Client, url: str) -> bool:
    try:
        return http.get(url).is_success
    except httpx.HTTPError:
        return False


def _reason(error: Exception) -> str:
    details = error.details() if isinstance(error, RpcError) and hasattr(error, "details") else str(error)
    return str(details)
