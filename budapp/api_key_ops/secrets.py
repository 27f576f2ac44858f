"""The secrets of API keys: how they look, and what is kept of them.

A key is `bud_<kind>_` and 43 random characters, with a checksum of 6 behind: a scanner of leaked secrets finds it, and
a typing error shows without a look-up. Kept are the hash by which the gateway looks keys up, and an HMAC under a pepper
that is not in the database.
"""

import hashlib
import re
import secrets
import string
import zlib

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from budapp.commons.config import Settings, parse_encryption_keys
from budapp.commons.signing import Keys

_DIGITS = string.digits + string.ascii_letters
_CHECKSUM = 6
_SHAPE = re.compile(r"bud_(?:client|admin|customer|service)_[A-Za-z0-9_-]{43}[0-9A-Za-z]{6}")
_PURPOSE = "api key"
_OF_SERVICES = "bud_service_"


def new_secret(kind: str) -> str:
    """Return a new key of the kind.

    Kinds are `admin`, `client` (opens every published model at the gateway), `customer`, and `service` for the keys of
    service accounts.
    """
    body = f"bud_{kind}_{secrets.token_urlsafe(32)}"
    return body + _checksum(body)


def is_well_formed(key: str) -> bool:
    """Tell whether the text is a key that was issued at some time, as far as it says itself."""
    return _SHAPE.fullmatch(key) is not None and secrets.compare_digest(_checksum(key[:-_CHECKSUM]), key[-_CHECKSUM:])


def is_of_service(key: str) -> bool:
    """Tell whether the key says that it is a service account's."""
    return key.startswith(_OF_SERVICES)


def lookup_hash(key: str) -> str:
    """Return the hash by which the gateway looks the key up."""
    return hashlib.sha256(f"bud-{key}".encode()).hexdigest()


def masked(key: str) -> str:
    """Return what lists show of the key."""
    return f"{key[: key.index('_', 4) + 1]}{'*' * 8}{key[-4:]}"


class Peppers:
    """What keys are hashed with beside themselves, the current one first.

    Without `API_KEY_PEPPERS` they are derived from the encryption keys, each for this purpose alone; those go on
    counting once it is set, as long as the encryption keys are kept.
    """

    def __init__(self, settings: Settings) -> None:
        own = parse_encryption_keys(settings.api_key_peppers) if settings.api_key_peppers is not None else {}
        derived = {
            f"derived-{key_id}": HKDF(SHA256(), 32, salt=None, info=b"budapp api keys").derive(key)
            for key_id, key in parse_encryption_keys(settings.encryption_keys).items()
        }
        self._keys = Keys(own | derived)

    def digest(self, key: str) -> str:
        """Return `pepper id:HMAC` of the key."""
        return f"{self._keys.current}:{self._keys.sign(_PURPOSE, key)}"

    def matches(self, key: str, digest: str | None) -> bool:
        """Tell whether the digest is the one of the key; False where its pepper is gone."""
        pepper_id, _, signature = (digest or "").rpartition(":")
        return self._keys.matches(_PURPOSE, key, pepper_id, signature)


def _checksum(body: str) -> str:
    number, digits = zlib.crc32(body.encode()), ""
    for _ in range(_CHECKSUM):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
