"""Those whom a secret is handed to so that only they can read it: the gateway, and budadmin in the browser.

Each has an RSA key pair; we know the public half only. The text is RSA-OAEP with SHA-256, in hex.
"""

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

_OVERHEAD = 2 * SHA256.digest_size + 2
_PADDING = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)


class Recipient:
    """Somebody whose public key we know.

    Args:
        public_key: in PEM, or base64 of that.

    Raises:
        ValueError: it is no RSA key of at least 2048 bits.
    """

    def __init__(self, public_key: str) -> None:
        text = public_key.strip()
        pem = text.encode() if text.startswith("-----") else base64.b64decode(text)
        key = load_pem_public_key(pem)
        if not isinstance(key, rsa.RSAPublicKey) or key.key_size < 2048:
            raise ValueError("must be an RSA key of at least 2048 bits")
        self._key = key
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        self.id = hashlib.sha256(der).hexdigest()[:16]

    @property
    def max_bytes(self) -> int:
        """How long a text may be."""
        return self._key.key_size // 8 - _OVERHEAD

    def encrypt(self, text: str) -> str:
        """Return the text as only the recipient can read it; another one each time.

        Raises:
            ValueError: it is longer than `max_bytes`.
        """
        return self._key.encrypt(text.encode(), _PADDING).hex()


class Recipients:
    """The recipients that the settings name.

    Args:
        gateway: calls the providers of models with their keys.
        browser: shows people their API keys again.
    """

    def __init__(self, gateway: str | None, browser: str | None) -> None:
        self.gateway = Recipient(gateway) if gateway else None
        self.browser = Recipient(browser) if browser else None
