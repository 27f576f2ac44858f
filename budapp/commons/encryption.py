"""Secrets at rest: AES-256-GCM with the id of the key beside the text, so that keys can be rotated."""

import base64
import os

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


class DecryptionError(Exception):
    """The text was changed, belongs to another context, or its key is not known."""


class Encryption:
    """Encrypts with the first key, decrypts with any.

    Args:
        keys: key id → 32 bytes, the current one first.
    """

    def __init__(self, keys: dict[str, bytes]) -> None:
        self._ciphers = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self._current = next(iter(keys))

    @property
    def key_ids(self) -> list[str]:
        """The ids of the keys, the current one first."""
        return list(self._ciphers)

    def encrypt(self, text: str, context: str) -> str:
        """Return `key id:base64(nonce + ciphertext)`.

        Args:
            text: the secret.
            context: where it belongs, such as `tenant_client:<id>`; must be given again to decrypt.
        """
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._current].encrypt(nonce, text.encode(), context.encode())
        return f"{self._current}:{base64.b64encode(nonce + sealed).decode()}"

    def decrypt(self, sealed: str, context: str) -> str:
        """Return the text.

        Raises:
            DecryptionError: see the class.
        """
        key_id, _, encoded = sealed.partition(":")
        cipher = self._ciphers.get(key_id)
        if cipher is None:
            raise DecryptionError(f"no encryption key with the id {key_id!r}")
        try:
            raw = base64.b64decode(encoded)
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], context.encode()).decode()
        except (InvalidTag, ValueError) as error:
            raise DecryptionError("the text was changed or belongs elsewhere") from error
