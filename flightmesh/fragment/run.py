"""Runs a fragment: the operators of one task as a pipeline that is pulled a batch at a time.

Handed the root operator of a stage and the attempt's context; hands on an iterator of record batches with the root's fields.
Nothing runs before the first batch is asked for; closing it, at any time, ends every operator and gives back what they hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import assert_never

import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.fragment.expand import run_expand
from flightmesh.fragment.filter import run_filter
from flightmesh.fragment.group_by import run_group_by
from flightmesh.fragment.hash_join import run_hash_join
from flightmesh.fragment.limit import run_limit
from flightmesh.fragment.metrics import OperatorMetrics, Pull
from flightmesh.fragment.project import run_project
from flightmesh.fragment.read_exchange import run_read_exchange
from flightmesh.fragment.scan import run_scan
from flightmesh.fragment.site import Site
from flightmesh.fragment.sort import run_sort
from flightmesh.fragment.task import TaskContext
from flightmesh.fragment.top import run_top
from flightmesh.fragment.union import run_union
from flightmesh.fragment.unnest import run_unnest
from flightmesh.fragment.values import run_values
from flightmesh.fragment.window import run_window
from flightmesh.kernel.allocation import keep_freed_memory
from flightmesh.kernel.key_filter import KeyFilter
from flightmesh.physical.operators import (
    Exchange,
    ExpandSets,
    FilterRows,
    GroupBy,
    HashJoin,
    LimitRows,
    Operator,
    ProjectColumns,
    ReadExchange,
    SortRows,
    TableScan,
    TopRows,
    UnionRows,
    UnnestRows,
    ValuesRows,
    WindowRows,
    operator_inputs,
)


def run_fragment(root: Operator, context: TaskContext) -> FragmentRun:
    """A task's pipeline, ready to be iterated from the attempt's own thread."""
    return FragmentRun(root, context)


class FragmentRun:
    """Iterates the batches of a fragment. `metrics` has one entry an operator, in pre-order of the tree, and may be read at any
    time from any thread."""

    def __init__(self, root: Operator, context: TaskContext) -> None:
        keep_freed_memory()
        self.metrics: list[OperatorMetrics] = []
        self._context = context
        self._filters: dict[int, KeyFilter] = {}
        self._pull = self._start(root)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        return next(self._pull)

    def __enter__(self) -> FragmentRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every operator; harmless when they have ended."""
        self._pull.close()

    def _start(self, node: Operator) -> Pull:
        metrics = OperatorMetrics(type(node).__name__)
        site = Site(self._context, metrics, len(self.metrics), self._filters)
        self.metrics.append(metrics)
        inputs = tuple(self._start(child) for child in operator_inputs(node))
        return Pull(_operate(node, inputs, site), inputs, metrics)


def _operate(node: Operator, inputs: tuple[Pull, ...], site: Site) -> Iterator[pa.RecordBatch]:
    match node:
        case TableScan():
            return run_scan(node, site)
        case ValuesRows():
            return run_values(node, site)
        case ReadExchange():
            return run_read_exchange(node, site)
        case FilterRows():
            return run_filter(node, inputs[0], site)
        case ProjectColumns():
            return run_project(node, inputs[0], site)
        case GroupBy():
            return run_group_by(node, inputs[0], site)
        case ExpandSets():
            return run_expand(node, inputs[0], site)
        case UnnestRows():
            return run_unnest(node, inputs[0], site)
        case HashJoin():
            return run_hash_join(node, inputs[0], inputs[1], site)
        case SortRows():
            return run_sort(node, inputs[0], site)
        case WindowRows():
            return run_window(node, inputs[0], site)
        case TopRows():
            return run_top(node, inputs[0], site)
        case LimitRows():
            return run_limit(node, inputs[0], site)
        case UnionRows():
            return run_union(node, inputs, site)
        case Exchange():
            raise InternalError("a fragment holds an Exchange: stages are cut there")
        case _:
            assert_never(node)
