"""What people and their programs ask a driver about: its nodes, its jobs. Actions of its client listener.

Handed an action's name and body; hands on its answers. What always holds: nothing here waits for a job, and an unknown job or
worker is an error that says how to find the known ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from flightmesh.errors import UnsupportedFeature
from flightmesh.protocol.client_messages import AskJob, Done, DrainWorker, Jobs, Nodes, NodeStatus
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.node_messages import MeshListener
from flightmesh.runtime.mesh_driver import MeshDriver
from flightmesh.transport.service import ActionKind


class People:
    """The actions. `driver` gives the driver's own line among the nodes."""

    ACTIONS: ClassVar[tuple[ActionKind, ...]] = (
        ActionKind("nodes", "The nodes of the mesh and what they carry. No body; answers Nodes."),
        ActionKind("jobs", "The jobs that the driver remembers. No body; answers Jobs."),
        ActionKind("status", "How a job stands. Body AskJob; answers JobStatus."),
        ActionKind("stages", "How the stages of a job stand. Body AskJob; answers Stages."),
        ActionKind("tasks", "How the tasks of a job stand. Body AskJob; answers Tasks."),
        ActionKind("record", "What a job did, operator by operator. Body AskJob; answers JobRecord."),
        ActionKind("cancel", "Ends a job and frees what it holds. Body AskJob; answers Done."),
        ActionKind("drain", "Has a worker leave when no job needs it any more. Body DrainWorker; answers Done."),
        ActionKind("mesh-address", "Where workers register. No body; answers MeshListener."),
    )

    def __init__(self, mesh: MeshDriver, driver: Callable[[], NodeStatus]) -> None:
        self._mesh = mesh
        self._answers: dict[str, Callable[[bytes], object]] = {
            "nodes": lambda _: Nodes((driver(), *mesh.nodes())),
            "jobs": lambda _: Jobs(mesh.jobs()),
            "status": lambda body: mesh.status(_job(body).job),
            "stages": lambda body: mesh.stages(_job(body).job),
            "tasks": lambda body: mesh.tasks(_job(body).job),
            "record": lambda body: mesh.record(_job(body).job),
            "cancel": self._cancel,
            "drain": self._drain,
            "mesh-address": lambda _: MeshListener(mesh.incarnation, driver().mesh),
        }

    def act(self, name: str, body: bytes) -> list[bytes]:
        """The answer to an action. Raises UnsupportedFeature for one that is not among ACTIONS."""
        answer = self._answers.get(name)
        if answer is None:
            raise UnsupportedFeature(f"there is no action {name!r} here")
        return [encode(answer(body))]

    def _cancel(self, body: bytes) -> Done:
        self._mesh.cancel(_job(body).job, "it was cancelled by request")
        return Done()

    def _drain(self, body: bytes) -> Done:
        wanted: DrainWorker = decode(body, DrainWorker)
        self._mesh.drain(wanted.worker)
        return Done()


def _job(body: bytes) -> AskJob:
    asked: AskJob = decode(body, AskJob)
    return asked
