"""A mesh as a file declares it: its nodes, their roles, and what each may use.

Handed a YAML file such as nodes/three.yaml; hands on a `MeshFile`, or an InvalidConfig with file, line and column. What always
holds: a mesh has one driver and at least one worker, and each node a name of its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import pydantic

from flightmesh.settings.checked_file import Count, Size, read_checked

Name = Annotated[str, pydantic.Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]
MeshName = Annotated[str, pydantic.Field(pattern=r"^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$")]
Port = Annotated[int, pydantic.Field(ge=0, le=65535, strict=True)]
_STRICT = pydantic.ConfigDict(extra="forbid", frozen=True)


class NodeEntry(pydantic.BaseModel):
    """One node. `port`: the driver's, for people and workers (0: any). Slots, memory and disk are a worker's; None: its share
    of the machine."""

    model_config = _STRICT

    name: Name
    role: Literal["driver", "worker"]
    port: Port | None = None
    slots: Count | None = None
    memory: Size | None = None
    disk: Size | None = None
    allow_roots: tuple[str, ...] = ()
    config: str | None = None

    @pydantic.model_validator(mode="after")
    def _fits_its_role(self) -> Self:
        if self.role == "worker" and self.port is not None:
            raise ValueError("a worker takes any free port: only the driver has one that people know")
        if self.role == "driver" and (self.slots or self.memory or self.disk):
            raise ValueError("a driver runs no tasks: slots, memory and disk are for workers")
        return self


class MeshFile(pydantic.BaseModel):
    """A mesh on this machine."""

    model_config = _STRICT

    mesh: MeshName = "local"
    nodes: tuple[NodeEntry, ...]

    @pydantic.field_validator("nodes")
    @classmethod
    def _make_a_mesh(cls, nodes: tuple[NodeEntry, ...]) -> tuple[NodeEntry, ...]:
        drivers = [node.name for node in nodes if node.role == "driver"]
        if len(drivers) != 1:
            raise ValueError(f"a mesh has one node with the role driver, this one has {len(drivers)}")
        if len(nodes) < 2:
            raise ValueError("a mesh has at least one node with the role worker")
        names = [node.name for node in nodes]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"two nodes are named {twice!r}")
        return nodes

    @property
    def driver(self) -> NodeEntry:
        """The node that plans and places."""
        return next(node for node in self.nodes if node.role == "driver")

    @property
    def workers(self) -> tuple[NodeEntry, ...]:
        """The nodes that run tasks."""
        return tuple(node for node in self.nodes if node.role == "worker")


def load_mesh(path: Path) -> MeshFile:
    """The mesh that the file declares; paths in it are relative to the file. Raises InvalidConfig."""
    found = read_checked(path, MeshFile, "a mesh is a map with the key nodes")
    nodes = tuple(_beside(node, path.parent) for node in found.nodes)
    return found.model_copy(update={"nodes": nodes})


def _beside(node: NodeEntry, folder: Path) -> NodeEntry:
    roots = tuple(root if "://" in root else str((folder / root).resolve()) for root in node.allow_roots)
    config = None if node.config is None else str((folder / node.config).resolve())
    return node.model_copy(update={"allow_roots": roots, "config": config})
