"""A row's columns as the trail keeps them: plain JSON, without secrets, of bounded size."""

import hashlib
import json
import re
from typing import Any

from pydantic_core import to_jsonable_python

REDACTED = "***"
MAX_VALUE_CHARACTERS = 20_000

_SECRET_NAME = re.compile(
    r"password|secret|token|authorization|api_?key|cookie|private_?key|passphrase|_encrypted$|^encrypted_|_hash$|^hashed_",
    re.IGNORECASE,
)
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def is_secret(name: str) -> bool:
    """Tell whether a field is called like a secret."""
    return _SECRET_NAME.search(name) is not None


def kept(name: str, value: Any, *, secret: bool = False) -> Any:
    """Return what the trail keeps of a field's value: `***` for a secret, a digest of what is very long."""
    plain = _clean(name, to_jsonable_python(value, fallback=str, inf_nan_mode="strings"), secret or is_secret(name))
    text = plain if isinstance(plain, str) else json.dumps(plain) if isinstance(plain, dict | list) else ""
    if len(text) > MAX_VALUE_CHARACTERS:
        return {"sha256": hashlib.sha256(text.encode()).hexdigest(), "characters": len(text)}
    return plain


def clean_text(text: str | None, length: int) -> str | None:
    """Return the text as PostgreSQL can store it, cut at the length."""
    return None if text is None else _UNSTORABLE.sub("\ufffd", text)[:length]


def _clean(name: str, value: Any, secret: bool) -> Any:
    if secret and not (isinstance(value, bool) or value is None):
        return REDACTED
    if isinstance(value, dict):
        return {key: _clean(key, item, is_secret(key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_clean(name, item, False) for item in value]
    return _UNSTORABLE.sub("\ufffd", value) if isinstance(value, str) else value
