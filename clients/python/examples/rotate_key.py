"""Create an API key in a project, and give it another secret: `python rotate_key.py "My project"`."""

import os
import sys

from budapp_client import Budapp, answer
from budapp_client.rest.api.api_keys import api_keys_create, api_keys_rotate
from budapp_client.rest.api.projects import projects_create
from budapp_client.rest.models import KeyCreate, KeyView, ProjectCreate, RotateRequest

HOUR = 3600

with Budapp.with_key(os.environ["BUDAPP_ADDRESS"], os.environ["BUDAPP_TOKEN"]) as api:
    project = answer(projects_create.sync(client=api, body=ProjectCreate(name=sys.argv[1]))).project
    key = answer(api_keys_create.sync(client=api, body=KeyCreate(name="Service", project_id=project.id))).result
    assert isinstance(key, KeyView)
    print(key.key)
    # The old secret works for another hour, so that whoever uses it can change over.
    print(answer(api_keys_rotate.sync(key.id, client=api, body=RotateRequest(grace_seconds=HOUR))).result.key)
