"""The settings of one process: read once, typed, and named after the environment variables that set them."""

import base64
import os
import ssl
from functools import lru_cache
from ipaddress import ip_network
from typing import Annotated, Literal
from uuid import UUID

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from limits import parse as parse_rate
from pydantic import (
    AfterValidator,
    BeforeValidator,
    EmailStr,
    Field,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from budapp.commons.settings_stores import DaprStores, StoresUnreachable


def _split_commas(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _holds_authorities(path: str) -> str:
    try:
        ssl.create_default_context(cafile=path)
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else "can't be read as certificates in PEM"
        raise ValueError(f"the file {reason}") from None
    return path


LIVE = object()
"""Marks a setting that follows the configuration store while the service runs, see `live_settings`."""

_LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]
_UPPER = BeforeValidator(lambda value: value.upper() if isinstance(value, str) else value)

CaFile = Annotated[str, AfterValidator(_holds_authorities)]
"""A file of the certificate authorities that are trusted, in PEM."""

CommaList = Annotated[list[str], NoDecode, BeforeValidator(_split_commas)]


class SettingsError(Exception):
    """A variable is missing or malformed; the message names each one."""


class Settings(BaseSettings):
    """Every setting of the service. A field `psql_host` is the variable `PSQL_HOST`.

    Environment variables come first, then the `.env` file (`BUDAPP_ENV_FILE` names another one), then the Dapr
    stores where they are configured.
    """

    model_config = SettingsConfigDict(
        extra="ignore", env_file_encoding="utf-8", env_ignore_empty=True, validate_assignment=True
    )
    from_stores: Annotated[frozenset[str], NoDecode] = Field(default=frozenset(), exclude=True, repr=False)
    """Which of the values come from the Dapr stores; not a setting itself."""

    app_host: str = "127.0.0.1"
    app_port: int = Field(default=9081, ge=1, le=65535)
    app_workers: int = Field(default=1, ge=1)
    app_api_token: SecretStr
    log_level: Annotated[_LogLevel, _UPPER, LIVE] = "INFO"
    request_body_max_bytes: int = Field(default=5 * 1024 * 1024, ge=1024)
    request_seconds: float = Field(default=15, gt=0)
    trusted_proxies: CommaList = []
    cors_origins: CommaList = ["http://localhost:3000"]
    admin_frontend_url: str = "http://localhost:3000"
    frontend_url: str = "http://localhost:3000"

    psql_host: str
    psql_port: int = Field(default=5432, ge=1, le=65535)
    psql_db_name: str
    psql_user: str
    psql_password: SecretStr
    psql_ssl_mode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    psql_ca_file: CaFile | None = None
    psql_transaction_pooler: bool = False
    psql_pool_size: int = Field(default=20, ge=1)
    psql_timeout_seconds: float = Field(default=5, gt=0)
    psql_statement_seconds: float = Field(default=30, gt=0)
    psql_lock_seconds: float = Field(default=10, gt=0)
    psql_idle_transaction_seconds: float = Field(default=60, gt=0)

    tensorzero_redis_url: SecretStr
    valkey_timeout_seconds: float = Field(default=2, gt=0)

    keycloak_server_url: str
    keycloak_public_url: str | None = None
    keycloak_admin_username: str
    keycloak_admin_password: SecretStr
    keycloak_realm_name: str = "master"
    keycloak_verify_ssl: bool = True
    keycloak_timeout_seconds: int = Field(default=10, gt=0)
    keycloak_access_token_lifespan_seconds: int = Field(default=300, ge=30)
    keycloak_sso_idle_seconds: int = Field(default=1800, ge=60)
    keycloak_sso_max_seconds: int = Field(default=36000, ge=60)
    keycloak_mirror_seconds: int = Field(default=30, ge=1)
    keycloak_failures_before_lock: int = Field(default=10, ge=1)
    keycloak_password_policy: str = (
        "length(8) and maxLength(100) and digits(1) and upperCase(1) and lowerCase(1)"  # noqa: S105
        " and specialChars(1) and notUsername(undefined) and notEmail(undefined)"
    )
    default_realm_name: str = "bud-keycloak"
    default_client_name: str = "bud-client"
    super_user_email: EmailStr
    super_user_password: SecretStr
    system_user_id: UUID | None = None

    minio_endpoint: str
    minio_access_key: SecretStr | None = None
    minio_secret_key: SecretStr | None = Field(default=None, validate_default=True)
    minio_region: str = "us-east-1"
    minio_secure: bool = False
    minio_ca_file: CaFile | None = None
    minio_bucket: str = "models-registry"
    minio_model_bucket: str = "model-info"
    minio_dataset_bucket: str = "datasets"
    minio_public_endpoint: str | None = None
    minio_public_secure: bool = False
    presigned_url_seconds: int = Field(default=900, ge=60, le=86_400)
    dataset_file_max_bytes: int = Field(default=20 * 1024**3, ge=1024)
    dataset_readers: int = Field(default=2, ge=1, le=64)
    dataset_reader_memory_bytes: int = Field(default=1024**3, ge=512 * 1024**2)
    dataset_upload_hours: int = Field(default=24, ge=1, le=24 * 7)

    app_id: str = "budapp"
    dapr_base_url: str = "http://127.0.0.1:3510"
    dapr_grpc_port: int = Field(default=50001, ge=1, le=65535)
    dapr_wait_seconds: float = Field(default=10, ge=0)
    dapr_api_token: SecretStr | None = None
    statestore_name: str = "statestore"
    pubsub_name: str = "pubsub-redis"
    configstore_name: str | None = None
    secretstore_name: str | None = None
    app_topic: str = "budAppMessages"
    dead_letter_topic: str = "poisonMessages"
    bud_cluster_app_id: str = "budcluster"
    bud_model_app_id: str = "budmodel"
    bud_simulator_app_id: str = "budsim"
    bud_metrics_app_id: str = "budmetrics"
    bud_notify_app_id: str = "notify"
    bud_eval_app_id: str = "budeval"
    bud_prompt_app_id: str = "budprompt"
    bud_pipeline_app_id: str = "budpipeline"

    public_url: str | None = None
    sso_return_origins: CommaList = []

    encryption_keys: SecretStr
    audit_keys: SecretStr | None = None
    audit_bucket: str | None = None
    outgoing_networks: CommaList = []
    api_key_peppers: SecretStr | None = None
    bud_doc_service_url: str | None = None
    bud_prompt_service_url: str | None = None
    mcp_foundry_base_url: str | None = None
    gateway_public_key: str | None = None
    bud_gateway_url: str | None = None
    browser_public_key: str | None = None
    caller_cache_seconds: Annotated[float, LIVE] = Field(default=4, ge=0, le=5)
    login_failure_seconds: Annotated[float, LIVE] = Field(default=0.7, ge=0)
    refresh_reuse_seconds: int = Field(default=10, ge=0)
    login_free_failures: Annotated[int, LIVE] = Field(default=5, ge=1)
    login_free_failures_of_address: Annotated[int, LIVE] = Field(default=50, ge=1)
    login_pause_seconds: float = Field(default=2, gt=0)
    login_longest_pause_seconds: float = Field(default=900, gt=0)
    rate_limit_address: Annotated[str, LIVE] = "600/minute"
    rate_limit_refresh: Annotated[str, LIVE] = "20/minute"
    rate_limit_reset: Annotated[str, LIVE] = "5/hour"
    rate_limit_register: Annotated[str, LIVE] = "30/10 minutes"

    grafana_cluster_url: str | None = None

    catalog_source: str | None = None
    catalog_sync_hours: float = Field(default=168, gt=0)

    eval_manifest_url: str | None = None
    eval_sync_hours: float = Field(default=1, gt=0)

    guardrail_catalog_url: str | None = None
    guardrail_sync_hours: float = Field(default=168, gt=0)
    bud_sentinel_url: str | None = None

    workflow_ask_seconds: Annotated[float, LIVE] = Field(default=30, gt=0, le=300)
    workflow_answer_seconds: Annotated[float, LIVE] = Field(default=5, gt=0, le=60)
    workflow_silence_minutes: Annotated[float, LIVE] = Field(default=60, gt=0)
    workflow_deadline_minutes: Annotated[float, LIVE] = Field(default=24 * 60, gt=0)
    workflow_draft_days: Annotated[float, LIVE] = Field(default=14, gt=0)
    workflow_callback_topics: Annotated[CommaList, LIVE] = ["budpipelineEvents"]

    otel_exporter_otlp_endpoint: str | None = None

    @field_validator("keycloak_server_url", "keycloak_public_url", "dapr_base_url", "public_url")
    @classmethod
    def _without_final_slash(cls, value: str | None) -> str | None:
        return value.rstrip("/") if value else value

    @field_validator("psql_ca_file")
    @classmethod
    def _is_asked_for(cls, value: str | None, others: ValidationInfo) -> str | None:
        if value and others.data.get("psql_ssl_mode") not in {"verify-ca", "verify-full"}:
            raise ValueError("counts only where PSQL_SSL_MODE is verify-ca or verify-full")
        return value

    @field_validator("minio_secret_key")
    @classmethod
    def _comes_with_access_key(cls, value: SecretStr | None, others: ValidationInfo) -> SecretStr | None:
        if "minio_access_key" in others.data and (value is None) != (others.data["minio_access_key"] is None):
            raise ValueError("MINIO_ACCESS_KEY and MINIO_SECRET_KEY are set both, or neither")
        return value

    @field_validator("default_realm_name")
    @classmethod
    def _lower_case(cls, value: str) -> str:
        return value.lower()

    @field_validator("rate_limit_address", "rate_limit_refresh", "rate_limit_reset", "rate_limit_register")
    @classmethod
    def _is_a_rate(cls, value: str) -> str:
        try:
            parse_rate(value)
        except ValueError:
            raise ValueError("must be a rate such as 10/minute") from None
        return value

    @field_validator("outgoing_networks")
    @classmethod
    def _are_networks(cls, value: list[str]) -> list[str]:
        try:
            for network in value:
                ip_network(network)
        except ValueError:
            raise ValueError("must be networks such as 10.20.0.0/16") from None
        return value

    @field_validator("encryption_keys", "audit_keys", "api_key_peppers")
    @classmethod
    def _holds_keys(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            parse_encryption_keys(value)
        return value

    @property
    def callback_base(self) -> str:
        """The address by which browsers reach this service."""
        return self.public_url or f"http://{self.app_host}:{self.app_port}"

    @property
    def allowed_return_origins(self) -> list[str]:
        """Where browsers may be sent after a sign-in at a provider: the frontends, unless others are named."""
        return self.sso_return_origins or [self.frontend_url, self.admin_frontend_url]

    @property
    def keycloak_issuer_base(self) -> str:
        """The address that Keycloak writes into `iss`, before `/realms/...`."""
        return self.keycloak_public_url or self.keycloak_server_url

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Order the sources, the strongest first."""
        return init_settings, env_settings, dotenv_settings, DaprStores(settings_cls)


def parse_encryption_keys(value: SecretStr) -> dict[str, bytes]:
    """Return key id → AES-256 key from `id:base64,id:base64`; the first one encrypts, all decrypt.

    Raises:
        ValueError: a part is not `id:base64` of 32 bytes.
    """
    keys: dict[str, bytes] = {}
    for part in value.get_secret_value().split(","):
        key_id, _, encoded = part.strip().partition(":")
        key = base64.b64decode(encoded, validate=True)
        if not key_id or len(key) != 32:
            raise ValueError("each part must be <key id>:<base64 of 32 bytes>")
        keys[key_id] = key
    return keys


def audit_keys_of(settings: Settings) -> dict[str, bytes]:
    """Return key id → key of the audit trail, the one that signs first.

    Without `AUDIT_KEYS` they are derived from the encryption keys, each for this purpose alone; those go on verifying
    once `AUDIT_KEYS` is set, as long as the encryption keys are kept.
    """
    own = parse_encryption_keys(settings.audit_keys) if settings.audit_keys is not None else {}
    derived = {
        f"derived-{key_id}": HKDF(SHA256(), 32, salt=None, info=b"budapp audit trail").derive(key)
        for key_id, key in parse_encryption_keys(settings.encryption_keys).items()
    }
    return own | derived


def load_settings(**overrides: object) -> Settings:
    """Read the settings from all sources.

    Raises:
        SettingsError: a variable is missing or malformed; the message names it, never its value.
    """
    env_file = os.environ.get("BUDAPP_ENV_FILE", ".env")
    try:
        return Settings(_env_file=env_file, **overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"  {str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors(include_input=False)]
        raise SettingsError("These settings are missing or malformed:\n" + "\n".join(lines)) from None
    except StoresUnreachable as error:
        raise SettingsError(
            f"Settings can't be read from the stores that CONFIGSTORE_NAME and SECRETSTORE_NAME name: {error}. "
            "Start the sidecar first, or unset both."
        ) from None


@lru_cache
def get_settings() -> Settings:
    """Return the settings of this process, read at the first call."""
    return load_settings()
