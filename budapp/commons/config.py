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
        extra="ignore",
        env_file_encoding="utf-8",
        env_ignore_empty=True,
        validate_assignment=True,
        use_attribute_docstrings=True,
    )
    from_stores: Annotated[frozenset[str], NoDecode] = Field(default=frozenset(), exclude=True, repr=False)
    """Which of the values come from the Dapr stores; not a setting itself."""

    app_host: str = "127.0.0.1"
    """The address that budapp listens on."""
    app_port: int = Field(default=9081, ge=1, le=65535)
    """The port that budapp listens on."""
    app_workers: int = Field(default=1, ge=1)
    """Worker processes behind the port; scale by replicas rather than by this."""
    app_api_token: SecretStr
    """What the sidecar brings in `dapr-api-token`; routes for other services ask for it."""
    log_level: Annotated[_LogLevel, _UPPER, LIVE] = "INFO"
    """The least severe level that is logged."""
    request_body_max_bytes: int = Field(default=5 * 1024 * 1024, ge=1024)
    """The largest request body; files of datasets do not pass through budapp."""
    request_seconds: float = Field(default=15, gt=0)
    """How long a request may take before it is rolled back and answered 503; some routes declare more."""
    trusted_proxies: CommaList = []
    """Addresses and networks of proxies whose `X-Forwarded-For` counts."""
    cors_origins: CommaList = ["http://localhost:3000"]
    """The origins from which browsers may call the API."""
    admin_frontend_url: str = "http://localhost:3000"
    """The frontend that administrators' mails link to."""
    frontend_url: str = "http://localhost:3000"
    """The frontend that customers' mails link to, and where a sign-in at a provider ends."""

    psql_host: str
    """PostgreSQL's host."""
    psql_port: int = Field(default=5432, ge=1, le=65535)
    """PostgreSQL's port."""
    psql_db_name: str
    """The database."""
    psql_user: str
    """The database role."""
    psql_password: SecretStr
    """The database role's password."""
    psql_ssl_mode: Literal["disable", "prefer", "require", "verify-ca", "verify-full"] = "prefer"
    """Whether connections to PostgreSQL are encrypted, and its certificate verified; the words are libpq's."""
    psql_ca_file: CaFile | None = None
    """The authorities that PostgreSQL's certificate may be of, in PEM; the machine's own where absent."""
    psql_transaction_pooler: bool = False
    """Whether a pooler in transaction mode, such as PgBouncer, lies between budapp and PostgreSQL."""
    psql_pool_size: int = Field(default=20, ge=1)
    """Connections of each process for writes; as many again for prepared reads, half as many for other reads."""
    psql_timeout_seconds: float = Field(default=5, gt=0)
    """How long to wait for a connection, new or from the pool."""
    psql_statement_seconds: float = Field(default=30, gt=0)
    """The time after which PostgreSQL ends a statement."""
    psql_lock_seconds: float = Field(default=10, gt=0)
    """The time after which PostgreSQL ends a wait for a lock."""
    psql_idle_transaction_seconds: float = Field(default=60, gt=0)
    """The time after which PostgreSQL ends a transaction in which nothing happens."""

    tensorzero_redis_url: SecretStr
    """The URL of Valkey, with password and database number; the gateway reads its tables there."""
    valkey_timeout_seconds: float = Field(default=2, gt=0)
    """How long to wait for Valkey."""

    keycloak_server_url: str
    """Where budapp reaches Keycloak."""
    keycloak_public_url: str | None = None
    """The address that tokens name as their issuer, where it is not `KEYCLOAK_SERVER_URL`."""
    keycloak_admin_username: str
    """A Keycloak account that may create realms."""
    keycloak_admin_password: SecretStr
    """That account's password."""
    keycloak_realm_name: str = "master"
    """The realm of that account."""
    keycloak_verify_ssl: bool = True
    """Whether Keycloak's certificate is verified."""
    keycloak_timeout_seconds: int = Field(default=10, gt=0)
    """How long to wait for Keycloak."""
    keycloak_access_token_lifespan_seconds: int = Field(default=300, ge=30)
    """How long access tokens are valid; set in every tenant's realm."""
    keycloak_sso_idle_seconds: int = Field(default=1800, ge=60)
    """How long a session lasts without renewal; set in every tenant's realm."""
    keycloak_sso_max_seconds: int = Field(default=36000, ge=60)
    """How long a session lasts at most; set in every tenant's realm."""
    keycloak_mirror_seconds: int = Field(default=30, ge=1)
    """Seconds between two comparisons with what was changed in Keycloak's console."""
    keycloak_failures_before_lock: int = Field(default=10, ge=1)
    """Wrong passwords after which Keycloak locks an account."""
    keycloak_password_policy: str = (
        "length(8) and maxLength(100) and digits(1) and upperCase(1) and lowerCase(1)"  # noqa: S105
        " and specialChars(1) and notUsername(undefined) and notEmail(undefined)"
    )
    """The password policy of every tenant's realm, in Keycloak's words; it can only add to budapp's own rules."""
    default_realm_name: str = "bud-keycloak"
    """The realm of the platform's own tenant, created by `budapp seed`."""
    default_client_name: str = "bud-client"
    """The client in that realm."""
    super_user_email: EmailStr
    """The e-mail address of the first administrator, created by `budapp seed`."""
    super_user_password: SecretStr
    """The first administrator's password."""
    system_user_id: UUID | None = None
    """The user that another service acts for if it names none; without it such calls are refused."""

    minio_endpoint: str
    """Host and port of the object store (S3)."""
    minio_access_key: SecretStr | None = None
    """The object store's access key; without it, the workload's identity counts."""
    minio_secret_key: SecretStr | None = Field(default=None, validate_default=True)
    """The object store's secret key."""
    minio_region: str = "us-east-1"
    """The region of the buckets."""
    minio_secure: bool = False
    """Whether the object store is reached by https."""
    minio_ca_file: CaFile | None = None
    """The authorities that the object store's certificate may be of, in PEM; the machine's own where absent."""
    minio_bucket: str = "models-registry"
    """The bucket with files of models."""
    minio_model_bucket: str = "model-info"
    """The bucket with what is known of models, such as licenses."""
    minio_dataset_bucket: str = "datasets"
    """The bucket with files of datasets."""
    minio_public_endpoint: str | None = None
    """Where browsers reach the object store, if elsewhere."""
    minio_public_secure: bool = False
    """Whether browsers reach it by https."""
    presigned_url_seconds: int = Field(default=900, ge=60, le=86_400)
    """How long links to files are valid."""
    dataset_file_max_bytes: int = Field(default=20 * 1024**3, ge=1024)
    """The largest file of a dataset."""
    dataset_readers: int = Field(default=2, ge=1, le=64)
    """How many files of datasets each process has read at once."""
    dataset_reader_memory_bytes: int = Field(default=1024**3, ge=512 * 1024**2)
    """The memory that each reader may take."""
    dataset_upload_hours: int = Field(default=24, ge=1, le=24 * 7)
    """How long an upload may take before it is dropped."""

    app_id: str = "budapp"
    """budapp's own Dapr app id."""
    dapr_base_url: str = "http://127.0.0.1:3510"
    """Where budapp reaches its sidecar by HTTP."""
    dapr_grpc_port: int = Field(default=50001, ge=1, le=65535)
    """The sidecar's gRPC port, on the same host."""
    dapr_wait_seconds: float = Field(default=10, ge=0)
    """How long to wait at start for the sidecar, where settings are read through it."""
    dapr_api_token: SecretStr | None = None
    """What the sidecar asks of its callers."""
    statestore_name: str = "statestore"
    """The Dapr state store."""
    pubsub_name: str = "pubsub-redis"
    """The Dapr pub/sub component."""
    configstore_name: str | None = None
    """The Dapr configuration store with settings, if any."""
    secretstore_name: str | None = None
    """The Dapr secret store with settings, if any."""
    app_topic: str = "budAppMessages"
    """The topic on which other services send events to budapp."""
    dead_letter_topic: str = "poisonMessages"
    """The topic for what is no event."""
    bud_cluster_app_id: str = "budcluster"
    """The Dapr app id of budcluster."""
    bud_model_app_id: str = "budmodel"
    """The Dapr app id of budmodel."""
    bud_simulator_app_id: str = "budsim"
    """The Dapr app id of budsim."""
    bud_metrics_app_id: str = "budmetrics"
    """The Dapr app id of budmetrics."""
    bud_notify_app_id: str = "notify"
    """The Dapr app id of budnotify."""
    bud_eval_app_id: str = "budeval"
    """The Dapr app id of budeval."""
    bud_prompt_app_id: str = "budprompt"
    """The Dapr app id of budprompt."""
    bud_pipeline_app_id: str = "budpipeline"
    """The Dapr app id of budpipeline."""

    public_url: str | None = None
    """Where browsers reach budapp; `http://APP_HOST:APP_PORT` where absent."""
    sso_return_origins: CommaList = []
    """Where browsers may be sent after a sign-in at a provider; the two frontends where absent."""

    encryption_keys: SecretStr
    """What secrets are encrypted with: `<key id>:<base64 of 32 bytes>`, several with commas; the first encrypts."""
    audit_keys: SecretStr | None = None
    """What the audit trail is signed with, in the same form; derived from `ENCRYPTION_KEYS` where absent."""
    audit_bucket: str | None = None
    """The bucket to which tenants may have audit entries delivered, beside webhooks."""
    outgoing_networks: CommaList = []
    """The private networks that addresses given by people may lead into."""
    api_key_peppers: SecretStr | None = None
    """What API keys are hashed with, in the form of `ENCRYPTION_KEYS`; derived from those where absent."""
    bud_doc_service_url: str | None = None
    """Where the gateway has documents read."""
    bud_prompt_service_url: str | None = None
    """Where the gateway reaches budprompt; without it, prompts can't be called there."""
    mcp_foundry_base_url: str | None = None
    """The MCP Foundry, which keeps connectors; without it, there are none."""
    gateway_public_key: str | None = None
    """The public half of the gateway's RSA key: PEM, or base64 of it."""
    bud_gateway_url: str | None = None
    """The gateway that the playground talks through; without it, it talks straight to deployments."""
    browser_public_key: str | None = None
    """The public half of the RSA key that budadmin is built with: PEM, or base64 of it."""
    caller_cache_seconds: Annotated[float, LIVE] = Field(default=4, ge=0, le=5)
    """How long a process keeps what it knows of a caller."""
    login_failure_seconds: Annotated[float, LIVE] = Field(default=0.7, ge=0)
    """How long a refused sign-in takes at least."""
    refresh_reuse_seconds: int = Field(default=10, ge=0)
    """How long the same refresh token gets the same new tokens."""
    login_free_failures: Annotated[int, LIVE] = Field(default=5, ge=1)
    """Failed sign-ins in a row that cost no pause."""
    login_free_failures_of_address: Annotated[int, LIVE] = Field(default=50, ge=1)
    """The same, for strangers at one address."""
    login_pause_seconds: float = Field(default=2, gt=0)
    """The first pause after failed sign-ins; each further one is twice as long."""
    login_longest_pause_seconds: float = Field(default=900, gt=0)
    """The longest pause after failed sign-ins."""
    rate_limit_address: Annotated[str, LIVE] = "600/minute"
    """How often one address may try one public route."""
    rate_limit_refresh: Annotated[str, LIVE] = "20/minute"
    """How often one session may be renewed."""
    rate_limit_reset: Annotated[str, LIVE] = "5/hour"
    """How often a link to reset one account's password may be requested."""
    rate_limit_register: Annotated[str, LIVE] = "30/10 minutes"
    """How often one address may register."""

    grafana_cluster_url: str | None = None
    """The dashboard of a cluster, with `{cluster_id}` for budcluster's id of it."""

    catalog_source: str | None = None
    """Where the catalog of cloud models is read from, URL or file; what comes with budapp where absent."""
    catalog_sync_hours: float = Field(default=168, gt=0)
    """How often that catalog is read."""

    eval_manifest_url: str | None = None
    """Where the manifest of evaluation datasets is read from, URL or file; what comes with budapp where absent."""
    eval_sync_hours: float = Field(default=1, gt=0)
    """How often that manifest is read."""

    guardrail_catalog_url: str | None = None
    """Where the catalog of guardrail probes is read from, URL or file; what comes with budapp where absent."""
    guardrail_sync_hours: float = Field(default=168, gt=0)
    """How often that catalog is read."""
    bud_sentinel_url: str | None = None
    """Where the gateway finds Bud Sentinel, for guardrails by the platform's own models."""

    workflow_ask_seconds: Annotated[float, LIVE] = Field(default=30, gt=0, le=300)
    """How long a service may take to answer a request to begin work."""
    workflow_answer_seconds: Annotated[float, LIVE] = Field(default=5, gt=0, le=60)
    """How long a person waits for that answer before it is awaited in the background."""
    workflow_silence_minutes: Annotated[float, LIVE] = Field(default=60, gt=0)
    """How long a service may be silent before its work is given up, at least."""
    workflow_deadline_minutes: Annotated[float, LIVE] = Field(default=24 * 60, gt=0)
    """The same, at most."""
    workflow_draft_days: Annotated[float, LIVE] = Field(default=14, gt=0)
    """When a draft expires that nobody touches."""
    workflow_callback_topics: Annotated[CommaList, LIVE] = ["budpipelineEvents"]
    """Topics to which a client may have a workflow's outcome published."""

    otel_exporter_otlp_endpoint: str | None = None
    """Where traces are sent, over OTLP/HTTP; tracing is off without it."""

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
