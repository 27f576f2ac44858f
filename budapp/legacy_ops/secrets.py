"""Secrets as the former service kept them: RSA-OAEP with SHA-256 in hex, Fernet, and some old ones in clear."""

import re
from binascii import unhexlify
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from budapp.commons.errors import AppError, BadRequest

_PADDING = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
_HEX = re.compile(r"(?:[0-9a-f]{2}){128,}")
_FERNET = "gAAAA"


class Unreadable(Exception):
    """A secret that can't be read; the text says why."""


class OldSecrets:
    """Reads secrets with the keys that the operator has given, where there are some."""

    def __init__(self, private_key: rsa.RSAPrivateKey | None = None, fernet: Fernet | None = None) -> None:
        self._private_key = private_key
        self._fernet = fernet

    @property
    def has_private_key(self) -> bool:
        """Whether secrets under RSA can be read."""
        return self._private_key is not None

    def read(self, text: str) -> str:
        """Return the secret in clear.

        Raises:
            Unreadable: its key was not given, or is another one.
        """
        if _HEX.fullmatch(text):
            return self._decrypted(unhexlify(text))
        if text.startswith(_FERNET):
            return self._opened(text)
        return text

    def _decrypted(self, raw: bytes) -> str:
        if self._private_key is None:
            raise Unreadable("its secret can be read only with --private-key")
        try:
            return self._private_key.decrypt(raw, _PADDING).decode()
        except ValueError:
            raise Unreadable("its secret can't be read with this private key") from None

    def _opened(self, text: str) -> str:
        if self._fernet is None:
            raise Unreadable("its secret can be read only with LEGACY_AES_KEY_HEX")
        try:
            return self._fernet.decrypt(text).decode()
        except (InvalidToken, ValueError):
            raise Unreadable("its secret can't be read with this LEGACY_AES_KEY_HEX") from None


def load_secrets(private_key: Path | None, passphrase: str | None, aes_key_hex: str | None) -> OldSecrets:
    """Return what reads the secrets.

    Args:
        private_key: the PEM file that PRIVATE_KEY_PATH named.
        passphrase: what PRIVATE_KEY_PASSWORD was.
        aes_key_hex: what AES_KEY_HEX was.

    Raises:
        BadRequest: a key can't be used; the message says which, and why.
    """
    rsa_key = _load_private_key(private_key, passphrase) if private_key is not None else None
    return OldSecrets(rsa_key, _load_fernet(aes_key_hex) if aes_key_hex else None)


def _load_private_key(path: Path, passphrase: str | None) -> rsa.RSAPrivateKey:
    try:
        key = load_pem_private_key(path.read_bytes(), passphrase.encode() if passphrase else None)
    except TypeError as error:
        raise BadRequest(f"{path}: {error}; LEGACY_PRIVATE_KEY_PASSWORD holds the passphrase") from None
    except (ValueError, UnsupportedAlgorithm):
        raise _unusable(
            path, "is no private key in PEM, or LEGACY_PRIVATE_KEY_PASSWORD is not its passphrase"
        ) from None
    if not isinstance(key, rsa.RSAPrivateKey):
        raise _unusable(path, "is no RSA key")
    return key


def _unusable(path: Path, reason: str) -> AppError:
    return BadRequest(f"{path} {reason}")


def _load_fernet(aes_key_hex: str) -> Fernet:
    try:
        return Fernet(bytes.fromhex(aes_key_hex))
    except ValueError:
        raise BadRequest("LEGACY_AES_KEY_HEX must be the hex of a Fernet key, as AES_KEY_HEX was") from None
