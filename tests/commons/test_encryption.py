import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budapp.commons.encryption import DecryptionError, Encryption

KEYS = {"new": b"n" * 32, "old": b"o" * 32}


@given(st.text(), st.text())
def test_what_is_encrypted_comes_back(text: str, context: str) -> None:
    encryption = Encryption(KEYS)
    assert encryption.decrypt(encryption.encrypt(text, context), context) == text


def test_the_same_text_never_looks_the_same() -> None:
    encryption = Encryption(KEYS)
    assert encryption.encrypt("a", "x") != encryption.encrypt("a", "x")


def test_the_first_key_encrypts_and_an_older_one_still_decrypts() -> None:
    sealed = Encryption({"old": KEYS["old"]}).encrypt("a", "x")
    rotated = Encryption(KEYS)
    assert rotated.decrypt(sealed, "x") == "a"
    assert rotated.encrypt("a", "x").startswith("new:")


def test_a_secret_moved_elsewhere_does_not_decrypt() -> None:
    encryption = Encryption(KEYS)
    with pytest.raises(DecryptionError):
        encryption.decrypt(encryption.encrypt("a", "tenant:1"), "tenant:2")


def test_a_changed_text_does_not_decrypt() -> None:
    encryption = Encryption(KEYS)
    key_id, _, encoded = encryption.encrypt("a", "x").partition(":")
    raw = bytearray(base64.b64decode(encoded))
    raw[-1] ^= 1
    with pytest.raises(DecryptionError):
        encryption.decrypt(f"{key_id}:{base64.b64encode(raw).decode()}", "x")


def test_a_lost_key_is_named() -> None:
    sealed = Encryption(KEYS).encrypt("a", "x")
    with pytest.raises(DecryptionError, match="new"):
        Encryption({"old": KEYS["old"]}).decrypt(sealed, "x")
