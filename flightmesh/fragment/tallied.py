"""A partial grouping by one integer of a small range, added up in place: no numbering of groups, nothing to merge.

Handed a GroupBy's batches; hands on their groups at the end. What always holds: what it does not take (`kernel.tally`) goes the
ordinary way, so a group may come from both, as any group of a PARTIAL phase may come more than once.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.fragment.site import Memory
from flightmesh.kernel.batches import make_batch
from flightmesh.kernel.tally import LARGEST_RANGE, Tally, is_tally_key, is_tally_sum
from flightmesh.physical.operators import GroupBy, Measure

REFUSALS = 2
"""After so many batches that do not fit no other is tried."""


class Tallied:
    """One task's tally."""

    def __init__(self, node: GroupBy, memory: Memory) -> None:
        self._node = node
        self._memory = memory
        self._refused = 0
        self.rows = 0
        self._tally = Tally(node.keys[0].type, [m.field.type if m.function == "sum" else None for m in node.measures])

    @classmethod
    def of(cls, node: GroupBy, memory: Memory) -> Tallied | None:
        """The tally of a grouping; None of one that has another shape, or is expected to have too many groups."""
        if len(node.keys) != 1 or not is_tally_key(node.keys[0].type) or (node.estimate or 0) > LARGEST_RANGE:
            return None
        return cls(node, memory) if all(map(_suits, node.measures)) else None

    def add(self, batch: pa.RecordBatch) -> bool:
        """Takes a batch in, and says whether it could."""
        if self._refused >= REFUSALS or pa.types.is_dictionary(batch.column(self._node.keys[0].key).type):
            return False
        held = self._tally.nbytes
        arguments = [None if m.argument is None else batch.column(m.argument.key) for m in self._node.measures]
        if not self._tally.add(batch.column(self._node.keys[0].key), arguments):
            self._refused += 1
            return False
        self._memory.take(self._tally.nbytes - held)
        self.rows += batch.num_rows
        return True

    def groups(self) -> pa.RecordBatch:
        """The groups of what was taken."""
        key, measures = self._tally.groups()
        return make_batch([key, *measures], [f.key for f in self._node.fields], len(key))


def _suits(measure: Measure) -> bool:
    if measure.distinct or measure.more or measure.where is not None or measure.constant is not None or measure.order:
        return False
    if measure.function == "sum" and measure.argument is not None:
        return is_tally_sum(measure.argument.type, measure.field.type)
    return measure.function in ("count", "count_star") and measure.field.type == pa.int64()
