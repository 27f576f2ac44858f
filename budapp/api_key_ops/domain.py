"""API keys for the gateway."""

from datetime import timedelta
from functools import partial

from budapp.api_key_ops import crud, models, services
from budapp.api_key_ops.routes import router
from budapp.api_key_ops.secrets import Peppers
from budapp.api_key_ops.services import ApiKeys
from budapp.api_key_ops.upkeep import take_over_uses, tell_of_expiry
from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.encryption import Encryption
from budapp.commons.jobs import Job
from budapp.integrations.dapr import DaprClient
from budapp.integrations.recipients import Recipients
from budapp.project_ops import hooks as project_hooks
from budapp.user_ops import hooks as user_hooks


def _jobs(c: Components) -> tuple[Job, ...]:
    return (
        Job("tell_of_expiring_keys", timedelta(hours=1), partial(tell_of_expiry, c[Database])),
        Job("take_over_key_uses", timedelta(minutes=1), partial(take_over_uses, c[Database], c[DaprClient])),
    )


domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(Component(ApiKeys, lambda c: ApiKeys(c[Encryption], c[Recipients], Peppers(c[Settings]))),),
    jobs=_jobs,
    hooks=(
        project_hooks.count.register(crud.count_in_project, name="credentials"),
        project_hooks.before_removal.register(services.before_project_removal),
        user_hooks.before_deletion.register(services.before_user_deletion),
    ),
)
