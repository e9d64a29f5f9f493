"""What nodes/ says to Kubernetes, Docker and systemd, read for tests: documents, and the flightmesh commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from tests.deploy.confined import read_unit, values

NODES = Path(__file__).parents[2] / "nodes"
KUBERNETES = NODES / "kubernetes"
COMPOSE = NODES / "compose.yaml"
UNITS = sorted((NODES / "systemd").glob("*.service"))


@dataclass(frozen=True, slots=True)
class Command:
    """Arguments of one `flightmesh`, with the variables that are set for it."""

    where: str
    arguments: tuple[str, ...]
    variables: dict[str, str]

    @property
    def option(self) -> dict[str, str]:
        """What stands behind each option."""
        pairs = zip(self.arguments, self.arguments[1:], strict=False)
        return {name: value for name, value in pairs if name.startswith("--")}


def kubernetes_objects() -> list[dict[str, Any]]:
    """All that the kustomization makes, but what it generates."""
    return [each for name in kustomization()["resources"] for each in YAML(typ="safe").load_all(KUBERNETES / name)]


def kustomization() -> dict[str, Any]:
    read: dict[str, Any] = YAML(typ="safe").load(KUBERNETES / "kustomization.yaml")
    return read


def containers(workload: dict[str, Any]) -> list[dict[str, Any]]:
    """Of a pod, those that set it up too."""
    pod = workload["spec"]["template"]["spec"]
    return [*pod.get("initContainers", ()), *pod["containers"]]


def workloads() -> list[dict[str, Any]]:
    return [each for each in kubernetes_objects() if each["kind"] == "StatefulSet"]


def services() -> dict[str, dict[str, Any]]:
    """Of the compose file, by name; what they share is merged in."""
    read: dict[str, dict[str, Any]] = YAML(typ="safe").load(COMPOSE)["services"]
    return read


def commands() -> list[Command]:
    """Every flightmesh that is started somewhere."""
    found = []
    for workload in workloads():
        for each in containers(workload):
            if "command" not in each:
                variables = {one["name"]: one.get("value", "1.2.3.4") for one in each["env"]}
                found.append(Command("kubernetes", tuple(each["args"]), variables))
    for service in services().values():
        if "entrypoint" not in service:
            found.append(Command("compose", tuple(service["command"]), dict(service.get("environment", {}))))
    for unit in UNITS:
        (line,) = values(read_unit(unit), "ExecStart")
        found.append(Command("unit", tuple(shlex.split(line)[1:]), {}))
    found += _written("compose", "\n".join(services()["token"]["command"]), "")
    found += _written("readme", (NODES / "README.md").read_text(), "    ")
    return [*found, *_written("kustomization", (KUBERNETES / "kustomization.yaml").read_text(), "#     ")]


def _written(where: str, text: str, indent: str) -> Iterator[Command]:
    """Those in a script, or in what a person is told to type."""
    for line in text.splitlines():
        typed = (
            re.match(r"(?:^|.*\s)flightmesh ((?!flightmesh)[a-z]+ .*)$", line.partition("  #")[0])
            if line.startswith(indent)
            else None
        )
        if typed and "docker build" not in line:
            yield Command(where, tuple(shlex.split(typed[1])), {})
