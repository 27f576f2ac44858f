"""The plans of customers, and what they have used."""

from datetime import timedelta
from functools import partial

from budapp.billing_ops import models
from budapp.billing_ops.cycles import roll_cycles
from budapp.billing_ops.routes import router
from budapp.billing_ops.services import give_free_plan
from budapp.commons.database import Database
from budapp.commons.domain import Domain
from budapp.commons.jobs import Job
from budapp.user_ops.hooks import after_creation

domain = Domain(
    routers=(router,),
    tables=(models,),
    jobs=lambda c: (Job("roll_billing_cycles", timedelta(hours=1), partial(roll_cycles, c[Database])),),
    hooks=(after_creation.register(give_free_plan),),
)
