"""What the chart makes of its values."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from budapp.cli.service import OPEN_REQUESTS_SECONDS
from budapp.commons.config import Settings
from budapp.events.relay import DELIVERY_SECONDS, LAST_CLAIM_SECONDS
from tests.chart.conftest import EXAMPLES, NEWEST, Helm, Manifest, Manifests, Render
from tests.chart.settings_schema import CHART
from tests.chart.test_values import container

DEPLOYMENT = ("Deployment", "bud-budapp")
HOOK, WEIGHT = "helm.sh/hook", "helm.sh/hook-weight"


def pods(manifests: Manifests) -> list[Manifest]:
    """The pod templates, of the Deployment and of the Jobs."""
    return [one["spec"]["template"] for (kind, _), one in manifests.items() if kind in {"Deployment", "Job"}]


def metadata(component: Manifest) -> dict[str, Any]:
    """What a Dapr component is told, by name."""
    return {entry["name"]: entry.get("value", entry.get("secretKeyRef")) for entry in component["spec"]["metadata"]}


def chosen(selector: Manifest, pod: Manifest) -> bool:
    return bool(selector.items() <= pod["metadata"]["labels"].items())


def test_no_pod_sees_the_namespaces_services_as_variables(render: Render) -> None:
    """A Service called psql would set PSQL_PORT to tcp://... ."""
    assert [pod["spec"]["enableServiceLinks"] for pod in pods(render("production"))] == [False] * 3


def test_pods_are_restricted(render: Render) -> None:
    for pod in pods(render("production")):
        (only,) = pod["spec"]["containers"]
        assert pod["spec"]["securityContext"]["runAsNonRoot"]
        assert pod["spec"]["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert only["securityContext"]["readOnlyRootFilesystem"]
        assert only["securityContext"]["allowPrivilegeEscalation"] is False
        assert only["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert only["volumeMounts"] == [{"name": "tmp", "mountPath": "/tmp"}]
        assert pod["spec"]["automountServiceAccountToken"] is False


def test_the_sidecar_knows_budapp_by_its_settings(render: Render) -> None:
    manifests = render("small", {"settings": {"APP_ID": "other", "APP_PORT": 9999}})
    annotations = manifests[DEPLOYMENT]["spec"]["template"]["metadata"]["annotations"]
    assert annotations["dapr.io/app-id"] == "other"
    assert annotations["dapr.io/app-port"] == "9999"
    assert annotations["dapr.io/app-token-secret"] == "budapp-app-token"
    assert container(manifests[DEPLOYMENT])["ports"] == [{"name": "http", "containerPort": 9999}]
    assert all(isinstance(value, str) for value in annotations.values())


def test_a_replica_may_finish_before_it_is_killed(render: Render) -> None:
    manifests = render("small", {"shutdown": {"forgetSeconds": 7, "drainSeconds": 60}})
    pod = manifests[DEPLOYMENT]["spec"]["template"]
    assert container(manifests[DEPLOYMENT])["lifecycle"]["preStop"]["exec"]["command"] == ["sleep", "7"]
    assert pod["metadata"]["annotations"]["dapr.io/block-shutdown-duration"] == "67s"
    assert pod["spec"]["terminationGracePeriodSeconds"] == 77


def test_what_budapp_takes_to_stop_is_what_it_is_given(render: Render) -> None:
    pod = render("production")[DEPLOYMENT]["spec"]["template"]
    forget = int(pod["spec"]["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    stop = OPEN_REQUESTS_SECONDS + LAST_CLAIM_SECONDS + DELIVERY_SECONDS
    carried = pod["metadata"]["annotations"]["dapr.io/block-shutdown-duration"]
    assert int(carried.removesuffix("s")) >= forget + stop
    assert pod["spec"]["terminationGracePeriodSeconds"] > forget + stop


def test_a_new_version_comes_before_an_old_replica_goes(render: Render) -> None:
    spec = render("production")[DEPLOYMENT]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    only = spec["template"]["spec"]["containers"][0]
    paths = [only[f"{probe}Probe"]["httpGet"]["path"] for probe in ("startup", "readiness", "liveness")]
    assert paths == ["/livez", "/readyz", "/livez"]


def test_the_database_is_migrated_and_seeded_before_anything_else(render: Render) -> None:
    manifests = render("production")
    hooks = {key: one for key, one in manifests.items() if HOOK in one["metadata"].get("annotations", {})}
    order = sorted(hooks, key=lambda key: int(hooks[key]["metadata"]["annotations"][WEIGHT]))
    assert {kind for kind, _ in order[:3]} == {"ExternalSecret"}
    assert {kind for kind, _ in order[3:5]} == {"ServiceAccount", "NetworkPolicy"}
    assert order[5:] == [("Job", "bud-budapp-migrate"), ("Job", "bud-budapp-seed")]
    assert {one["metadata"]["annotations"][HOOK] for one in hooks.values()} == {"pre-install,pre-upgrade"}
    for key, command in zip(order[5:], ("migrate", "seed"), strict=True):
        job = manifests[key]["spec"]["template"]
        assert container(manifests[key])["args"] == [command]
        assert "annotations" not in job["metadata"]  # no sidecar, which would not end with it
        account = ("ServiceAccount", job["spec"]["serviceAccountName"])
        assert account in hooks  # or it would not be there yet
        assert chosen(manifests["NetworkPolicy", "bud-budapp-hooks"]["spec"]["podSelector"]["matchLabels"], job)


def test_jobs_read_no_settings_through_a_sidecar_that_they_have_not(render: Render) -> None:
    stores = {"CONFIGSTORE_NAME": "bud-configstore", "SECRETSTORE_NAME": "bud-secretstore"}
    for (kind, _), one in render("small", {"settings": stores}).items():
        if kind in {"Deployment", "Job"}:
            names = {entry["name"] for entry in container(one)["env"]}
            assert (stores.keys() <= names) == (kind == "Deployment")
            assert stores.keys() & names == (stores.keys() if kind == "Deployment" else set())


@pytest.mark.parametrize("example", EXAMPLES)
def test_only_replicas_get_requests(render: Render, example: str) -> None:
    manifests = render(example)
    selectors = [one["spec"]["selector"] for (kind, _), one in manifests.items() if kind == "Service"]
    selectors += [
        one["spec"]["selector"]["matchLabels"] for (kind, _), one in manifests.items() if kind == "PodDisruptionBudget"
    ]
    assert selectors
    for selector in selectors:
        found = [pod["spec"]["containers"][0]["args"] for pod in pods(manifests) if chosen(selector, pod)]
        assert found == [["serve"]]


def test_replicas_are_scaled_or_counted_and_not_both(render: Render) -> None:
    assert render("small")[DEPLOYMENT]["spec"]["replicas"] == 1
    production = render("production")
    assert "replicas" not in production[DEPLOYMENT]["spec"]
    target = production["HorizontalPodAutoscaler", "bud-budapp"]["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == DEPLOYMENT


def test_replicas_are_spread_over_zones_and_nodes(render: Render) -> None:
    pod = render("production")[DEPLOYMENT]["spec"]["template"]
    constraints = pod["spec"]["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in constraints] == ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
    assert all(chosen(one["labelSelector"]["matchLabels"], pod) for one in constraints)


def test_the_components_are_told_what_those_of_development_are(render: Render, root: Path) -> None:
    manifests = render("small")
    settings = Settings.model_fields
    for name, setting in (("bud-pubsub", "pubsub_name"), ("bud-dapr-statestore", "statestore_name")):
        file = root / "deploy" / "dapr" / "components" / f"{settings[setting].default}.yaml"
        development, ours = yaml.safe_load(file.read_text()), manifests["Component", name]
        assert ours["spec"]["type"] == development["spec"]["type"]
        known = metadata(ours)
        assert metadata(development).keys() <= known.keys()
        for key in ("keyPrefix", "consumerID", "concurrency"):
            assert known.get(key) == metadata(development).get(key)
    file = root / "deploy" / "dapr" / "components" / "resiliency.yaml"
    development, ours = yaml.safe_load(file.read_text())["spec"], manifests["Resiliency", "bud-pubsub"]["spec"]
    assert ours["policies"] == development["policies"]
    assert list(ours["targets"]["components"].values()) == list(development["targets"]["components"].values())


def test_kafka_is_spoken_to_with_the_password_and_tls_that_the_values_name(render: Render) -> None:
    """What Dapr does not know of a mechanism is PLAIN to it, and without a password it leaves out TLS."""

    def told(**kafka: object) -> tuple[str, str | None, str]:
        values = {"components": {"pubsub": {"kafka": kafka}}}
        found = metadata(render("production", values)["Component", "bud-pubsub"])
        return found["authType"], found.get("saslMechanism"), found["disableTls"]

    assert told() == ("password", "SHA-512", "false")
    assert told(mechanism="SCRAM-SHA-256", tls=False) == ("password", "SHA-256", "true")
    assert told(authType="none") == ("certificate", None, "false")
    assert told(authType="none", tls=False) == ("none", None, "true")


def test_kafka_without_a_password_has_no_tls_unnoticed(helm: Helm) -> None:
    values = f"--values={CHART / 'examples' / 'production.yaml'}"
    changes = ("components.pubsub.kafka.authType=none", "components.pubsub.kafka.caSecret=null")
    done = helm("template", values, f"--kube-version={NEWEST}", *(f"--set={change}" for change in changes))
    assert "name it, or set tls to false" in done.stderr


def test_the_names_of_the_components_are_those_that_budapp_calls_them_by(render: Render) -> None:
    values = {"settings": {"PUBSUB_NAME": "events", "STATESTORE_NAME": "state"}, "components": {"scopes": ["budapp"]}}
    manifests = render("production", values)
    assert manifests["Component", "events"]["spec"]["type"] == "pubsub.kafka"
    assert manifests["Component", "state"]["scopes"] == ["budapp"]
    assert list(manifests["Resiliency", "events"]["spec"]["targets"]["components"]) == ["events"]


def test_beside_the_platforms_services_it_takes_their_names_and_makes_no_component(render: Render) -> None:
    manifests = render("umbrella")
    assert not {kind for kind, _ in manifests} & {"Component", "Resiliency"}
    variables = {entry["name"]: entry.get("value") for entry in container(manifests["Deployment", "budapp"])["env"]}
    names = [variables[name] for name in ("PUBSUB_NAME", "STATESTORE_NAME", "CONFIGSTORE_NAME", "APP_PORT")]
    assert names == ["bud-pubsub", "bud-dapr-statestore", "bud-configstore", "9082"]


def test_the_alerts_are_those_of_the_project(render: Render, root: Path) -> None:
    rule = render("production")["PrometheusRule", "bud-budapp"]
    assert rule["spec"] == yaml.safe_load((root / "deploy" / "observability" / "alerts.yaml").read_text())


def test_prometheus_finds_the_service(render: Render) -> None:
    manifests = render("production")
    monitor = manifests["ServiceMonitor", "bud-budapp"]["spec"]
    service = manifests["Service", "bud-budapp"]
    assert monitor["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    assert monitor["endpoints"][0]["port"] in {port["name"] for port in service["spec"]["ports"]}
