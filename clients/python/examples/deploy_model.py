"""Deploy a model of the repository, and wait until it runs: `python deploy_model.py PROJECT_ID MODEL_ID NAME`."""

import os
import sys
from uuid import UUID

from budapp_client import Budapp, WorkflowEnded, deploy, wait_for
from budapp_client.rest.models import DeployConfigPost

project_id, model_id, name = UUID(sys.argv[1]), UUID(sys.argv[2]), sys.argv[3]
load = DeployConfigPost(
    concurrent_requests=10,
    avg_sequence_length=500,
    avg_context_length=1000,
    per_session_tokens_per_sec=[5, 20],
    ttft=[500, 2000],
    e2e_latency=[5, 30],
)
with Budapp.with_key(os.environ["BUDAPP_ADDRESS"], os.environ["BUDAPP_TOKEN"]) as api:
    workflow_id = deploy(api, project_id, model_id, name, load)
    try:
        wait_for(api, workflow_id)
    except WorkflowEnded as ended:
        sys.exit(str(ended))
    print(f"{name} runs")
