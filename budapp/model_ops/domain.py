"""The repository of models, their licenses and scans."""

from datetime import timedelta
from functools import partial

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Components, Domain
from budapp.commons.encryption import Encryption
from budapp.commons.jobs import Job
from budapp.integrations.storage import Storage
from budapp.model_ops import models, workflows
from budapp.model_ops.license_files import LicenseFiles
from budapp.model_ops.license_routes import router as license_router
from budapp.model_ops.routes import router
from budapp.model_ops.storage_size import measure_models


def _jobs(c: Components) -> tuple[Job, ...]:
    measure = partial(measure_models, c[Database], c[Storage], c[Settings].minio_bucket)
    sweep = partial(c[LicenseFiles].sweep, c[Database])
    return (
        Job("measure_models", timedelta(seconds=30), measure),
        Job("sweep_license_files", timedelta(minutes=10), sweep),
    )


domain = Domain(
    routers=(router, license_router),
    tables=(models,),
    components=(Component(LicenseFiles, lambda c: LicenseFiles.of(c[Settings], c[Storage], c[Encryption])),),
    workflows=workflows.ALL,
    jobs=_jobs,
)
