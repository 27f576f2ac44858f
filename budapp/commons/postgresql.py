"""How connections to PostgreSQL are made: with or without TLS, straight or through a pooler.

A pooler in transaction mode, such as PgBouncer, gives each transaction any of its connections. So nothing may be kept
in a connection between two transactions: no prepared statement, no setting, no lock. What is otherwise set once, when
a connection is opened, is then set at the beginning of each transaction.
"""

import ssl
from typing import Any

from sqlalchemy import URL

from budapp.commons.config import Settings


def database_url(settings: Settings) -> URL:
    """Return the address of the database for asyncpg."""
    return URL.create(
        "postgresql+asyncpg",
        username=settings.psql_user,
        password=settings.psql_password.get_secret_value(),
        host=settings.psql_host,
        port=settings.psql_port,
        database=settings.psql_db_name,
    )


def driver_arguments(settings: Settings) -> dict[str, Any]:
    """Return what asyncpg is told for each connection, whatever it is for."""
    arguments: dict[str, Any] = {"ssl": _tls(settings), "timeout": settings.psql_timeout_seconds}
    return arguments | ({"statement_cache_size": 0} if settings.psql_transaction_pooler else {})


def connect_arguments(settings: Settings, *, read_only: bool) -> dict[str, Any]:
    """Return what asyncpg is told for each connection of a pool: who we are, what it may do, and all time limits.

    The server ends what takes too long, so that nothing is left open there by a replica that is gone; the client's own
    limit is for a server that does not answer any more. A pooler would refuse the settings.
    """
    of_server = {"default_transaction_read_only": "on" if read_only else "off", **limits_of(settings)}
    return driver_arguments(settings) | {
        "command_timeout": settings.psql_statement_seconds + settings.psql_timeout_seconds,
        "server_settings": {
            "application_name": "budapp",
            **({} if settings.psql_transaction_pooler else of_server),
        },
    }


def engine_arguments(settings: Settings) -> dict[str, Any]:
    """Return what SQLAlchemy is told beside: through a pooler, its statements have no name and are not kept."""
    nameless = {"prepared_statement_cache_size": 0, "prepared_statement_name_func": str}
    return nameless if settings.psql_transaction_pooler else {}


def limits_of(settings: Settings) -> dict[str, str]:
    """Return PostgreSQL's time limits by the names of its settings, in milliseconds."""
    seconds = {
        "statement_timeout": settings.psql_statement_seconds,
        "lock_timeout": settings.psql_lock_seconds,
        "idle_in_transaction_session_timeout": settings.psql_idle_transaction_seconds,
    }
    return {name: str(round(limit * 1000)) for name, limit in seconds.items()}


def _tls(settings: Settings) -> str | ssl.SSLContext:
    if settings.psql_ssl_mode not in {"verify-ca", "verify-full"}:
        return settings.psql_ssl_mode
    context = ssl.create_default_context(cafile=settings.psql_ca_file)
    context.check_hostname = settings.psql_ssl_mode == "verify-full"
    return context
