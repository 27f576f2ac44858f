"""What to say, without a traceback, where a command cannot do its work."""

from alembic.util import CommandError

from budapp.commons.config import SettingsError
from budapp.commons.errors import AppError


def plain_message(error: Exception) -> str | None:
    """Return the message for the operator; None where the error is a fault of the program."""
    match error:
        case SettingsError() | AppError():
            return str(error)
        case CommandError():
            return f"the database can't be migrated: {error}"
        case OSError():
            return f"a store or service cannot be reached: {error}"
    return None
