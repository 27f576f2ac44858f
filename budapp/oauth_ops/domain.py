"""The identity providers of tenants."""

from datetime import timedelta
from functools import partial

from budapp.commons.config import Settings
from budapp.commons.database import Database, WriteSession
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.encryption import Encryption
from budapp.commons.jobs import Job
from budapp.integrations.identity_brokers import Brokering
from budapp.integrations.outgoing import Outgoing
from budapp.oauth_ops import models
from budapp.oauth_ops.routes import router
from budapp.oauth_ops.services import Providers, purge


async def _refresh_clients(session: WriteSession, c: Components) -> None:
    await c[Providers].refresh(session)


domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(Component(Providers, lambda c: Providers(c[Settings], c[Brokering], c[Encryption], c[Outgoing])),),
    jobs=lambda c: (Job("purge_sign_ons", timedelta(hours=1), partial(purge, c[Database])),),
    seeds=(_refresh_clients,),
)
