"""Where settings come from, and what is said of a bad one."""

from pathlib import Path

import pytest

from budapp.commons.config import Settings, SettingsError, load_settings
from tests.certificates import Authority

SAMPLE = Path(__file__).resolve().parents[2] / ".env.sample"


@pytest.fixture
def nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> pytest.MonkeyPatch:
    """An environment without any of our variables."""
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    monkeypatch.setenv("BUDAPP_ENV_FILE", str(tmp_path / "absent"))
    return monkeypatch


def test_the_sample_alone_is_enough(nothing: pytest.MonkeyPatch) -> None:
    nothing.setenv("BUDAPP_ENV_FILE", str(SAMPLE))
    settings = load_settings()
    assert settings.app_port == 9081
    assert "${" not in settings.tensorzero_redis_url.get_secret_value()


def test_every_missing_variable_is_named(nothing: pytest.MonkeyPatch) -> None:
    with pytest.raises(SettingsError) as caught:
        load_settings()
    for name in ("PSQL_HOST", "KEYCLOAK_SERVER_URL", "SUPER_USER_EMAIL", "APP_API_TOKEN", "ENCRYPTION_KEYS"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PSQL_PORT", "many"),
        ("APP_PORT", "70000"),
        ("SUPER_USER_EMAIL", "nobody"),
        ("ENCRYPTION_KEYS", "a:c2hvcnQ="),
        ("CALLER_CACHE_SECONDS", "60"),
        ("RATE_LIMIT_ADDRESS", "often"),
        ("OUTGOING_NETWORKS", "10.0.0.0/40"),
        ("PSQL_SSL_MODE", "sometimes"),
        ("PSQL_CA_FILE", __file__),
        ("MINIO_CA_FILE", "/nowhere/ca.pem"),
    ],
)
def test_a_malformed_variable_is_named_but_not_shown(nothing: pytest.MonkeyPatch, name: str, value: str) -> None:
    nothing.setenv("BUDAPP_ENV_FILE", str(SAMPLE))
    nothing.setenv(name, value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    assert name in str(caught.value)
    assert value not in str(caught.value).replace(name, "")


def test_one_of_the_two_keys_of_the_store_is_not_enough(nothing: pytest.MonkeyPatch) -> None:
    nothing.setenv("BUDAPP_ENV_FILE", str(SAMPLE))
    with pytest.raises(SettingsError, match=r"MINIO_SECRET_KEY.*both, or neither"):
        load_settings(minio_access_key=None)


def test_authorities_are_refused_where_nothing_is_verified(nothing: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nothing.setenv("BUDAPP_ENV_FILE", str(SAMPLE))
    nothing.setenv("PSQL_CA_FILE", str(Authority.make(tmp_path, "authority").file))
    with pytest.raises(SettingsError, match=r"PSQL_CA_FILE.*verify-full"):
        load_settings()


def test_the_environment_stands_above_the_file(nothing: pytest.MonkeyPatch) -> None:
    nothing.setenv("BUDAPP_ENV_FILE", str(SAMPLE))
    nothing.setenv("PSQL_HOST", "db.example")
    assert load_settings().psql_host == "db.example"


def test_an_empty_variable_counts_as_unset(nothing: pytest.MonkeyPatch) -> None:
    nothing.setenv("BUDAPP_ENV_FILE", str(SAMPLE))
    nothing.setenv("PSQL_HOST", "")
    assert load_settings().psql_host == "127.0.0.1"


def test_secrets_do_not_show_in_the_settings_text(nothing: pytest.MonkeyPatch) -> None:
    nothing.setenv("BUDAPP_ENV_FILE", str(SAMPLE))
    nothing.setenv("PSQL_PASSWORD", "very-secret")
    assert "very-secret" not in repr(load_settings())


def test_a_configured_dapr_store_that_is_down_stops_the_start(nothing: pytest.MonkeyPatch) -> None:
    nothing.setenv("BUDAPP_ENV_FILE", str(SAMPLE))
    nothing.setenv("CONFIGSTORE_NAME", "configstore")
    nothing.setenv("DAPR_BASE_URL", "http://127.0.0.1:9")
    nothing.setenv("DAPR_WAIT_SECONDS", "0")
    with pytest.raises(SettingsError, match="CONFIGSTORE_NAME"):
        load_settings()
