"""Service accounts, and how their keys open budapp itself."""

from budapp.api_key_ops.services import ApiKeys
from budapp.commons.database import Database
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.rate_limits import RateLimiter
from budapp.service_account_ops import models
from budapp.service_account_ops.authentication import KeyAuthenticator, KeyUses
from budapp.service_account_ops.forgetting_crud import KeyChanges
from budapp.service_account_ops.routes import router
from budapp.service_account_ops.services import ServiceAccountKeys
from budapp.user_ops.callers import Callers


def _authenticator(c: Components) -> KeyAuthenticator:
    return KeyAuthenticator(c[Database], c[ApiKeys], c[Callers], c[RateLimiter], c[KeyUses])


domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(
        Component(KeyUses, lambda c: KeyUses(c[Database]), start=KeyUses.start, stop=KeyUses.stop),
        Component(KeyChanges, lambda c: KeyChanges(c[Database], c[Callers])),
        Component(KeyAuthenticator, _authenticator),
        Component(ServiceAccountKeys, lambda c: ServiceAccountKeys(c[ApiKeys])),
    ),
)
