"""The icons that every installation knows: the files under `static/icons/`, by category."""

from budapp.asset_ops.icons import STATIC
from budapp.asset_ops.models import Icon
from budapp.commons.database import WriteSession
from budapp.commons.domain import Components
from budapp.commons.seeds import upsert


async def ensure_icons(session: WriteSession, _components: Components) -> None:
    """Make every icon known; what is there already is brought up to date."""
    for path in sorted((STATIC / "icons").rglob("*.svg")):
        where = path.relative_to(STATIC).as_posix()
        name = path.stem.replace("-", " ").capitalize()
        await upsert(session, Icon, "file_path", {"name": name, "file_path": where, "category": path.parent.name})
