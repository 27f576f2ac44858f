"""What stands for a thing in lists and cards: an emoji, or a picture that comes with the service.

An address elsewhere is never one: whoever looks at a list would be known to whoever owns the address.
"""

import re
import unicodedata
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, StringConstraints

STATIC = Path(__file__).with_name("static")

_MAX_EMOJI = 16
_PICTURES = frozenset({"So", "Sm"})
# Skin tones, variation selectors, joiners and the keycap around a digit.
_PARTS = frozenset({"Sk", "Mn", "Me", "Cf"})
# What is a digit or a sign by itself, and a picture with the variation selector after it.
_TURNED_INTO_PICTURE = re.compile("[\\d\\W]\ufe0f")
_PICTURE = "\N{WHITE SQUARE}"


def is_icon(value: str) -> bool:
    """Tell whether the value can be shown as an icon: an emoji, or the path of a file under `/static/`."""
    return _is_emoji(value) or value in _files()


def monogram(name: str) -> str:
    """Return the path of the picture that shows the first letter or digit of a name."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    first = next((character for character in ascii_name if character.isalnum()), None)
    return f"icons/monograms/{first}.svg" if first else "icons/general/model.svg"


def _check(value: str) -> str:
    if not is_icon(value):
        raise ValueError("this is neither an emoji nor one of the icons")
    return value


Icon = Annotated[str, StringConstraints(strip_whitespace=True, max_length=500), AfterValidator(_check)]
"""An icon that somebody chooses."""


def _is_emoji(value: str) -> bool:
    if len(value) > _MAX_EMOJI:
        return False
    kinds = {unicodedata.category(character) for character in _TURNED_INTO_PICTURE.sub(_PICTURE, value)}
    return not (value.isascii() or kinds.isdisjoint(_PICTURES)) and kinds <= _PICTURES | _PARTS


@cache
def _files() -> frozenset[str]:
    return frozenset(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
