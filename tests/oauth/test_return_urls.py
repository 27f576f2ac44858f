"""Which addresses a browser may be sent to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from budapp.auth.return_urls import is_allowed, origin_of

ALLOWED = ["https://app.example.com", "http://localhost:3000"]


@pytest.mark.parametrize(
    "url",
    [
        "https://app.example.com",
        "https://APP.example.com:443/deep/path?query=1#part",
        "http://localhost:3000/",
    ],
)
def test_an_address_of_a_frontend_is_allowed(url: str) -> None:
    assert is_allowed(url, ALLOWED)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/relative",
        "//app.example.com",
        "http://app.example.com",
        "https://app.example.com:444",
        "https://app.example.com.evil.example",
        "https://app.example.com@evil.example",
        "https://evil.example/https://app.example.com",
        "https://evil.example\\@app.example.com",
        "https://app.example.com\t.evil.example",
        "https://user:word@app.example.com",
        "https://app.example.com:99999",
        "javascript://app.example.com/%0aalert(1)",
        "https:app.example.com",
        "https://\N{CYRILLIC SMALL LETTER A}pp.example.com",
        "http://localhost:3001",
    ],
)
def test_any_other_address_is_not(url: str) -> None:
    assert not is_allowed(url, ALLOWED)


@given(st.text(max_size=60))
def test_no_text_in_front_or_behind_the_host_makes_another_host_allowed(text: str) -> None:
    for url in (f"https://{text}evil.example/", f"https://app.example.com{text}"):
        if is_allowed(url, ALLOWED):
            assert origin_of(url) == ("https", "app.example.com", 443)
            assert url.lower().startswith("https://app.example.com")
            assert url[23:24] in {"", "/", "?", "#", ":"}
