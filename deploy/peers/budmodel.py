"""The stand-in for budmodel: reads and scans models, fetches licenses, and keeps the files of models."""

import asyncio
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel

from peers import model_facts
from peers.control import Control
from peers.envelope import Info, WorkAnswer, WorkRequest
from peers.flow import Flow, Step
from peers.model_files import ModelFiles
from peers.work import Order, Works, blocking

ProviderType = Literal["cloud_model", "hugging_face", "url", "disk"]


class ExtractionRequest(WorkRequest):
    """The body of `POST /model-info/extract`."""

    model_name: str
    model_uri: str
    provider_type: ProviderType
    hf_token: str | None = None


class ScanRequest(WorkRequest):
    """The body of `POST /model-info/scan`."""

    model_path: str


class LicenseRequest(WorkRequest):
    """The body of `POST /model-info/license-faq`."""

    license_source: str


class CloudModelRequest(WorkRequest):
    """The body of `POST /model-info/cloud-model/extract`."""

    model_uri: str
    external_service_url: str | None = None


class CloudModelAnswer(BaseModel):
    """What is known of a model in a cloud."""

    object: str = "cloud_model_extraction"
    model_info: dict[str, Any]
    created: int


class LeaderboardAnswer(BaseModel):
    """How models do in benchmarks."""

    object: str = "info"
    message: str
    param: dict[str, Any] | None = None
    leaderboards: list[dict[str, Any]]


EXTRACTION = Flow(
    type="perform_model_extraction",
    minutes=4,
    steps=(
        Step(
            id="validation",
            title="Validating the model URI",
            description="Check that the model exists and may be read",
            started=("Validating model uri", "Validating given model uri"),
            completed=("Validated model uri", "Validated given model uri"),
            failed=("Failed to validate model uri", "{error}. Fix: Check the model uri and permissions"),
        ),
        Step(
            id="model_download",
            title="Downloading the model",
            description="Fetch the files of the model",
            started=("Downloading the model", "Downloading the model from the given URI"),
            completed=("Downloaded the model", "Downloaded the model from the given URI"),
            failed=("Failed to download {model_name}", "{error}. Fix: Retry the download"),
        ),
        Step(
            id="model_extraction",
            title="Extracting the model info",
            description="Read what the files tell of the model",
            started=("Extracting the model", "Extracting the model from the given path"),
            completed=("Extracted the model", "Extracted the model information"),
            failed=("Failed to extract the model", "{error}. Fix: Retry the model extraction"),
        ),
        Step(
            id="save_model",
            title="Saving the model to the registry",
            description="Store the files of the model",
            started=("Saving the model to the registry", "Saving the model to the registry"),
            completed=("Saved the model to the registry", "Saved the model to the registry"),
            failed=(
                "Failed to save the model to the registry",
                "{error}. Files preserved for retry. Fix: Retry the workflow to resume upload",
            ),
        ),
    ),
    results=("Model Extraction Results", "The model extraction results are ready"),
)

SCAN = Flow(
    type="perform_model_security_scan",
    eta_type="perform_model_scanning",
    minutes=1,
    steps=(
        Step(
            id="security_scan",
            title="Performing the security scan",
            description="Look for unsafe code in the files of the model",
            started=(
                "Performing security scan",
                "Performing security scan on the given model inside firejail sandbox",
            ),
            completed=("Security scan completed", "Security scan on the given model is completed"),
            failed=("Failed to perform security scan", "{error}. Fix: Retry the security scan"),
        ),
    ),
    results=("Model Security Scan Results", "The model security scan results are ready"),
)

LICENSE = Flow(
    type="fetch_license_faqs",
    steps=(
        Step(
            id="fetch_license_faqs",
            title="Fetching License FAQs",
            description="Read the license and answer what is asked about it",
            started=("Fetching License FAQs", "Retrieving FAQs from the provided source"),
            completed=("License FAQs Retrieved", "Successfully retrieved FAQs from the license source"),
            failed=("Failed to Fetch License FAQs", "{error}. Fix: Ensure the license source is correct and retry"),
        ),
    ),
    results=("License FAQs Results", "The license FAQs have been retrieved successfully"),
)


class BudModel:
    """The routes."""

    def __init__(self, control: Control) -> None:
        self._files = ModelFiles(control.settings)
        self.works = Works(control, topic="budModelMessages")

    async def extract(self, request: ExtractionRequest) -> WorkAnswer:
        """Fetch a model, read what it is, and store it."""
        info = model_facts.model_info(request.model_uri)
        path = model_facts.local_path(request.model_name, request.model_uri)

        def result(workflow_id: UUID) -> dict[str, Any]:
            answer = {"workflow_id": str(workflow_id), "model_info": info, "local_path": path}
            return {"object": "model_extraction", **answer, "created": model_facts.CREATED}

        save = blocking(self._files.save, path, info)
        facts = {"model_name": request.model_name}
        return self.works.start(Order(EXTRACTION, request, result, facts, {"save_model": save}))

    async def scan(self, request: ScanRequest) -> WorkAnswer:
        """Look for unsafe code in a model."""

        def result(workflow_id: UUID) -> dict[str, Any]:
            found = model_facts.scan_result(request.model_path)
            answer = {"workflow_id": str(workflow_id), "scan_result": found, "created": model_facts.CREATED}
            return {"object": "security_scan", **answer}

        return self.works.start(Order(SCAN, request, result))

    async def license_faq(self, request: LicenseRequest) -> WorkAnswer:
        """Answer what is asked about a license."""

        def result(workflow_id: UUID) -> dict[str, Any]:
            details = model_facts.license_details(request.license_source)
            answer = {"workflow_id": str(workflow_id), "license_details": details, "created": model_facts.CREATED}
            return {"object": "license_faqs_fetch", **answer}

        return self.works.start(Order(LICENSE, request, result))

    async def cloud_model(self, request: CloudModelRequest) -> CloudModelAnswer:
        """Tell what a model in a cloud is."""
        return CloudModelAnswer(model_info=model_facts.model_info(request.model_uri), created=model_facts.CREATED)

    async def delete_model(self, path: str) -> Info:
        """Delete the files of a model; where there are none, that is well."""
        await asyncio.to_thread(self._files.delete, path)
        return Info(message="Model deleted successfully", param={"path": path})

    async def model_params(self, model_uri: str, k: int = 5) -> LeaderboardAnswer:
        """Return the model and those that come next to it."""
        rows = [model_facts.leaderboard(uri) for uri in [model_uri, *model_facts.WELL_KNOWN][:k]]
        return LeaderboardAnswer(message="Leaderboards fetched successfully", leaderboards=rows)

    async def compare(
        self,
        model_uris: list[str] | None = Query(None),  # noqa: B008 - FastAPI's way of saying that it repeats
        benchmark_fields: list[str] | None = Query(None),  # noqa: B008
        k: int = 5,
    ) -> LeaderboardAnswer:
        """Return chosen benchmarks of models."""
        rows = [model_facts.leaderboard(uri, benchmark_fields) for uri in (model_uris or model_facts.WELL_KNOWN)[:k]]
        return LeaderboardAnswer(message="Leaderboards fetched successfully", leaderboards=rows)

    async def by_uris(self, model_uris: list[str] = Query()) -> LeaderboardAnswer:  # noqa: B008
        """Return all benchmarks of models."""
        rows = [{"uri": uri, "benchmarks": model_facts.benchmarks(uri)} for uri in model_uris]
        return LeaderboardAnswer(message="Leaderboards fetched successfully", leaderboards=rows)


def router(control: Control) -> APIRouter:
    """Return the routes of the contract."""
    peer = BudModel(control)
    routes = APIRouter(lifespan=peer.works.lifespan)
    routes.add_api_route("/model-info/extract", peer.extract, methods=["POST"])
    routes.add_api_route("/model-info/scan", peer.scan, methods=["POST"])
    routes.add_api_route("/model-info/license-faq", peer.license_faq, methods=["POST"])
    routes.add_api_route("/model-info/cloud-model/extract", peer.cloud_model, methods=["POST"])
    routes.add_api_route("/model-info/local-models", peer.delete_model, methods=["DELETE"])
    routes.add_api_route("/leaderboard/model-params", peer.model_params, methods=["GET"])
    routes.add_api_route("/leaderboard/models/compare", peer.compare, methods=["GET"])
    routes.add_api_route("/leaderboard/models-uris", peer.by_uris, methods=["GET"])
    return routes
