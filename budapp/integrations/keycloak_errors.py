"""What Keycloak's errors mean here."""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
from keycloak.exceptions import KeycloakConnectionError, KeycloakError

from budapp.commons.errors import Conflict, NotFound, PeerFailed, UnprocessableContent
from budapp.commons.logging import get_logger
from budapp.commons.outages import KEYCLOAK, outages, timed, unavailable
from budapp.integrations.password_rules import refused_password

logger = get_logger(__name__)

_FIELDS = {"firstName": "name", "lastName": "name", "email": "email", "username": "email"}


class InvalidGrant(Exception):
    """Keycloak does not accept the credentials or the token: wrong, unknown, locked, expired or used before."""


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into ours; the 4xx that mean something are handled where they can occur."""
    with timed(KEYCLOAK), _translated():
        yield


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
        outages.answered(KEYCLOAK)
    except (KeycloakConnectionError, httpx.HTTPError) as error:
        raise unavailable(KEYCLOAK, "The sign-in service is unavailable; try again later", error) from error
    except KeycloakError as error:
        if error.response_code == 404:
            raise NotFound("The sign-in service does not have this account") from error
        if error.response_code == 409:
            raise Conflict(
                "The sign-in service already has an account with this e-mail address", param="email"
            ) from error
        if error.response_code == 400 and (reason := refused_password(_raw(error))) is not None:
            raise UnprocessableContent(reason, param="password") from error
        if error.response_code == 400 and (field := _refused_field(error)) is not None:
            message = f"The sign-in service does not take this {field}; it may hold a character that is not allowed"
            raise UnprocessableContent(message, param=field) from error
        reason = _raw(error).decode(errors="replace")
        if error.response_code is not None and error.response_code < 500:
            logger.warning("keycloak_refused", status=error.response_code, reason=reason)
            raise PeerFailed("The sign-in service rejected the request") from error
        raise unavailable(KEYCLOAK, "The sign-in service failed; try again later", reason) from error


def _raw(error: KeycloakError) -> bytes:
    return error.response_body or str(error.error_message).encode()


def _refused_field(error: KeycloakError) -> str | None:
    """Return our name of the field of an account that Keycloak finds invalid, where it names one."""
    try:
        body = json.loads(_raw(error))
    except ValueError:
        return None
    if not isinstance(body, dict):
        return None
    return next((_FIELDS[each["field"]] for each in body.get("errors") or [body] if each.get("field") in _FIELDS), None)


@contextmanager
def grant_errors() -> Iterator[None]:
    """Raise `InvalidGrant` where Keycloak refuses what a token was asked for with."""
    try:
        yield
    except PeerFailed as error:
        cause = error.__cause__
        if isinstance(cause, KeycloakError) and b"invalid_grant" in _raw(cause):
            raise InvalidGrant from cause
        raise


@contextmanager
def unless_there() -> Iterator[None]:
    """Pass over a 409; the library's own `skip_exists` fails on the answer of Keycloak 26."""
    try:
        yield
    except KeycloakError as error:
        if error.response_code != 409:
            raise
