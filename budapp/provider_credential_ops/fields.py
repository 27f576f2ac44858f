"""What each provider asks its customers for: the fields of credentials, and where a credential can be checked."""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from budapp.commons.errors import UnprocessableContent
from budapp.commons.schemas import is_web_address

MAX_VALUE = 4000
_FILE = Path(__file__).with_name("providers.json")
_PLACE = re.compile(r"\{(\w+)(?:\|([^}]*))?\}")
_SHOWN = 4


class Field(BaseModel):
    """One field of a provider's credentials; what is a `password` is kept secret."""

    field: str
    label: str
    type: Literal["text", "password", "url"] = "text"
    description: str = ""
    required: bool = True


class Check(BaseModel):
    """How a credential is tried: a request that costs nothing, and is refused where the credential is not good.

    Attributes:
        url: asked by GET; `{field}` stands for the field, `{field|default}` for the default where that is empty.
        header: carries the secret `field`, after the `scheme` where there is one.
        headers: are sent beside it.
    """

    url: str
    header: str
    field: str = "api_key"
    scheme: str | None = None
    headers: dict[str, str] = {}


class ProviderFields(BaseModel):
    """What a provider asks for."""

    fields: list[Field]
    check: Check | None = None

    def validate_values(self, values: Mapping[str, Any]) -> dict[str, str]:
        """Return the values without the empty ones.

        Raises:
            UnprocessableContent: a field is unknown, missing, no text, too long or no address; it is named.
        """
        given = {name: _text(name, value) for name, value in values.items() if value not in (None, "")}
        known = {field.field: field for field in self.fields}
        for name in given:
            if name not in known:
                raise _refused(name, f"is no field of this provider; these are: {', '.join(known)}")
        for field in self.fields:
            if field.required and field.field not in given:
                raise _refused(field.field, "is required")
            if field.type == "url" and not is_web_address(given.get(field.field, "https://default")):
                raise _refused(field.field, "must be a web address, such as https://example.com")
        return given

    def is_secret(self, name: str) -> bool:
        """Tell whether the field is kept secret; one that the provider asks for no longer is."""
        return next((field.type == "password" for field in self.fields if field.field == name), True)


def masked(secret: str) -> str:
    """Return what is shown of a secret: its last four characters, where it is long enough to keep the rest."""
    return "*" * 8 + (secret[-_SHOWN:] if len(secret) >= 4 * _SHOWN else "")


def filled(template: str, values: Mapping[str, str]) -> str:
    """Return the address with the fields in it."""
    return _PLACE.sub(lambda found: values.get(found[1], found[2] or "").rstrip("/"), template)


def fields_of(type: str) -> ProviderFields | None:
    """Return what the provider asks for; None of a type that has no list of its own."""
    return _lists().get(type)


DEFAULT = ProviderFields(fields=[Field(field="api_key", label="API key", type="password")])
"""What is asked for where a provider of the catalog has no list of its own."""


@cache
def _lists() -> dict[str, ProviderFields]:
    return {type: ProviderFields.model_validate(found) for type, found in json.loads(_FILE.read_text()).items()}


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _refused(name, "must be a text")
    stripped = value.strip()
    if len(stripped) > MAX_VALUE or not stripped.isprintable():
        raise _refused(name, f"must be one line of at most {MAX_VALUE} characters")
    return stripped


def _refused(name: str, reason: str) -> UnprocessableContent:
    place = name[:100].encode("ascii", "replace").decode()
    return UnprocessableContent(f"{place} {reason}", param="other_provider_creds")
