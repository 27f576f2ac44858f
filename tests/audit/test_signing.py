"""The links of a chain, whatever is in them."""

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budapp.audit.models import AuditEntry
from budapp.commons.signing import FIRST, SIGNED, Keys, canonical

KEYS = Keys({"new": b"n" * 32, "old": b"o" * 32})
CHAIN = UUID(int=1)

scalars = st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e9, 1e9) | st.text(max_size=20)
states = st.dictionaries(st.text(max_size=8), st.recursive(scalars, lambda inner: st.lists(inner, max_size=3)))


LINK = {"chain_id": CHAIN, "position": 2, "entry_id": UUID(int=2), "record_hash": "a" * 64, "key_id": "new"}


@pytest.mark.parametrize(
    ("part", "other"),
    [
        *(("chain_id", UUID(int=3)), ("position", 3), ("entry_id", UUID(int=3))),
        *(("record_hash", "b" * 64), ("key_id", "old"), ("previous", "c" * 64)),
    ],
)
def test_every_part_of_a_link_is_signed(part: str, other: Any) -> None:
    changed = {**LINK, "previous": FIRST, part: other}
    assert KEYS.chain_hash(changed, changed["previous"]) != KEYS.chain_hash(LINK, FIRST)


ENTRY = dict.fromkeys(AuditEntry.__table__.columns.keys()) | {"key_id": "new"}
NOT_SIGNED = {"record_hash", "created_at", "modified_at"}
"""The signature itself, and what the database adds."""


@pytest.mark.parametrize("field", sorted(ENTRY.keys() - NOT_SIGNED))
def test_every_field_of_an_entry_is_signed(field: str) -> None:
    changed = {**ENTRY, field: "old" if field == "key_id" else "other"}
    assert KEYS.record_hash(changed) != KEYS.record_hash(ENTRY)


def linked(hashes: list[str]) -> list[dict[str, Any]]:
    links: list[dict[str, Any]] = []
    for number, record_hash in enumerate(hashes, 1):
        link = {"chain_id": CHAIN, "position": number, "entry_id": UUID(int=number), "record_hash": record_hash}
        previous = links[-1]["chain_hash"] if links else FIRST
        link["key_id"] = "old" if number % 2 else "new"
        links.append({**link, "chain_hash": KEYS.chain_hash(link, previous)})
    return links


def holds(links: list[dict[str, Any]], head: str) -> bool:
    previous = FIRST
    for number, link in enumerate(links, 1):
        if link["position"] != number or KEYS.chain_hash(link, previous) != link["chain_hash"]:
            return False
        previous = link["chain_hash"]
    return previous == head


@given(st.lists(st.text("0123456789abcdef", min_size=64, max_size=64), min_size=2, max_size=12), st.data())
def test_no_link_can_be_dropped_repeated_moved_or_changed(hashes: list[str], data: st.DataObject) -> None:
    links = linked(hashes)
    head = links[-1]["chain_hash"]
    assert holds(links, head)
    at = data.draw(st.integers(0, len(links) - 1))
    other = data.draw(st.integers(0, len(links) - 1).filter(lambda n: n != at))
    dropped = links[:at] + links[at + 1 :]
    moved = [*dropped[:other], links[at], *dropped[other:]]
    changed = [*links[:at], {**links[at], "entry_id": UUID(int=99)}, *links[at + 1 :]]
    for broken in (dropped, moved, changed, [*links, links[at]]):
        assert not holds(broken, head)


def entry(details: Any) -> dict[str, Any]:
    return dict.fromkeys(SIGNED) | {"key_id": "new", "details": details}


@given(states)
def test_an_entry_has_one_text_before_and_after_json(details: dict[str, Any]) -> None:
    assert canonical(entry(details)) == canonical(entry(json.loads(json.dumps(details))))


@given(states, states)
def test_two_entries_have_two_texts(one: dict[str, Any], other: dict[str, Any]) -> None:
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    if canonical(entry(one)) == canonical(entry(other)):
        assert same or one == other
    else:
        assert not same


def test_numbers_that_postgresql_takes_for_one_have_one_text() -> None:
    assert len({canonical(entry({"n": n})) for n in (100000, 100000.0, 1e5)}) == 1
    assert canonical(entry({"n": True})) != canonical(entry({"n": 1}))


def test_another_key_signs_otherwise_and_an_unknown_one_verifies_nothing() -> None:
    assert KEYS.sign("entry", "x", "old") != KEYS.sign("entry", "x")
    assert not KEYS.matches("entry", "x", "unknown", KEYS.sign("entry", "x"))
    assert KEYS.sign("entry", "x") != KEYS.sign("seal", "x")
