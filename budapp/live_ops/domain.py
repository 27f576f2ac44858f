"""What happens, told live to those who may read of it."""

from redis.asyncio import Redis

from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain
from budapp.live_ops import models
from budapp.live_ops.hub import Hub
from budapp.live_ops.publisher import Publisher
from budapp.live_ops.reach import Reach
from budapp.live_ops.routes import router
from budapp.live_ops.streams import EventStreams
from budapp.user_ops.callers import Callers

domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(
        Component(EventStreams, lambda c: EventStreams(c[Redis])),
        Component(
            Publisher,
            lambda c: Publisher(c[Database], c[EventStreams], c.hooks),
            start=Publisher.start,
            stop=Publisher.stop,
        ),
        Component(Hub, lambda c: Hub(c[EventStreams], Reach(c[Database]), c[Callers]), stop=Hub.stop),
    ),
)
