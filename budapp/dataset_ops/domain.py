"""Datasets and their files."""

from datetime import timedelta

from budapp.commons.config import Settings
from budapp.commons.database import Database
from budapp.commons.domain import Component, Domain
from budapp.commons.jobs import Job
from budapp.dataset_ops import crud, models, services
from budapp.dataset_ops.checking import Checking
from budapp.dataset_ops.files import Files
from budapp.dataset_ops.reading.readers import Readers
from budapp.dataset_ops.routes import router
from budapp.dataset_ops.seeds import ensure_benchmark_datasets
from budapp.dataset_ops.sweeping import Sweeping
from budapp.integrations.storage import Storage
from budapp.project_ops import hooks as project_hooks

domain = Domain(
    routers=(router,),
    tables=(models,),
    components=(
        Component(
            Readers, lambda c: Readers(c[Settings].dataset_readers, c[Settings].minio_ca_file), close=Readers.close
        ),
        Component(Sweeping, lambda c: Sweeping(c[Database], c[Storage], c[Settings].minio_dataset_bucket)),
        Component(Files, lambda c: Files.of(c[Settings], c[Storage], c[Sweeping])),
        Component(
            Checking,
            lambda c: Checking(
                c[Database],
                c[Storage],
                c[Settings].minio_dataset_bucket,
                c[Readers],
                c[Settings].dataset_reader_memory_bytes,
                c[Sweeping],
            ),
            start=Checking.start,
            stop=Checking.stop,
        ),
    ),
    jobs=lambda c: (Job("sweep_dataset_files", timedelta(minutes=10), c[Sweeping].sweep),),
    hooks=(
        project_hooks.count.register(crud.count_in_project, name="datasets"),
        project_hooks.before_removal.register(services.before_project_removal),
    ),
    seeds=(ensure_benchmark_datasets,),
)
