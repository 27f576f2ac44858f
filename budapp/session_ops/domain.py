"""The sessions of people: where they are signed in, and when they last used it."""

from datetime import timedelta
from functools import partial

from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain
from budapp.commons.jobs import Job
from budapp.session_ops import models
from budapp.session_ops.last_used import LastUsed
from budapp.session_ops.routes import router
from budapp.session_ops.services import purge_sessions

domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(Component(LastUsed, lambda c: LastUsed(c[Database]), start=LastUsed.start, stop=LastUsed.stop),),
    jobs=lambda c: (Job("purge_sessions", timedelta(hours=1), partial(purge_sessions, c[Database])),),
)
