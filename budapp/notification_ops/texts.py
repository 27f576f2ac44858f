"""What mails say: one template for each type of message, and one for each outcome where a type has none of its own."""

from collections.abc import Mapping
from dataclasses import dataclass

from budapp.events.hooks import Message


@dataclass(frozen=True, slots=True)
class Template:
    """A mail; `{title}` and `{message}` stand for what the message says.

    Attributes:
        subject: one line.
        text: one paragraph.
    """

    subject: str
    text: str


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it leaves."""

    subject: str
    text: str


TEMPLATES: Mapping[str, Template] = {
    "adapter_deletion_success": Template("Adapter deleted: {title}", "The adapter {title} has been deleted."),
    "adapter_deployment_success": Template("Adapter added: {title}", "The adapter {title} is ready for requests."),
    "cluster_deletion_success": Template("Cluster deleted: {title}", "The cluster {title} has been deleted."),
    "cluster_error": Template("Cluster in trouble: {title}", "The cluster {title} reports an error: {message}"),
    "cluster_not_available": Template("Cluster out of reach: {title}", "{title} can't be used now: {message}"),
    "cluster_onboarding_success": Template("Cluster ready: {title}", "You can deploy models on the cluster {title}."),
    "credential_budget": Template("Budget of an API key used up: {title}", "{message}."),
    "credential_creation": Template("API key created", "{message}. If you don't know of it, revoke the key."),
    "credential_expiry": Template("API key expires soon: {title}", "{message}."),
    "dataset_file_ready": Template("File ready: {title}", "The file {title} has been checked and can be used."),
    "dataset_file_refused": Template("File refused: {title}", "The file {title} can't be used: {message}"),
    "deployment_deletion_success": Template("{message}: {title}", "{title} has been deleted."),
    "deployment_pending": Template("Deployment waits: {title}", "The deployment {title} waits: {message}"),
    "deployment_running": Template("Deployment runs: {title}", "The deployment {title} runs again."),
    "deployment_success": Template("{message}: {title}", "{title}: {message}."),
    "deployment_unhealthy": Template("Deployment unhealthy: {title}", "The deployment {title} has trouble: {message}"),
    "model_onboarding_success": Template("Model added: {title}", "The model {title} is in the repository."),
    "model_quantization_success": Template("Model quantized: {title}", "The quantized model {title} is ready."),
    "model_scan_success": Template("Model scanned: {title}", "The security scan of {title} is done; see its result."),
    "project_creation": Template("{title}", "{message}."),
    "project_invitation_success": Template("You are in the project {title}", "{message} {title}."),
    "recommended_cluster_success": Template("{message}: {title}", "The clusters for {title} have been compared."),
    "webhook_disabled": Template("Webhook turned off: {title}", "{message}. Turn it on again once that is mended."),
}
_FAILED = Template("Failed: {title}", "{title} has failed: {message}")
_DONE = Template("{title}: {message}", "{title}: {message}.")
_FOOTER = "You get this mail because you chose to; change it under Notifications in your settings."


def mail_of(message: Message) -> Mail:
    """Return the mail that says what the message says."""
    template = TEMPLATES.get(message.type, _FAILED if message.status == "FAILED" else _DONE)
    says = {"title": message.title, "message": message.message}
    subject = " ".join(template.subject.format_map(says).split())[:200]
    return Mail(subject, f"{template.text.format_map(says)}\n\n{_FOOTER}")
