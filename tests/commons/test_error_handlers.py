"""What PostgreSQL says, as the answer that a client can act on."""

import pytest
from asyncpg import PostgresError
from asyncpg import exceptions as postgresql
from sqlalchemy.exc import DBAPIError

from budapp.commons.error_handlers import as_app_error


@pytest.mark.parametrize(
    ("raised", "status"),
    [
        (postgresql.DeadlockDetectedError, 503),
        (postgresql.SerializationError, 503),
        (postgresql.LockNotAvailableError, 503),
        (postgresql.QueryCanceledError, 503),
        (postgresql.AdminShutdownError, 503),
        (postgresql.TooManyConnectionsError, 503),
        (postgresql.FeatureNotSupportedError, 503),  # how a plan of before a migration fails
        (postgresql.CharacterNotInRepertoireError, 422),
        (postgresql.ProgramLimitExceededError, 422),
        (postgresql.UniqueViolationError, 500),
        (postgresql.UndefinedTableError, 500),
    ],
)
def test_what_may_work_at_the_next_try_is_503_and_a_mistake_of_ours_500(
    raised: type[PostgresError], status: int
) -> None:
    assert as_app_error(DBAPIError("select 1", None, raised("no"))).status == status
