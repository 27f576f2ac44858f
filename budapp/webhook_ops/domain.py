"""What happens, posted to the addresses that tenants and projects name."""

from datetime import timedelta
from functools import partial

from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain
from budapp.commons.jobs import Job
from budapp.integrations.outgoing import Outgoing
from budapp.live_ops.hooks import after_telling
from budapp.webhook_ops import models
from budapp.webhook_ops.routes import router
from budapp.webhook_ops.sender import Sender
from budapp.webhook_ops.services import purge_deliveries, take_events

domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(Component(Sender, lambda c: Sender(c[Database], c[Outgoing]), start=Sender.start, stop=Sender.stop),),
    jobs=lambda c: (Job("purge_webhook_deliveries", timedelta(hours=1), partial(purge_deliveries, c[Database])),),
    hooks=(after_telling.register(take_events),),
)
