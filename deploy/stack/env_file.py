"""The `.env` file: made once from `.env.sample` with secrets of its own, then only read."""

import base64
import os
import re
import secrets
import string
from collections.abc import Callable
from pathlib import Path

GENERATED = "# generated"
TEST_PORT_SHIFT = 20_000
HIGHEST_PORT = 65_535
TEST_VALUES = {"PEERS_STEP_SECONDS": "0.05", "PEERS_STATUS_SECONDS": "0"}

_LINE = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*?)\s*$")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def read(*paths: Path) -> dict[str, str]:
    """Return the variables of the files, a later file before an earlier one, with `${NAME}` filled in."""
    raw: dict[str, str] = {}
    for path in paths:
        raw |= _assignments(path.read_text(encoding="utf-8"))
    values: dict[str, str] = {}
    for name, value in raw.items():
        values[name] = _REFERENCE.sub(lambda match: values.get(match[1], ""), value)
    return values


def names(path: Path) -> set[str]:
    """Return the names that a file sets."""
    return names_in(path.read_text(encoding="utf-8"))


def create(target: Path, sample: Path, *, for_tests: bool = False) -> bool:
    """Make `target` from the sample, with generated secrets; return False, and change nothing, where it exists.

    For tests every port moves, and every app id gets a suffix of this checkout's own: mDNS knows the app ids of the
    whole machine, and would hand a call to the same app of another checkout's stack.
    """
    if target.exists():
        return False
    lines = _with_secrets(sample.read_text(encoding="utf-8").splitlines())
    if for_tests:
        suffix = f"test-{secrets.token_hex(2)}"
        lines = [_for_tests(line, suffix) for line in lines]
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f"{target.name}.{os.getpid()}")
    temporary.touch(mode=0o600)
    temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    try:
        os.link(temporary, target)
    except FileExistsError:
        return False
    finally:
        temporary.unlink()
    return True


def complete_for_tests(target: Path, sample: Path) -> list[str]:
    """Add what the sample has got since the test stack's file was made, and return the names."""
    known = names(target)
    lines = [line for line in _with_secrets(sample.read_text(encoding="utf-8").splitlines()) if _LINE.match(line)]
    new = [_for_tests(line, "test") for line in lines if not names_in(line) <= known]
    if new:
        with target.open("a", encoding="utf-8") as file:
            file.write("\n".join(new) + "\n")
    return [name for line in new for name in names_in(line)]


def names_in(text: str) -> set[str]:
    """Return the names that lines set."""
    return set(_assignments(text))


def _assignments(text: str) -> dict[str, str]:
    found = (_LINE.match(line) for line in text.splitlines())
    return {match[1]: _unquoted(match[2]) for match in found if match}


def _unquoted(value: str) -> str:
    if value[:1] in {"'", '"'}:
        return value[1:].partition(value[0])[0]
    return re.split(r"\s#|^#", value, maxsplit=1)[0].rstrip()


def _with_secrets(lines: list[str]) -> list[str]:
    """Replace the value of each line that follows a `# generated` line."""
    result: list[str] = []
    for line in lines:
        match = _LINE.match(line)
        if match and result and result[-1].strip().startswith(GENERATED):
            line = f"{match[1]}={_GENERATORS.get(match[1], _token)()}"  # noqa: PLW2901
        result.append(line)
    return result


def _for_tests(line: str, suffix: str) -> str:
    match = _LINE.match(line)
    if match is None:
        return line
    name, value = match[1], match[2]
    if name.endswith("_PORT"):
        return f"{name}={shifted(int(value))}"
    if name.endswith("APP_ID"):
        return f"{name}={value}-{suffix}"
    return f"{name}={TEST_VALUES[name]}" if name in TEST_VALUES else line


def shifted(port: int) -> int:
    """Return the test stack's port for a default port."""
    higher = port + TEST_PORT_SHIFT
    return higher if higher <= HIGHEST_PORT else port - TEST_PORT_SHIFT


def _token() -> str:
    return secrets.token_hex(20)


def _password() -> str:
    """Return a password with all kinds of characters, none of which needs quoting in a shell, a URL or JSON."""
    body = "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(18))
    return f"{body}@{secrets.choice(string.ascii_uppercase)}{secrets.choice(string.ascii_lowercase)}7"


def _encryption_keys() -> str:
    return f"{secrets.token_hex(4)}:{base64.b64encode(secrets.token_bytes(32)).decode()}"


_GENERATORS: dict[str, Callable[[], str]] = {
    "AUDIT_KEYS": _encryption_keys,
    "ENCRYPTION_KEYS": _encryption_keys,
    "SUPER_USER_PASSWORD": _password,
    "KEYCLOAK_ADMIN_PASSWORD": _password,
}
