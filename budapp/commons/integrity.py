"""Turns a constraint that PostgreSQL refused to have broken into the error that the caller understands."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import IntegrityError

from budapp.commons.errors import AppError


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
