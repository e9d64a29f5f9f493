"""Runs one attempt in its thread: the fragment's batches into the sink, and how it ended as an event.

What always holds: exactly one TaskEnded comes of an attempt, whatever happens, and no exception leaves this module: what
is not a FlightmeshError crosses as an InternalError with its message, and its traceback goes to the debug log only.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import pyarrow as pa

from flightmesh.errors import Cancelled, FlightmeshError, InternalError, ResourceExhausted
from flightmesh.exchange.sink import Sink
from flightmesh.exchange.store import ExchangeStore
from flightmesh.fragment.metrics import OperatorMetrics
from flightmesh.fragment.run import FragmentRun, run_fragment
from flightmesh.protocol.messages import OperatorReport, TaskState, WireError
from flightmesh.runtime.slots import SlotHold
from flightmesh.runtime.task_context import OutputUnread, RunningTask
from flightmesh.worker.events import TaskEnded

LOG = logging.getLogger(__name__)


class TaskRun:
    """One attempt and its figures. `run` is the whole life of it."""

    def __init__(self, task: RunningTask, store: ExchangeStore, hold: SlotHold) -> None:
        self._task = task
        self._hold = hold
        job = task.attempt.task.job
        logs = [store.open(job, plan) for plan in task.plan.outputs]
        self._sink = Sink(task.attempt, logs, task.raise_if_ending, hold.given_up)
        self._fragment: FragmentRun | None = None

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
            self._task.release_all()
        ended = TaskEnded(self._task.attempt, state, self.operators(), self._sink.written(), self._task.read(), error)
        self._fragment = None
        return ended

    def operators(self) -> tuple[OperatorReport, ...]:
        """The operators' figures so far."""
        fragment = self._fragment
        return () if fragment is None else report_metrics(fragment.metrics)

    def _move_rows(self) -> None:
        self._fragment = run_fragment(self._task.plan.stage.root, self._task)
        with self._fragment as batches:
            for batch in batches:
                self._sink.put(batch)
                self._task.check()
        self._sink.finish()


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
    return InternalError(f"{type(failure).__name__}: {failure}", hint="this is a bug in flightmesh: please report it").to_wire()
