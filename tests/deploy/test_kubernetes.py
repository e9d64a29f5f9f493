"""The Kubernetes manifests: valid by Kubernetes' own schemas, consistent with each other, and locked down."""

import copy
from typing import Any

import kubernetes_validate
import pytest

from tests.deploy.manifests import KUBERNETES, containers, kubernetes_objects, kustomization, workloads

OBJECTS = [pytest.param(each, id=f"{each['kind']}-{each['metadata']['name']}") for each in kubernetes_objects()]
WORKLOADS = [pytest.param(each, id=each["metadata"]["name"]) for each in workloads()]
VERSIONS = ("1.29", "1.35")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("manifest", OBJECTS)
def test_kubernetes_knows_it(manifest: dict[str, Any], version: str) -> None:
    kubernetes_validate.validate(manifest, version, strict=True)


def test_the_schemas_find_mistakes() -> None:
    wrong = copy.deepcopy(kubernetes_objects()[0])
    wrong["spec"]["template"]["spec"]["containers"][0]["redinessProbe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="redinessProbe"):
        kubernetes_validate.validate(wrong, VERSIONS[-1], strict=True)


def test_every_file_is_part_of_it() -> None:
    files = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(kustomization()["resources"])


def test_no_namespace_is_named() -> None:
    assert [each["metadata"]["name"] for each in kubernetes_objects() if "namespace" in each["metadata"]] == []


@pytest.mark.parametrize("manifest", OBJECTS)
def test_selectors_find_pods(manifest: dict[str, Any]) -> None:
    selector = manifest["spec"]["selector"]
    wanted = selector.get("matchLabels", selector).items()
    labels = [each["spec"]["template"]["metadata"]["labels"].items() for each in workloads()]
    assert sum(wanted <= found for found in labels) == 1


@pytest.mark.parametrize("workload", WORKLOADS)
def test_names_lead_somewhere(workload: dict[str, Any]) -> None:
    services = {each["metadata"]["name"]: each["spec"] for each in kubernetes_objects() if each["kind"] == "Service"}
    assert services[workload["spec"]["serviceName"]]["clusterIP"] == "None"
    pod = workload["spec"]["template"]["spec"]
    generated = {each["name"] for each in kustomization()["secretGenerator"]}
    assert {volume["secret"]["secretName"] for volume in pod["volumes"] if "secret" in volume} <= generated
    claimed = {claim["metadata"]["name"] for claim in workload["spec"].get("volumeClaimTemplates", ())}
    volumes = {volume["name"] for volume in pod["volumes"]} | claimed
    for container in containers(workload):
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
        for variable in container.get("env", ()):
            name, _, port = variable.get("value", "").partition(":")
            assert not port or int(port) in [each["port"] for each in services[name]["ports"]]


@pytest.mark.parametrize("workload", WORKLOADS)
def test_it_is_locked_down(workload: dict[str, Any]) -> None:
    pod = workload["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert pod["automountServiceAccountToken"] is False
    for container in containers(workload):
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]["limits"]) >= {"cpu", "memory"}


@pytest.mark.parametrize("workload", WORKLOADS)
def test_it_is_probed_by_what_it_says_of_itself(workload: dict[str, Any]) -> None:
    node = containers(workload)[-1]
    assert node["readinessProbe"]["exec"]["command"] == ["test", "-f", "/tmp/flightmesh.ready"]
    dockerfile = (KUBERNETES.parent / "Dockerfile").read_text()
    assert "FLIGHTMESH_READY_FILE=/tmp/flightmesh.ready" in dockerfile
    assert "/tmp" in [mount["mountPath"] for mount in node["volumeMounts"]]
    named = {port["name"]: port["containerPort"] for port in node["ports"]}
    for probe in ("livenessProbe", "startupProbe"):
        assert node[probe].get("tcpSocket", {"port": "nodes"})["port"] in named
    assert all(str(port) in dockerfile for port in named.values())
