"""The people of tenants."""

from datetime import timedelta
from functools import partial

from redis.asyncio import Redis

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.jobs import Job
from budapp.integrations.keycloak import Keycloak
from budapp.user_ops import models
from budapp.user_ops.callers import Callers
from budapp.user_ops.keycloak_mirror import KeycloakMirror
from budapp.user_ops.routes import router
from budapp.user_ops.sessions import purge_revocations


def _jobs(c: Components) -> tuple[Job, ...]:
    return (
        Job("mirror_keycloak", timedelta(seconds=c[Settings].keycloak_mirror_seconds), c[KeycloakMirror].mirror_all),
        Job("purge_revocations", timedelta(hours=1), partial(purge_revocations, c[Database])),
    )


domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(
        Component(
            Callers,
            lambda c: Callers(c[Redis], c[Settings]),
            start=Callers.start,
            stop=Callers.stop,
        ),
        Component(KeycloakMirror, lambda c: KeycloakMirror(c[Database], c[Keycloak], c[Callers])),
    ),
    jobs=_jobs,
)
