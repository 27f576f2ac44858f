"""What to say, without a traceback, where a command cannot do its work."""

import ssl

from alembic.util import CommandError

from budapp.commons.config import SettingsError
from budapp.commons.errors import AppError, Unavailable


def plain_message(error: Exception) -> str | None:
    """Return the message for the operator; None where the error is a fault of the program."""
    match error:
        case Unavailable(__cause__=Exception() as cause):
            return f"{error} ({cause})"
        case SettingsError() | AppError():
            return str(error)
        case CommandError():
            return f"the database can't be migrated: {error}"
        case ssl.SSLCertVerificationError():
            return f"PostgreSQL's certificate is refused, see PSQL_SSL_MODE and PSQL_CA_FILE: {error.verify_message}"
        case OSError():
            return f"a store or service cannot be reached: {error}"
    return None
