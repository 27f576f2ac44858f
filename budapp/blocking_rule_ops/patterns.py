"""What a rule says, as far as the gateway can act on it in a time that does not depend on who is turned away."""

import re
from collections.abc import Iterable
from ipaddress import ip_network
from re import _constants as kinds  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

MAX_PATTERN = 200
_MAX_REPEAT = 1_000
_NOT_LINEAR = {
    getattr(kinds, name)
    for name in ("ASSERT", "ASSERT_NOT", "GROUPREF", "GROUPREF_EXISTS", "ATOMIC_GROUP", "POSSESSIVE_REPEAT")
}
"""What an engine without backtracking, such as the gateway's, does not have."""
_REPEATS = {kinds.MAX_REPEAT, kinds.MIN_REPEAT}


def network(value: str) -> str:
    """Return the address or network in its usual form.

    Raises:
        ValueError: it is none, or it is everybody.
    """
    try:
        found = ip_network(value.strip(), strict=False)
    except ValueError:
        raise ValueError("must be IP addresses or networks, such as 203.0.113.7 or 198.51.100.0/24") from None
    if found.prefixlen == 0:
        raise ValueError("must not be a network of everybody")
    return str(found.network_address) if found.prefixlen == found.max_prefixlen else str(found)


def pattern(value: str) -> str:
    """Return the pattern of a user agent: a part of it, with `*` and `?` in it, or a regular expression in slashes.

    Raises:
        ValueError: it fits everybody, or the expression is none that an engine without backtracking takes.
    """
    if not value.strip("*? /."):
        raise ValueError("must not fit everybody")
    if len(value) > 2 and value.startswith("/") and value.endswith("/"):
        _check_expression(value[1:-1])
    return value


def _check_expression(expression: str) -> None:
    try:
        parsed = parser.parse(expression)
    except (re.error, OverflowError, RecursionError):
        raise ValueError("must be regular expressions, where they stand in slashes") from None
    _check_parts(parsed, depth=0)


def _check_parts(parts: Iterable[Any], depth: int) -> None:
    for kind, argument in parts:
        if kind in _NOT_LINEAR:
            raise ValueError("must do without look-around, references to groups and possessive repeats")
        if kind in _REPEATS:
            low, high, inner = argument
            if low > _MAX_REPEAT or (high is not kinds.MAXREPEAT and high > _MAX_REPEAT):
                raise ValueError(f"must repeat nothing more than {_MAX_REPEAT} times")
            if depth and high is not kinds.MAXREPEAT and high > 1:
                raise ValueError("must not repeat within what is repeated")
            _check_parts(inner, depth + (high is not kinds.MAXREPEAT and high > 1))
        elif kind is kinds.SUBPATTERN:
            _check_parts(argument[-1], depth)
        elif kind is kinds.BRANCH:
            for branch in argument[1]:
                _check_parts(branch, depth)
