"""Kubeconfigs that people upload: untrusted text, read within a budget, of which nothing goes on but what was checked.

What budcluster gets is written anew, from the cluster and the user of the current context alone: whoever reads YAML
another way reads the same, and no other credential of the file leaves.
"""

import asyncio
import base64
import binascii
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import yaml

from budapp.cluster_ops.kubeconfig_schema import ENTRIES, LISTS, REFUSED, Kind
from budapp.commons.errors import UnprocessableContent

FIELD = "configuration_file"
MAX_BYTES = 256 * 1024
MAX_NODES = 10_000
MAX_DEPTH = 16
MAX_SECONDS = 2.0
_MAX_NAME = 253

_INTEGER = re.compile(r"[-+]?[0-9]+|0x[0-9a-fA-F]+|0o?[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE, _FALSE = frozenset({"true", "True", "TRUE"}), frozenset({"false", "False", "FALSE"})


@dataclass(frozen=True, slots=True)
class Kubeconfig:
    """A kubeconfig that may be used.

    Attributes:
        server: the address of the cluster's API.
        text: the file as budcluster gets it.
    """

    server: str
    text: str


async def read_kubeconfig(content: bytes) -> Kubeconfig:
    """Return what the file says, read beside the event loop.

    Raises:
        UnprocessableContent: it can't be used; the message names the place, and quotes no value of the file.
    """
    return await asyncio.to_thread(parse_kubeconfig, content)


def parse_kubeconfig(content: bytes) -> Kubeconfig:
    """Return what the file says; see `read_kubeconfig`."""
    if len(content) > MAX_BYTES:
        raise refused("", f"is larger than {MAX_BYTES // 1024} KiB")
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise refused("", "is not UTF-8 text") from None
    document = _Reader(text).document()
    if not isinstance(document, dict):
        raise refused("", "must be a mapping, such as `kubectl config view --raw --minify` writes")
    return _checked(document)


def refused(place: str, problem: str) -> UnprocessableContent:
    """Return the error for what stands at a place of the file."""
    message = f"{place} {problem}" if place else f"The file {problem}"
    errors = [{"loc": ["body", FIELD, *([place] if place else [])], "msg": problem, "type": "kubeconfig"}]
    return UnprocessableContent(message, param=FIELD, errors=errors)


class _Reader:
    """One document of plain YAML: no anchors, aliases, tags, merge keys or repeated keys, and within the budget."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._nodes = 0
        self._until = time.monotonic() + MAX_SECONDS

    def document(self) -> Any:
        """Return the document's value."""
        try:
            return self._read()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            raise refused(_line(mark) if mark else "", "is not YAML") from None
        except (yaml.YAMLError, ValueError, RecursionError):
            raise refused("", "is not YAML") from None

    def _read(self) -> Any:
        events = self._events()
        found: list[Any] = []
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent) and found:
                raise refused(_line(event.start_mark), "begins a second document; a kubeconfig is one")
            if isinstance(event, yaml.NodeEvent):
                found.append(self._node(event, events, "", 1))
        if not found:
            raise refused("", "is empty")
        return found[0]

    def _events(self) -> Iterator[yaml.Event]:
        for event in yaml.parse(self._text, Loader=yaml.CSafeLoader):
            self._nodes += 1
            if self._nodes > MAX_NODES or time.monotonic() > self._until:
                raise refused(_line(event.start_mark), "is too much: the file has more in it than a kubeconfig")
            yield event

    def _node(self, event: yaml.Event, events: Iterator[yaml.Event], place: str, depth: int) -> Any:
        where = place or _line(event.start_mark)
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise refused(where, "uses an anchor or alias, which is not taken")
        if getattr(event, "tag", None):
            raise refused(where, "has a YAML tag, which is not taken")
        if depth > MAX_DEPTH:
            raise refused(where, f"is nested deeper than {MAX_DEPTH} levels")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(events, place, depth)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(events, place, depth)
        assert isinstance(event, yaml.ScalarEvent)
        return _scalar(event)

    def _mapping(self, events: Iterator[yaml.Event], place: str, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for event in events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            key = self._node(event, events, place, depth + 1)
            if not isinstance(key, str) or key == "<<" or len(key) > _MAX_NAME:
                raise refused(place or _line(event.start_mark), "has a key that is no plain name")
            if key in found:
                raise refused(_inside(place, key), "is given twice")
            found[key] = self._node(next(events), events, _inside(place, key), depth + 1)
        return found

    def _sequence(self, events: Iterator[yaml.Event], place: str, depth: int) -> list[Any]:
        found: list[Any] = []
        for event in events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            found.append(self._node(event, events, f"{place}[{len(found)}]", depth + 1))
        return found


def _line(mark: Any) -> str:
    return f"Line {mark.line + 1}, column {mark.column + 1}"


def _inside(place: str, key: str) -> str:
    """Return the place of a key; one that is not a name as kubeconfigs have them may be anything, and is not shown."""
    name = key if re.fullmatch(r"[A-Za-z][A-Za-z0-9_-]{0,60}", key) else "(a key)"
    return f"{place}.{name}" if place else name


def _scalar(event: yaml.ScalarEvent) -> Any:
    value = event.value
    if not event.implicit[0]:  # quoted
        return value
    if value in _NULLS:
        return None
    if value in _TRUE or value in _FALSE:
        return value in _TRUE
    if _INTEGER.fullmatch(value):
        return 0  # which one does not matter: no field of a kubeconfig is a number
    return 0.0 if _FLOAT.fullmatch(value) else value


def _checked(document: dict[str, Any]) -> Kubeconfig:
    for key in document:
        if key not in {"apiVersion", "kind", "current-context", "preferences", "extensions", *LISTS}:
            raise refused(_inside("", key), "is not a field of a kubeconfig")
    for key, value in (("apiVersion", "v1"), ("kind", "Config")):
        if document.get(key, value) != value:
            raise refused(key, f"must be {value}")
    clusters, users, contexts = (_entries(document, name) for name in LISTS)
    name = _name(document.get("current-context"), "current-context")
    if name not in contexts:
        raise refused("current-context", "names no context of the file")
    place, context = contexts[name]
    cluster = _named(clusters, context.get("cluster"), f"{place}.cluster")
    user = _named(users, context.get("user"), f"{place}.user")
    _check_usable(*user)
    return _written(cluster[1], user[1], context)


def _entries(document: dict[str, Any], name: str) -> dict[str, tuple[str, dict[str, Any]]]:
    """Return the entries of a list by their names, each with its place; all are checked, used or not."""
    entries = document.get(name)
    if not isinstance(entries, list) or not entries:
        raise refused(name, "must be a list with something in it")
    kind, fields = ENTRIES[name]
    found: dict[str, tuple[str, dict[str, Any]]] = {}
    for number, entry in enumerate(entries):
        place = f"{name}[{number}]"
        if not isinstance(entry, dict) or not entry.keys() <= {"name", kind}:
            raise refused(place, f"must have a name and a {kind}, and nothing else")
        entry_name = _name(entry.get("name"), f"{place}.name")
        if entry_name in found:
            raise refused(f"{place}.name", "is the name of two entries")
        found[entry_name] = (f"{place}.{kind}", _fields(entry.get(kind), f"{place}.{kind}", fields))
    return found


def _fields(value: Any, place: str, fields: dict[str, Kind]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise refused(place, "must be a mapping")
    found: dict[str, Any] = {}
    for key, part in value.items():
        if key in REFUSED:
            raise refused(f"{place}.{key}", REFUSED[key])
        if key not in fields:
            raise refused(_inside(place, key), "is not a field that is taken")
        if part is not None and fields[key] is not Kind.DROPPED:
            _check_kind(part, f"{place}.{key}", fields[key])
            found[key] = part
    return found


def _check_kind(value: Any, place: str, kind: Kind) -> None:
    if kind is Kind.FLAG:
        if not isinstance(value, bool):
            raise refused(place, "must be true or false")
        return
    if kind is Kind.NAMES:
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            raise refused(place, "must be a list of texts")
        return
    if not isinstance(value, str) or not value:
        raise refused(place, "must be a text")
    if any(ord(character) < 32 or ord(character) == 127 for character in value) and kind is not Kind.PEM:
        raise refused(place, "has a control character in it")
    if kind is Kind.SERVER and not _is_address(value, {"https"}):
        raise refused(place, "must be an address such as https://10.0.0.1:6443, with no user in it")
    if kind is Kind.PROXY and not _is_address(value, {"http", "https", "socks5"}):
        raise refused(place, "must be an address such as http://proxy:3128, with no user in it")
    if kind is Kind.PEM:
        _check_pem(value, place)


def _is_address(value: str, schemes: set[str]) -> bool:
    try:
        parts = urlsplit(value)
        port = parts.port  # raises where it is none
    except ValueError:
        return False
    plain = parts.username is None and parts.password is None and not parts.query and not parts.fragment
    return parts.scheme in schemes and bool(parts.hostname) and plain and port != 0 and len(value) <= 2000


def _check_pem(value: str, place: str) -> None:
    try:
        decoded = base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        raise refused(place, "is not base64") from None
    if b"-----BEGIN " not in decoded:
        raise refused(place, "is not a certificate or key in PEM, in base64")


def _name(value: Any, place: str) -> str:
    if not isinstance(value, str) or not value or len(value) > _MAX_NAME or not value.isprintable():
        raise refused(place, f"must be a text of 1 to {_MAX_NAME} characters")
    return value


def _named(entries: dict[str, tuple[str, dict[str, Any]]], name: Any, place: str) -> tuple[str, dict[str, Any]]:
    if name is None or name not in entries:
        raise refused(place, "names no entry of the file")
    return entries[name]


def _check_usable(place: str, user: dict[str, Any]) -> None:
    """Refuse a user without credentials in the file itself."""
    certificate = {"client-certificate-data", "client-key-data"} <= user.keys()
    if not (certificate or "token" in user or {"username", "password"} <= user.keys()):
        needed = "a token, client-certificate-data with client-key-data, or username and password"
        raise refused(place, f"has no credentials: it needs {needed}")


def _written(cluster: dict[str, Any], user: dict[str, Any], context: dict[str, Any]) -> Kubeconfig:
    if "server" not in cluster:
        raise refused("clusters", "has no server for the current context")
    name = "cluster"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": name, "user": user}],
        "contexts": [{"name": name, "context": {**context, "cluster": name, "user": name}}],
        "current-context": name,
    }
    return Kubeconfig(cluster["server"], yaml.safe_dump(document, sort_keys=False))
