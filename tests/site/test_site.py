"""The site of docs/: every link leads somewhere, and no page needs the internet."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from stack.python_env import Workshop
from stack.settings import DEV_STATE, cache_folder
from stack.site import Site, site

from tests.oauth.browser import browser

FAULTS = """
[page](nowhere.md) [heading](architecture.md#nowhere) [own heading](#nowhere)
"""


@pytest.fixture(scope="module")
def maker() -> Site:
    return site(Workshop(cache_folder(), DEV_STATE))


@pytest.fixture(scope="module")
def built(maker: Site, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the site."""
    target = tmp_path_factory.mktemp("site")
    done = maker.build(target)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_every_page_is_there(built: Path, root: Path) -> None:
    pages = {path.relative_to(root / "docs").with_suffix(".html") for path in (root / "docs").rglob("*.md")}
    assert [page for page in sorted(pages) if not (built / page).exists()] == []


def test_no_page_loads_anything_from_elsewhere(built: Path) -> None:
    loaded = re.compile(r"""<(?:script|img|iframe|link)\b[^>]*?\b(?:src|href)=["']?(?:https?:)?//""")
    fetched = re.compile(r"""url\(["']?(?:https?:)?//""")
    assert [path.name for path in built.rglob("*.html") if loaded.search(path.read_text())] == []
    assert [path.name for path in built.rglob("*.css") if fetched.search(path.read_text())] == []


def test_diagrams_are_drawn_without_the_internet(built: Path) -> None:
    with browser() as window:
        window.go((built / "architecture.html").as_uri())
        assert window.ask("return document.querySelectorAll('div.mermaid').length") == 2
        loaded = window.ask(
            "return performance.getEntriesByType('resource').map(entry => entry.name).join(' ') || 'none'"
        )
    assert "http" not in loaded


def test_the_search_works_from_a_folder(built: Path) -> None:
    with browser() as window:
        window.go(f"{(built / 'index.html').as_uri()}?q=reconciler")
        found = window.ask("return [...document.querySelectorAll('.md-search-result__link')].map(link => link.href)")
    assert any("glossary.html" in address for address in found)


def test_faults_of_a_page_are_errors(maker: Site, root: Path, tmp_path: Path) -> None:
    shutil.copytree(root / "docs", tmp_path / "docs")
    shutil.copytree(root / "deploy" / "docs", tmp_path / "deploy" / "docs")
    copied = replace(maker, configuration=tmp_path / "deploy" / "docs" / "mkdocs.yml")
    page = tmp_path / "docs" / "outside.md"
    page.write_text(FAULTS)
    # What pages name of the repository is not in the copy.
    for path in (tmp_path / "docs").rglob("*.md"):
        path.write_text(re.sub(r"\]\((?:\.\./)+(?!reference)[a-zA-Z]", "](https://example.com/", path.read_text()))
    done = copied.build(tmp_path / "site")
    assert done.returncode == 1
    for fault in ("nowhere.md", "architecture.md#nowhere", "'#nowhere'", "outside.md"):
        assert fault in done.stderr, done.stderr
    page.write_text("[no such file](../nowhere.py)\n")
    assert "there is no ../nowhere.py" in copied.build(tmp_path / "site").stderr
