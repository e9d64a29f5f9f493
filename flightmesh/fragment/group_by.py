"""Runs GroupBy: groups each morsel, merges the morsels' groups when enough have gathered, gives the groups at the end.

Where grouping a morsel hardly makes fewer rows of it, the work is wasted: a PARTIAL phase then hands rows on as groups of their
own (the FINAL phase will bring them together), a FINAL phase collects them and groups once, a part of the key space at a time.
Distinct measures need all rows of a group together, so with one of them rows are collected as they are.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from flightmesh.fragment.coalesce import slices
from flightmesh.fragment.grouping import Aggregation
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.site import Memory, Site, batch_bytes
from flightmesh.kernel.batches import concat_batches
from flightmesh.kernel.hash import hash_columns
from flightmesh.kernel.partition import split_by_bucket
from flightmesh.physical.operators import GroupBy, GroupPhase

MERGE_ROWS = 1 << 18
"""Groups gathered before they are merged for the first time."""
WORTH_GROUPING = 0.75
"""Grouping is given up where it leaves more than this share of the rows."""
PART_ROWS = 1 << 19
"""Groups merged at a time at the end, about: more are split by hash first, which keeps the tables in the CPU's cache."""


def run_group_by(node: GroupBy, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """The groups of this task's input, as `node.fields`."""
    with site.memory("grouping") as memory:
        if any(measure.distinct for measure in node.measures):
            groups = _collected(node, rows, site, memory)
        else:
            groups = _merged(node, rows, site, memory)
        for batch in groups:
            for part in slices(batch, site.context.morsel_rows):
                site.context.check()
                yield part


def _collected(node: GroupBy, rows: Pull, site: Site, memory: Memory) -> Iterator[pa.RecordBatch]:
    """All rows first, then their groups, a part of the key space at a time."""
    aggregation = Aggregation(node.keys, node.measures)
    kept: list[pa.RecordBatch] = []
    for batch in rows:
        site.context.check()
        memory.take(batch_bytes(batch))
        kept.append(batch)
    for part in _parts(kept, aggregation.key_names):
        yield aggregation.groups(part)
    if not kept and not node.keys:
        yield aggregation.no_rows()


def _merged(node: GroupBy, rows: Pull, site: Site, memory: Memory) -> Iterator[pa.RecordBatch]:
    """Groups of morsels, merged as they gather."""
    first = Aggregation(node.keys, node.measures)
    second = first.merging()
    gathered = _Gathered(memory)
    worth = True
    for batch in rows:
        site.context.check()
        if worth:
            gathered.add(first.groups(batch), batch.num_rows)
            if gathered.rows > gathered.limit:
                worth = gathered.merge(second)
        elif node.phase is GroupPhase.PARTIAL:
            yield from gathered.drain()
            yield first.each_row(batch)
        else:
            gathered.add(first.each_row(batch), batch.num_rows)
    if not gathered.batches and not node.keys:
        yield first.no_rows()
    elif len(gathered.batches) == 1 and worth:
        yield from gathered.drain()
    else:
        for part in _parts(gathered.drain(), first.key_names):
            site.context.check()
            yield second.groups(part)


class _Gathered:
    """Groups gathered so far; some may stand there more than once until the next merge."""

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._input_rows = 0
        self.batches: list[pa.RecordBatch] = []
        self.rows = 0
        self.limit = MERGE_ROWS

    def add(self, groups: pa.RecordBatch, input_rows: int) -> None:
        """Takes the groups of one morsel."""
        self._memory.take(batch_bytes(groups))
        self._input_rows += input_rows
        self.batches.append(groups)
        self.rows += groups.num_rows

    def merge(self, aggregation: Aggregation) -> bool:
        """Brings equal groups together; says whether that left clearly fewer rows than came in."""
        merged = aggregation.groups(concat_batches(self.batches, self.batches[0].schema))
        self._memory.hold(batch_bytes(merged))
        self.batches, self.rows = [merged], merged.num_rows
        self.limit = max(MERGE_ROWS, 2 * self.rows)
        return self.rows < WORTH_GROUPING * self._input_rows

    def drain(self) -> list[pa.RecordBatch]:
        """What was gathered, given away."""
        batches, self.batches, self.rows = self.batches, [], 0
        return batches


def _parts(batches: list[pa.RecordBatch], keys: list[str]) -> Iterator[pa.RecordBatch]:
    """The rows in one batch, or when there are many in several, equal keys in the same one."""
    total = sum(batch.num_rows for batch in batches)
    if total == 0:
        return
    if total <= 2 * PART_ROWS or not keys:
        yield concat_batches(batches, batches[0].schema)
        return
    parts = min(256, 1 << (total // PART_ROWS).bit_length())
    dealt: list[list[pa.RecordBatch]] = [[] for _ in range(parts)]
    schema = batches[0].schema
    while batches:
        batch = batches.pop()
        hashes = hash_columns([batch.column(key) for key in keys])
        low = (hashes & np.uint64(parts - 1)).astype(np.uint8)  # the high bits chose the bucket of the exchange
        for number, rows in split_by_bucket(batch, low, parts):
            dealt[number].append(rows)
    for number in range(parts):
        if dealt[number]:
            yield concat_batches(dealt[number], schema)
            dealt[number] = []
