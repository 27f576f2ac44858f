"""The search for secrets in the logs finds them."""

from pathlib import Path

from tests.no_secrets_in_logs import leaks, secrets_of


def test_keys_tokens_and_passwords_are_found_and_not_repeated(tmp_path: Path) -> None:
    env = tmp_path / ".env"
    env.write_text("PSQL_PASSWORD=correct-horse-battery\nAPP_PORT=9081\nBUD_KEY=short\n")
    secrets = secrets_of(env)
    assert set(secrets) == {"PSQL_PASSWORD"}
    key = "bud_client_" + "a1B2" * 10
    token = ".".join(("eyJhbGciOiJSUzI1NiJ9", "eyJzdWIiOiIxMjM0NTYifQ", "c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"))
    for text, name in (
        ("connecting with correct-horse-battery", "PSQL_PASSWORD"),
        (f'{{"sent": "{key}"}}', "an API key"),
        (f"Authorization: Bearer {token}", "a token"),
    ):
        assert list(leaks(text, secrets)) == [name]
    assert list(leaks("bud_client_**** and eyJ, and nothing else", secrets)) == []
