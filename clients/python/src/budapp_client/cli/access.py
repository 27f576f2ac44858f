"""Who calls, and where: what the options and the environment say, or the session that `budctl login` has kept."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from budapp_client.connection import Budapp
    from budapp_client.tokens import Tokens


@dataclass(frozen=True)
class Access:
    """What was said before the command's name."""

    address: str | None
    token: str | None

    def connect(self) -> "Budapp":
        """Return the connection for a command.

        Raises:
            NotSignedIn: nothing says who calls, or where.
        """
        from budapp_client.cli.failures import NotSignedIn  # noqa: PLC0415 - help needs no client
        from budapp_client.connection import Budapp  # noqa: PLC0415

        session = SessionFile()
        address = self.address or session.address
        if address is None:
            raise NotSignedIn
        if self.token:
            return Budapp.with_key(address, self.token)
        if session.address is None or (self.address and self.address.rstrip("/") != session.address):
            raise NotSignedIn(address)
        return Budapp.resume(address, session)


class SessionFile:
    """The session on this machine, in a file that only its owner may read; all commands share it."""

    def __init__(self) -> None:
        folder = os.environ.get("BUDCTL_HOME") or typer.get_app_dir("budctl")
        self.path = Path(folder) / "session.json"

    @property
    def address(self) -> str | None:
        """Where one is signed in."""
        found = self._content().get("address")
        return str(found) if found else None

    def read(self) -> "Tokens":
        from budapp_client.cli.failures import NotSignedIn  # noqa: PLC0415
        from budapp_client.tokens import Tokens  # noqa: PLC0415

        try:
            return Tokens(**self._content()["tokens"])
        except (KeyError, TypeError):
            raise NotSignedIn from None

    def write(self, tokens: "Tokens") -> None:
        self.keep(self._content()["address"], tokens)

    def keep(self, address: str, tokens: "Tokens") -> None:
        """Begin a session, in place of the one before; a reader sees one of them, and never half of it."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        new = self.path.with_name(f".session-{os.getpid()}")
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            json.dump({"address": address.rstrip("/"), "tokens": vars(tokens)}, file)
        new.replace(self.path)

    def forget(self) -> None:
        self.path.unlink(missing_ok=True)

    def _content(self) -> dict[str, Any]:
        try:
            found = json.loads(self.path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
