"""Runs one attempt in its thread: the fragment's batches into the sink, and how it ended as an event.

What always holds: exactly one TaskEnded comes of an attempt, whatever happens, and no exception leaves this module: what
is not a FlightmeshError crosses as an InternalError with its message, and its traceback goes to the debug log only.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import pyarrow as pa

from flightmesh.errors import Cancelled, FlightmeshError, InternalError, ResourceExhausted
from flightmesh.exchange.sink import Sink
from flightmesh.exchange.store import ExchangeStore
from flightmesh.expression.headroom import nested_too_deeply
from flightmesh.fragment.metrics import OperatorMetrics
from flightmesh.fragment.run import FragmentRun, run_fragment
from flightmesh.ids import EdgeId, WorkerId
from flightmesh.physical.operators import Operator, ReadExchange, operator_inputs
from flightmesh.protocol.messages import KeyDigest, OperatorReport, TaskState, WireError
from flightmesh.runtime.inlet import Intake
from flightmesh.runtime.milestones import Milestones
from flightmesh.runtime.slots import SlotHold
from flightmesh.runtime.task_context import OutputUnread, RunningTask
from flightmesh.worker.events import TaskEnded

LOG = logging.getLogger(__name__)
FROM_WORKER = "bytes_from "
"""A detail of this name and a worker's id: bytes that an exchange brought from that worker."""

FIRST_FROM = "first_at_us_from "
"""A detail of this name and a worker's id: when an exchange brought the first rows of that worker, in microseconds since the
epoch."""
FIFTH_OUT = "fifth_out_at_us"
"""A detail of a task's root: when a fifth of its rows had gone out, in the same."""


class TaskRun:
    """One attempt and its figures. `run` is the whole life of it."""

    def __init__(self, task: RunningTask, store: ExchangeStore, hold: SlotHold) -> None:
        self._task = task
        self._hold = hold
        job = task.attempt.task.job
        logs = [store.open(job, plan) for plan in task.plan.outputs]
        self._sink = Sink(task.attempt, logs, task.raise_if_ending, self._without_credit)
        task.flush_output = self._sink.flush_due
        self._credit_ns = 0
        self._output = Milestones()
        self._reads = tuple(_reads(task.plan.stage.root))
        self._fragment: FragmentRun | None = None
        self._keys: tuple[KeyDigest, ...] = ()

    def run(self) -> TaskEnded:
        """Runs the attempt to its end and says how it ended."""
        try:
            with self._hold:
                self._task.check()
                self._move_rows()
            state, error = TaskState.FINISHED, None
        except OutputUnread:
            state, error = TaskState.FINISHED, None
        except Cancelled:
            state, error = TaskState.CANCELLED, None
        except BaseException as failure:
            state, error = TaskState.FAILED, wire_error(failure, self._task.attempt)
        finally:
            self._sink.close()
            self._task.release_all()
        written, read = self._sink.written(), self._task.read()
        ended = TaskEnded(self._task.attempt, state, self.operators(), written, read, error, self._keys)
        self._fragment = None
        return ended

    def operators(self) -> tuple[OperatorReport, ...]:
        """The operators' figures so far, with what each exchange brought, and on the root what the output's edges cost."""
        fragment = self._fragment
        if fragment is None:
            return ()
        details = {number: read_details(self._task.intakes(edge)) for number, edge in self._reads}
        output = {
            "credit_wait_ns": self._credit_ns,
            "spilled_bytes": self._sink.spilled_bytes,
            "spill_ns": self._sink.spill_ns,
            FIFTH_OUT: self._output.at(0.2),
        }
        details[0] = details.get(0, ()) + tuple((name, amount) for name, amount in output.items() if amount)
        return tuple(
            replace(report, details=report.details + details.get(number, ()))
            for number, report in enumerate(report_metrics(fragment.metrics))
        )

    @contextmanager
    def _without_credit(self) -> Iterator[None]:
        """Gives up the slot while the output waits for its reader, and counts how long."""
        started = time.perf_counter_ns()
        with self._hold.given_up():
            try:
                yield
            finally:
                self._credit_ns += time.perf_counter_ns() - started

    def _move_rows(self) -> None:
        self._fragment = run_fragment(self._task.plan.stage.root, self._task)
        with self._fragment as batches:
            for batch in batches:
                self._sink.put(batch)
                self._output.note(batch.num_rows)
                self._task.check()
        self._sink.finish()
        self._keys = self._sink.keys()


def _reads(root: Operator) -> Iterator[tuple[int, EdgeId]]:
    """The exchanges that a fragment reads, each with its place in the pre-order of the tree."""
    for number, node in enumerate(_preorder(root)):
        if isinstance(node, ReadExchange):
            yield number, node.edge


def _preorder(node: Operator) -> Iterator[Operator]:
    yield node
    for part in operator_inputs(node):
        yield from _preorder(part)


def read_details(intakes: Sequence[Intake]) -> tuple[tuple[str, int], ...]:
    """What the readers of an edge took in, as details of its operator; none where there are no other workers."""
    if not intakes:
        return ()
    by_worker: dict[WorkerId, int] = {}
    for intake in intakes:
        for worker, size in list(intake.by_worker.items()):
            by_worker[worker] = by_worker.get(worker, 0) + size
    counted = {
        "local_rows": sum(intake.local_rows for intake in intakes),
        "local_bytes": sum(intake.local_bytes for intake in intakes),
        "remote_rows": sum(intake.remote_rows for intake in intakes),
        "remote_bytes": sum(intake.remote_bytes for intake in intakes),
        "streams": sum(intake.streams for intake in intakes),
        "credit_wait_ns": sum(intake.waited_ns for intake in intakes),
    }
    pairs = tuple((f"{FROM_WORKER}{worker}", size) for worker, size in sorted(by_worker.items()))
    firsts = {worker: min(i.first_at[worker] for i in intakes if worker in i.first_at) for worker in sorted(by_worker)}
    moments = tuple((f"{FIRST_FROM}{worker}", int(moment * 1e6)) for worker, moment in firsts.items())
    return tuple(counted.items()) + pairs + moments


def report_metrics(metrics: Sequence[OperatorMetrics]) -> tuple[OperatorReport, ...]:
    """The figures of a fragment as values."""
    return tuple(
        OperatorReport(m.operator, m.rows, m.batches, m.bytes, m.cpu_ns, m.wait_ns, tuple(m.details.items())) for m in metrics
    )


def wire_error(failure: BaseException, what: object) -> WireError:
    """Any exception as a typed error on its way to the user."""
    if isinstance(failure, FlightmeshError):
        return failure.to_wire()
    LOG.debug("%s failed", what, exc_info=failure)
    if isinstance(failure, MemoryError | pa.ArrowMemoryError):
        return ResourceExhausted(f"the machine is out of memory: {failure}", hint="lower the `memory` budget").to_wire()
    if isinstance(failure, RecursionError):
        return nested_too_deeply().to_wire()
    return InternalError(f"{type(failure).__name__}: {failure}", hint="this is a bug in flightmesh: please report it").to_wire()
