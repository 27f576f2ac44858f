"""Create a project with a dataset, upload a file, and wait until it is checked: `python upload_dataset.py data.csv`."""

import os
import sys
from pathlib import Path

from budapp_client import Budapp, answer, upload
from budapp_client.datasets import wait_until_checked
from budapp_client.rest.api.datasets import datasets_create
from budapp_client.rest.api.projects import projects_create
from budapp_client.rest.models import DatasetCreate, ProjectCreate

path = Path(sys.argv[1])
with Budapp.with_key(os.environ["BUDAPP_ADDRESS"], os.environ["BUDAPP_TOKEN"]) as api:
    project = answer(projects_create.sync(client=api, body=ProjectCreate(name=f"Project of {path.stem}"))).project
    body = DatasetCreate(project_id=project.id, name=path.stem)
    dataset = answer(datasets_create.sync(client=api, body=body)).dataset
    file = upload(api, dataset.id, path)
    ready = wait_until_checked(api, dataset.id, file.id)
    print(f"{path.name}: {ready.row_count} rows, dataset {dataset.id}")
