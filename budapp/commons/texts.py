"""Texts, in the one form in which they are kept and compared."""

import unicodedata


def composed(text: str) -> str:
    """Return the text in Unicode's composed form (NFC), so that what looks the same is the same."""
    return unicodedata.normalize("NFC", text)
