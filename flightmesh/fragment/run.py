"""Runs a fragment: the operators of one task as a pipeline that is pulled a batch at a time.

Handed the root operator of a stage and the attempt's context; hands on an iterator of record batches with the root's fields.
Nothing runs before the first batch is asked for; closing it, at any time, ends every operator and gives back what they hold.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import assert_never

import pyarrow as pa

from flightmesh.errors import InternalError
from flightmesh.fragment.encoded_columns import Plain, encoded_columns
from flightmesh.fragment.expand import run_expand
from flightmesh.fragment.filter import run_filter
from flightmesh.fragment.limit import run_limit
from flightmesh.fragment.metrics import OperatorMetrics, Pull, Spent
from flightmesh.fragment.project import run_project
from flightmesh.fragment.read_exchange import run_read_exchange
from flightmesh.fragment.scan import run_scan
from flightmesh.fragment.site import Site
from flightmesh.fragment.sort import run_sort
from flightmesh.fragment.task import TaskContext
from flightmesh.fragment.top import run_top
from flightmesh.fragment.top_bound import TopBound
from flightmesh.fragment.turns import Turns
from flightmesh.fragment.union import run_union
from flightmesh.fragment.unnest import run_unnest
from flightmesh.fragment.values import run_values
from flightmesh.kernel.key_filter import KeyFilter
from flightmesh.physical.operators import (
    Exchange,
    ExpandSets,
    FilterRows,
    GroupBy,
    HashJoin,
    IterateRows,
    LimitRows,
    Operator,
    ProjectColumns,
    ReadExchange,
    SortRows,
    TableScan,
    TopOfGroups,
    TopRows,
    UnionRows,
    UnnestRows,
    ValuesRows,
    WindowRows,
    WorkingRows,
    operator_inputs,
)


def run_fragment(root: Operator, context: TaskContext) -> FragmentRun:
    """A task's pipeline, ready to be iterated from the attempt's own thread."""
    return FragmentRun(root, context)


class FragmentRun:
    """Iterates the batches of a fragment. `metrics` has one entry an operator, in pre-order of the tree, and may be read at any
    time from any thread."""

    def __init__(self, root: Operator, context: TaskContext) -> None:
        self.metrics = [OperatorMetrics(type(node).__name__) for node in preorder(root)]
        self._encoded = encoded_columns(root)
        self._plain = Plain(root.fields)
        self._context = context
        self._filters: dict[int, KeyFilter] = {}
        self._pull = self._start(root, 0, None, None)

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        return self._plain.apply(next(self._pull))

    def __enter__(self) -> FragmentRun:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends every operator; harmless when they have ended."""
        self._pull.close()

    def _start(self, node: Operator, position: int, turns: Turns | None, bound: TopBound | None) -> Pull:
        """The operator, which stands at `position` of the pre-order, over its inputs; `bound`: that of the TopRows to which its
        rows go as they are."""
        metrics = self.metrics[position]
        if isinstance(node, TopRows):
            bound = TopBound(node) if turns is None else None  # what is read is kept from turn to turn
        site = Site(self._context, metrics, position, self._filters, turns, self._encoded[position], bound)
        if isinstance(node, IterateRows):
            return self._iterate(node, site)
        inputs, place = [], position + 1
        below = bound if isinstance(node, TopRows | FilterRows | ProjectColumns) else None
        for child in operator_inputs(node):
            inputs.append(self._start(child, place, turns, below))
            place += size(child)
        return Pull(_operate(node, tuple(inputs), site), tuple(inputs), metrics)

    def _iterate(self, node: IterateRows, site: Site) -> Pull:
        """A recursion: its step is started anew each turn, and its operators go on counting where they were."""
        seed_place = site.position + 1
        seed = self._start(node.seed, seed_place, site.turns, None)
        turns = site.turns or Turns()
        spent = Spent()
        begin = partial(self._start, node.step, seed_place + size(node.seed), turns, None)
        from flightmesh.fragment.iterate import run_iterate

        return Pull(run_iterate(node, seed, lambda: spent.by(begin()), turns, site), (seed, spent), site.metrics)


def _operate(node: Operator, inputs: tuple[Pull, ...], site: Site) -> Iterator[pa.RecordBatch]:
    """What most queries have no need of is loaded with the first that has: these bring half of the kernels with them."""
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
            from flightmesh.fragment.group_by import run_group_by

            return run_group_by(node, inputs[0], site)
        case ExpandSets():
            return run_expand(node, inputs[0], site)
        case UnnestRows():
            return run_unnest(node, inputs[0], site)
        case HashJoin():
            from flightmesh.fragment.hash_join import run_hash_join

            return run_hash_join(node, inputs[0], inputs[1], site)
        case SortRows():
            return run_sort(node, inputs[0], site)
        case WindowRows():
            from flightmesh.fragment.window import run_window

            return run_window(node, inputs[0], site)
        case TopRows():
            return run_top(node, inputs[0], site)
        case TopOfGroups():
            from flightmesh.fragment.top_of_groups import run_top_of_groups

            return run_top_of_groups(node, inputs[0], site)
        case LimitRows():
            return run_limit(node, inputs[0], site)
        case UnionRows():
            return run_union(node, inputs, site)
        case WorkingRows():
            from flightmesh.fragment.iterate import run_working

            return run_working(node, site)
        case IterateRows():
            raise InternalError("a recursion is started, not operated")
        case Exchange():
            raise InternalError("a fragment holds an Exchange: stages are cut there")
        case _:
            assert_never(node)


def preorder(node: Operator) -> Iterator[Operator]:
    """An operator and all below it, in the order in which their metrics stand."""
    yield node
    for part in operator_inputs(node):
        yield from preorder(part)


def size(node: Operator) -> int:
    """How many operators those are."""
    return sum(1 for _ in preorder(node))
