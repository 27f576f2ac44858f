"""What people are told, and how they want to be."""

from datetime import timedelta
from functools import partial

from budapp.commons.database import Database
from budapp.commons.domain import Domain
from budapp.commons.jobs import Job
from budapp.events.hooks import before_message
from budapp.notification_ops import models
from budapp.notification_ops.routes import router
from budapp.notification_ops.services import keep_message, purge_notifications

domain = Domain(
    routers=(router,),
    tables=(models,),
    jobs=lambda c: (Job("purge_notifications", timedelta(hours=1), partial(purge_notifications, c[Database])),),
    hooks=(before_message.register(keep_message),),
)
