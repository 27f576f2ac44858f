"""Secrets as the former service wrote them, with keys made for the tests."""

import hashlib
from functools import cache
from pathlib import Path

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

PASSPHRASE = "correct horse"
FERNET_KEY = Fernet.generate_key()
AES_KEY_HEX = FERNET_KEY.hex()
FERNET = Fernet(FERNET_KEY)


@cache
def private_key() -> rsa.RSAPrivateKey:
    """Return the former service's key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def write_private_key(path: Path) -> Path:
    """Write the key as the operator has it, and return where."""
    secrecy = BestAvailableEncryption(PASSPHRASE.encode())
    path.write_bytes(private_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secrecy))
    return path


def rsa_hex(text: str) -> str:
    """Return the text under RSA-OAEP with SHA-256, in hex."""
    oaep = padding.OAEP(padding.MGF1(SHA256()), SHA256(), None)
    return private_key().public_key().encrypt(text.encode(), oaep).hex()


def old_key(number: int) -> str:
    """Return an API key in the form that the former service gave them."""
    return f"bud_client_{hashlib.sha256(str(number).encode()).hexdigest()[:43]}"


def old_lookup_hash(key: str) -> str:
    """Return the hash by which the gateway looks a key up."""
    return hashlib.sha256(f"bud-{key}".encode()).hexdigest()
