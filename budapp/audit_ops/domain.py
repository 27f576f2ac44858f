"""Reading, exporting, delivering and keeping the audit trail."""

from datetime import timedelta
from functools import partial

from budapp.audit_ops import models
from budapp.audit_ops.commands import app as commands
from budapp.audit_ops.delivery import Delivering
from budapp.audit_ops.retention import remove_old
from budapp.audit_ops.routes import router
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain
from budapp.commons.jobs import Job
from budapp.integrations.outgoing import Outgoing
from budapp.integrations.storage import Storage

domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(Component(Delivering, lambda c: Delivering(c[Settings], c[Database], c[Storage], c[Outgoing])),),
    jobs=lambda c: (
        Job("deliver_audit_entries", timedelta(seconds=2), c[Delivering].run),
        Job("remove_old_audit_entries", timedelta(hours=1), partial(remove_old, c[Database])),
    ),
    commands={"audit": commands},
)
