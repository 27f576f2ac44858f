"""What the site needs beside the pages: scripts from the cache, and links to files of the repository."""

import os
import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"\[([^\]]+)\]\((\.\./[^)#\s]+)\)")


def on_files(files: Any, config: Any) -> Any:
    """Add the scripts that the theme otherwise loads from the internet."""
    from mkdocs.structure.files import File  # noqa: PLC0415 - the project's own environment lacks it

    for script in sorted(Path(os.environ["SITE_SCRIPTS"]).glob("*.js")):
        files.append(File.generated(config, f"assets/{script.name}", abs_src_path=str(script)))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Show a link that leaves docs/ as the file's path in the repository, for the site has no such file.

    Raises:
        PluginError: there is no such file.
    """
    from mkdocs.exceptions import PluginError  # noqa: PLC0415 - as above

    docs = Path(config.docs_dir).resolve()
    root, folder = docs.parent, (docs / page.file.src_uri).parent

    def shown(match: re.Match[str]) -> str:
        text, target = match[1], (folder / match[2]).resolve()
        if target.is_relative_to(docs):
            return match[0]
        if not target.exists():
            raise PluginError(f"{page.file.src_uri}: there is no {match[2]}")
        path = f"`{target.relative_to(root)}`"
        return path if text.strip("`") in path else f"{text} ({path})"

    return _LINK.sub(shown, markdown)
