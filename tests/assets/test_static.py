"""Icons and templates that come with the service, and the pictures under `/static/`."""

import json

import httpx
import pytest
from fastapi import FastAPI

from budapp.asset_ops.icons import STATIC, is_icon, monogram
from budapp.asset_ops.seeds import ensure_icons
from budapp.commons.database import Database
from budapp.commons.domain import components_of
from budapp.provider_ops.catalog import BUNDLED
from budapp.template_ops import seeds as template_seeds
from budapp.template_ops.seeds import ensure_templates
from tests.cast import Cast

PICTURE = "icons/providers/openai.svg"


async def test_a_picture_is_public_and_may_be_kept(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"/static/{PICTURE}")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.content == (STATIC / PICTURE).read_bytes()
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert "sandbox" in answer.headers["content-security-policy"], "an SVG can't run scripts"
    again = await client.get(f"/static/{PICTURE}", headers={"if-none-match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    "path",
    [
        *("", "icons", "icons/", "nothing.svg", "../models.py", "..%2fmodels.py", "%2e%2e/models.py"),
        *("icons/%00.svg", "/etc/passwd", "%2fetc%2fpasswd", "..\\models.py", "icons/../../services.py", "x" * 5000),
    ],
)
async def test_nothing_but_the_pictures_can_be_read(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(f"/static/{path}")
    assert answer.status_code in {401, 404}, "what leaves /static is not public"


async def test_icons_are_listed_by_category(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    for _ in range(2):
        async with database.write() as session:
            await ensure_icons(session, components_of(app))
    found = (await client.get("/icons?category=providers&limit=100", headers=cast.developer.headers)).json()
    assert {"name": "Openai", "file_path": PICTURE, "category": "providers"}.items() <= next(
        icon for icon in found["icons"] if icon["file_path"] == PICTURE
    ).items()
    for icon in found["icons"]:
        assert (await client.get(f"/static/{icon['file_path']}")).status_code == 200
    searched = (await client.get("/icons?name=OPENA&search=true", headers=cast.developer.headers)).json()
    assert {icon["file_path"] for icon in searched["icons"]} == {PICTURE}


def test_every_icon_that_the_seeds_name_is_there() -> None:
    for seeds in (BUNDLED, template_seeds._SEEDS):
        for seed in json.loads(seeds.read_text()):
            assert is_icon(seed["icon"]), seed["icon"]


@pytest.mark.parametrize("icon", ["😀", "👩🏽‍💻", "🇩🇪", "❤️", "1️⃣", "‼️", "↔️", "◾", PICTURE])
def test_emoji_and_pictures_are_icons(icon: str) -> None:
    assert is_icon(icon)


@pytest.mark.parametrize(
    "icon",
    [
        "",
        "a",
        "1",
        "+",
        "😀a",
        "a️",
        "😀" * 17,
        "../models.py",
        "icons/nothing.svg",
        "/" + PICTURE,
        "https://example.com/x",
    ],
)
def test_what_cannot_be_shown_is_no_icon(icon: str) -> None:
    assert not is_icon(icon)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("OpenAI", "icons/monograms/o.svg"),
        (" 01.AI", "icons/monograms/0.svg"),
        ("Émile", "icons/monograms/e.svg"),
        ("百度", "icons/general/model.svg"),
    ],
)
def test_a_monogram_is_the_first_letter_of_a_name(name: str, path: str) -> None:
    assert monogram(name) == path
    assert is_icon(path)


async def test_templates_are_listed_with_their_ranges(
    app: FastAPI, client: httpx.AsyncClient, cast: Cast, database: Database
) -> None:
    for _ in range(2):
        async with database.write() as session:
            await ensure_templates(session, components_of(app))
    found = (await client.get("/templates?page=1&limit=100", headers=cast.developer.headers)).json()
    assert found["total_record"] == len(json.loads(template_seeds._SEEDS.read_text()))
    chat = next(each for each in found["templates"] if each["template_type"] == "chat")
    assert (chat["ttft"], chat["avg_context_length"]) == ([200, 1000], 1000)
    searched = await client.get("/templates?template_type=CODE&search=true", headers=cast.developer.headers)
    assert {each["template_type"] for each in searched.json()["templates"]} == {"code_completion", "code_generation"}
    for field in ("name", "description"):
        path = f"/templates?{field}={chat[field]}"
        named = (await client.get(path, headers=cast.developer.headers)).json()["templates"]
        assert {each[field] for each in named} == {chat[field]}
