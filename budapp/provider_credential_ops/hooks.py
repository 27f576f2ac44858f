"""What other domains know of the use of provider credentials."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement

from budapp.commons.access import Caller
from budapp.commons.database import ReadSession, WriteSession
from budapp.commons.hooks import Hook
from budapp.provider_credential_ops.models import ProviderCredential
from budapp.provider_credential_ops.schemas import LinkedEndpoint

endpoint_count = Hook[Callable[[Any], ColumnElement[int]]]("count the endpoints of a provider credential", single=True)
"""From the column with a credential's id to the number of its running endpoints."""

endpoints = Hook[Callable[[ReadSession, ProviderCredential], Awaitable[Sequence[LinkedEndpoint]]]](
    "endpoints of a provider credential", single=True
)
"""The endpoints that are called with the credential and not deleted, of all projects."""

link = Hook[Callable[[WriteSession, Caller, UUID, ProviderCredential], Awaitable[None]]](
    "call an endpoint with a provider credential", single=True
)
"""Has the endpoint with the id called with the credential; raises `NotFound`, `Forbidden` or `BadRequest`."""
