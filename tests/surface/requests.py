"""The valid requests to all routes, filled in."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from tests.surface.share import Things, Valid
from tests.surface.shares import SHARES

REQUESTS: dict[str, Valid] = {name: valid for share in SHARES for name, valid in share.requests.items()}


@dataclass(frozen=True)
class Filled:
    """A request, ready to be sent."""

    method: str
    path: str
    params: dict[str, str]
    query: dict[str, Any]
    body: Any
    files: Mapping[str, tuple[str | None, bytes]] | None = None

    @property
    def url(self) -> str:
        """The path and the query; what is no text at all is sent as it is, as a client may."""
        path = re.sub(r"{(\w+)}", lambda found: quote(self.params[found[1]], "", errors="surrogatepass"), self.path)
        query = urlencode(self.query, doseq=True, errors="surrogatepass")
        return f"{path}?{query}" if query else path


def fill(operation: str, things: Things, valid: Valid | None = None) -> Filled:
    """Return the valid request to the operation (`METHOD /path`) about these things: the declared one, or another.

    Raises:
        KeyError: a path parameter that nothing stands for.
    """
    method, _, path = operation.partition(" ")
    valid = valid or REQUESTS.get(operation, Valid())
    params = {name: things[valid.path.get(name, name)] for name in re.findall(r"{(\w+)}", path)}
    query = valid.query(things) if valid.query else {}
    files = {name: field_of(value) for name, value in valid.form(things).items()} if valid.form else valid.files
    return Filled(method, path, params, query, valid.body(things) if valid.body else None, files)


def field_of(value: Any) -> tuple[str | None, bytes]:
    """Return a field of a form as it is sent."""
    return None, str(value).encode(errors="replace")
