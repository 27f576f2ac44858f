"""Kubeconfigs as people upload them: what is taken, and what is refused at which place."""

import time
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from budapp.cluster_ops.kubeconfig import MAX_BYTES, parse_kubeconfig
from budapp.commons.errors import UnprocessableContent
from tests.clusters.kubeconfigs import config, dumped, pem


def refusal(content: bytes) -> UnprocessableContent:
    with pytest.raises(UnprocessableContent) as caught:
        parse_kubeconfig(content)
    return caught.value


def changed(path: str, value: Any) -> bytes:
    """Return a good kubeconfig with one thing in it that is not: `users.0.user.exec`."""
    document: Any = config()
    *way, last = path.split(".")
    target = document
    for step in way:
        target = target[int(step)] if step.isdigit() else target[step]
    target[int(last) if last.isdigit() else last] = value
    return dumped(document)


def test_a_good_one_is_written_anew_with_what_the_current_context_names() -> None:
    document = config(token="mine")
    document["users"].append({"name": "other", "user": {"token": "theirs"}})
    document["clusters"][0]["cluster"]["extensions"] = [{"name": "x", "extension": {"a": 1}}]
    found = parse_kubeconfig(dumped(document))
    written = yaml.safe_load(found.text)
    assert "theirs" not in found.text
    assert written["users"] == [{"name": "cluster", "user": {"token": "mine"}}]
    assert written["clusters"][0]["cluster"].keys() == {"server", "certificate-authority-data"}
    assert written["current-context"] == "cluster"
    assert found.server == document["clusters"][0]["cluster"]["server"]


@pytest.mark.parametrize(
    "user",
    [
        {"token": "t"},
        {"client-certificate-data": pem(), "client-key-data": pem("PRIVATE KEY")},
        {"username": "u", "password": "p"},
        {"token": "t", "as": "somebody", "as-groups": ["a", "b"]},
    ],
)
def test_credentials_that_are_in_the_file_are_taken(user: dict[str, Any]) -> None:
    assert yaml.safe_load(parse_kubeconfig(dumped(config(**user))).text)["users"][0]["user"] == user


@pytest.mark.parametrize(
    ("path", "value", "place"),
    [
        ("users.0.user.exec", {"command": "sh", "args": ["-c", "id"]}, "users[0].user.exec"),
        ("users.0.user.auth-provider", {"name": "gcp"}, "users[0].user.auth-provider"),
        ("users.0.user.tokenFile", "/var/run/secrets/token", "users[0].user.tokenFile"),
        ("users.0.user.client-certificate", "/etc/passwd", "users[0].user.client-certificate"),
        ("users.0.user.client-key", "../key", "users[0].user.client-key"),
        ("clusters.0.cluster.certificate-authority", "/etc/passwd", "clusters[0].cluster.certificate-authority"),
        ("clusters.0.cluster.server", "http://10.0.0.1", "clusters[0].cluster.server"),
        ("clusters.0.cluster.server", "file:///etc/passwd", "clusters[0].cluster.server"),
        ("clusters.0.cluster.server", "https://user:pw@10.0.0.1", "clusters[0].cluster.server"),
        ("clusters.0.cluster.server", "https://", "clusters[0].cluster.server"),
        ("clusters.0.cluster.server", 5, "clusters[0].cluster.server"),
        ("clusters.0.cluster.proxy-url", "file:///x", "clusters[0].cluster.proxy-url"),
        ("clusters.0.cluster.insecure-skip-tls-verify", "yes please", "clusters[0].cluster.insecure-skip-tls-verify"),
        ("clusters.0.cluster.certificate-authority-data", "%%%", "clusters[0].cluster.certificate-authority-data"),
        ("clusters.0.cluster.certificate-authority-data", "AAAA", "clusters[0].cluster.certificate-authority-data"),
        ("clusters.0.cluster.unheard-of", "x", "clusters[0].cluster.unheard-of"),
        ("clusters.0.cluster", ["x"], "clusters[0].cluster"),
        ("clusters", {}, "clusters"),
        ("clusters", [], "clusters"),
        ("clusters.0", "text", "clusters[0]"),
        ("users", None, "users"),
        ("users.0.user", {}, "users[0].user"),
        ("users.0.user", {"client-certificate-data": pem()}, "users[0].user"),
        ("users.0.user", {"username": "u"}, "users[0].user"),
        ("users", [{"name": "x", "user": {"token": token}} for token in "ab"], "users[1].name"),
        ("users.0.user.token", 12345, "users[0].user.token"),
        ("users.0.user.token", "a\nb", "users[0].user.token"),
        ("users.0.user.as-groups", ["a", 1], "users[0].user.as-groups"),
        ("users.0.name", "", "users[0].name"),
        ("contexts.0.context.user", "nobody", "contexts[0].context.user"),
        ("contexts.0.context.cluster", None, "contexts[0].context.cluster"),
        ("current-context", "nothing", "current-context"),
        ("current-context", None, "current-context"),
        ("kind", "Secret", "kind"),
        ("apiVersion", "v2", "apiVersion"),
        ("surprise", 1, "surprise"),
    ],
)
def test_what_a_server_must_not_do_or_read_is_refused_at_its_place(path: str, value: Any, place: str) -> None:
    error = refusal(changed(path, value))
    assert error.text.startswith(place), error.text
    assert error.param == "configuration_file"


_BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: [*b,*b,*b,*b,*b,*b,*b,*b,*b]\n"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (_BOMB, "a uses an anchor"),
        (b"a: &a b\n", "a uses an anchor"),
        (b"a: *a\n", "a uses an anchor or alias"),
        (b"<<: {a: b}\n", "key that is no plain name"),
        (b"a: !!python/object/apply:os.system ['id']\n", "a has a YAML tag"),
        (b"a: !!binary aGk=\n", "a has a YAML tag"),
        (b"kind: Config\n---\nkind: Config\n", "second document"),
        (b"kind: Config\nkind: Config\n", "kind is given twice"),
        (b"[" * 100_000, "nested deeper"),
        (b"- " * 100_000, "nested deeper"),
        (b"{a: " * 50_000, "nested deeper"),
        (b"a: [" + b"x," * 20_000 + b"]", "more in it than a kubeconfig"),
        (b"x" * (MAX_BYTES + 1), "larger than 256 KiB"),
        (b"\xff\xfe\x00", "not UTF-8"),
        (b"a: \x00\n", "not YAML"),
        (b"", "is empty"),
        (b"# nothing\n", "is empty"),
        (b"just text", "must be a mapping"),
        (b"- a\n- b\n", "must be a mapping"),
        (b"a: 'open\n", "Line"),
        (b"? [a]\n: b\n", "key that is no plain name"),
        (b"1: b\n", "key that is no plain name"),
    ],
    ids=lambda value: value[:20] if isinstance(value, str) else None,
)
def test_tricks_of_yaml_are_refused_at_once(content: bytes, says: str) -> None:
    began = time.monotonic()
    assert says in refusal(content).text
    assert time.monotonic() - began < 3


def test_no_refusal_quotes_the_file() -> None:
    for content in (changed("users.0.user.token", ["top-secret"]), b"token: 'top-secret\n", b"a: &x top-secret\n"):
        assert "top-secret" not in refusal(content).text


_TEXT = st.text(st.characters(codec="utf-8"), max_size=30)
_KEYS = st.sampled_from(
    ["clusters", "users", "contexts", "name", "cluster", "user", "context", "server", "exec", "token", "kind"]
)
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS | _TEXT, inner, max_size=5),
    max_leaves=30,
)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300) | _TEXT.map(str.encode) | _JSON.map(dumped))
def test_whatever_comes_is_taken_or_refused(content: bytes) -> None:
    try:
        parse_kubeconfig(content)
    except UnprocessableContent as error:
        problem = error
    else:
        return
    assert problem.errors[0]["loc"][:2] == ["body", "configuration_file"]


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["", "clusters.0", "clusters.0.cluster", "users.0", "users.0.user", "contexts.0.context"]),
    _KEYS | _TEXT,
    _JSON,
)
def test_one_odd_member_in_a_good_one_never_gets_through_unchecked(where: str, key: str, value: Any) -> None:
    document: Any = config()
    target = document
    for step in where.split(".") if where else ():
        target = target[int(step)] if step.isdigit() else target[step]
    target[key] = value
    try:
        found = parse_kubeconfig(dumped(document))
    except UnprocessableContent:
        return
    written = yaml.safe_load(found.text)
    assert {"exec", "auth-provider", "tokenFile"}.isdisjoint(written["users"][0]["user"])
    assert written["clusters"][0]["cluster"]["server"].startswith("https://")
    assert parse_kubeconfig(found.text.encode()).server == found.server, "what is written can be read again"
