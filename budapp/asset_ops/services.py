"""Icons: which there are, and what may stand for one."""

import unicodedata
from functools import cache
from pathlib import Path

from budapp.asset_ops import crud
from budapp.asset_ops.schemas import IconQuery
from budapp.commons.crud import Page
from budapp.commons.database import ReadSession

STATIC = Path(__file__).with_name("static")

_MAX_EMOJI = 16
_PICTURE = "So"
# Skin tones, variation selectors, joiners and the keycap around a digit.
_PARTS = frozenset({_PICTURE, "Sk", "Mn", "Me", "Cf"})


async def list_icons(session: ReadSession, query: IconQuery) -> Page:
    """Return a page of the icons."""
    return await crud.page_of_icons(session, query)


def is_icon(value: str) -> bool:
    """Tell whether the value can be shown as an icon: an emoji, or the path of a file under `/static/`."""
    return _is_emoji(value) or value in _files()


def _is_emoji(value: str) -> bool:
    kinds = [unicodedata.category(character) for character in value]
    return len(value) <= _MAX_EMOJI and _PICTURE in kinds and _PARTS.issuperset(kinds)


@cache
def _files() -> frozenset[str]:
    return frozenset(path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*") if path.is_file())
