"""What the user wants to know once the stack is ready."""

from .parts.apps import PEERS
from .settings import Settings, shown


def summary(settings: Settings, *, infra_only: bool) -> str:
    """Return the addresses, and how to take the first step."""
    apps = [("budapp", _local(settings, "APP_PORT")), ("mail and messages", _local(settings, "NOTIFY_PORT"))]
    apps += [(f"{name} stand-in", _local(settings, f"{name.upper()}_PORT")) for name in PEERS if name != "notify"]
    rows = [
        *([] if infra_only else apps),
        ("Keycloak", _local(settings, "KEYCLOAK_PORT")),
        ("MinIO console", _local(settings, "MINIO_CONSOLE_PORT")),
        ("PostgreSQL", f"127.0.0.1:{settings['PSQL_PORT']}, database {settings['PSQL_DB_NAME']}"),
        ("Valkey", f"127.0.0.1:{settings['VALKEY_PORT']}"),
        ("Dapr", _local(settings, "DAPR_HTTP_PORT")),
        ("settings", shown(settings.env_file)),
    ]
    if settings.logs.exists():
        rows.append(("logs", shown(settings.logs)))
    rows.append(("administrator", f"{settings['SUPER_USER_EMAIL']}, with SUPER_USER_PASSWORD"))
    lines = [f"  {name:<20} {value}" for name, value in rows]
    return "\n".join(lines if infra_only else [*lines, "", "First call:", "", _first_call(settings)])


def _local(settings: Settings, port: str) -> str:
    return f"http://127.0.0.1:{settings[port]}"


def _first_call(settings: Settings) -> str:
    password = f"$(sed -n 's/^SUPER_USER_PASSWORD=//p' {shown(settings.env_file)})"
    body = f'"{{\\"email\\": \\"{settings["SUPER_USER_EMAIL"]}\\", \\"password\\": \\"{password}\\"}}"'
    address = f"{_local(settings, 'APP_PORT')}/auth/login"
    return f"  curl -s {address} -H 'Content-Type: application/json' \\\n    -d {body}\n"
