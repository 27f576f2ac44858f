"""What PostgreSQL refuses because of what it was given: a broken constraint, or a value that it can't hold."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import DBAPIError, IntegrityError

from budapp.commons.errors import AppError

_DATA_EXCEPTION, _CONSTRAINT_VIOLATION, _LIMIT_EXCEEDED = "22", "23", "54"


def sqlstate_of(error: DBAPIError) -> str:
    """Return PostgreSQL's code of the error; empty where it did not answer."""
    return getattr(error.orig, "sqlstate", None) or ""


def cannot_hold(error: DBAPIError) -> bool:
    """Tell whether PostgreSQL can't hold what it was given: a NUL, a number out of range, a key that is too long."""
    return sqlstate_of(error).startswith((_DATA_EXCEPTION, _LIMIT_EXCEEDED))


def refuses(error: DBAPIError) -> bool:
    """Tell whether trying again with the same data must fail again."""
    return cannot_hold(error) or sqlstate_of(error).startswith(_CONSTRAINT_VIOLATION)


@contextmanager
def conflict_on(constraint: str, conflict: AppError) -> Iterator[None]:
    """Raise `conflict` where a flush inside breaks the constraint (or unique index) of that name.

    This is what settles two parallel requests: a check beforehand can be passed by both. Other broken constraints are
    raised on as they are. Either way the transaction is lost.
    """
    try:
        yield
    except IntegrityError as error:
        driver_error = error.orig.__cause__ if error.orig else None
        if getattr(driver_error, "constraint_name", None) != constraint:
            raise
        raise conflict from error
