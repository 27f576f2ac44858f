"""Tries a credential at its provider."""

from collections.abc import Mapping
from typing import Literal

import httpx

from budapp.commons.errors import BadRequest, PeerFailed, Unavailable
from budapp.integrations.outgoing import ForbiddenAddress, Outgoing
from budapp.provider_credential_ops.fields import Check, filled

_SECONDS = 8
_REFUSALS = {401, 403}

Outcome = Literal["valid", "refused"]


async def try_out(outgoing: Outgoing, check: Check, values: Mapping[str, str]) -> Outcome:
    """Ask the provider, and return what it says of the credential.

    Raises:
        BadRequest: the credential names an address that must not be asked.
        PeerFailed: the provider answers something that says nothing of the credential.
        Unavailable: it cannot be reached.
    """
    secret = values.get(check.field, "")
    headers = {check.header: f"{check.scheme} {secret}" if check.scheme else secret, **check.headers}
    try:
        async with outgoing.client(seconds=_SECONDS) as client:
            answer = await client.get(filled(check.url, values), headers=headers)
    except ForbiddenAddress as error:
        raise BadRequest(f"The provider's address can't be used: {error}", param="other_provider_creds") from error
    except (httpx.HTTPError, UnicodeError) as error:
        raise Unavailable("The provider can't be reached; try again later") from error
    if answer.status_code in _REFUSALS:
        return "refused"
    if not answer.is_success:
        raise PeerFailed(f"The provider answered {answer.status_code}, which says nothing of the credential")
    return "valid"
