"""Runs GroupBy: groups each morsel, merges the morsels' groups when enough have gathered, gives the groups at the end.

Grouping a few rows at a time is wasted work where it hardly makes fewer rows of them. A PARTIAL phase then stops holding
groups back and, if single morsels shrink no better, hands rows on as groups of their own (the FINAL phase will bring them
together): after a merge that showed it, or at once where the planner expects as much and morsels do not shrink. A FINAL phase
collects more rows before it groups them. Distinct measures, and those whose partial results cannot be merged, need all rows of
a group together: there all rows are collected. Counts and sums by one integer of a small range are added up in place.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from flightmesh.fragment.coalesce import slices
from flightmesh.fragment.group_parts import group_parts
from flightmesh.fragment.grouping import Aggregation
from flightmesh.fragment.join_build import expected_rows
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.site import Memory, Site, batch_bytes
from flightmesh.fragment.tallied import Tallied
from flightmesh.kernel.batches import concat_batches
from flightmesh.physical.measures import need_all_rows
from flightmesh.physical.operators import ExpandSets, GroupBy, GroupPhase

MERGE_ROWS = 1 << 20
"""Groups gathered before they are merged for the first time."""
WORTH_GROUPING = 0.75
"""Grouping is worth its while where it leaves at most this share of the rows."""
TRIED_ROWS = 1 << 14
"""After so many rows it shows whether morsels shrink."""
MORE_ROWS = 16
"""So many times as many rows are collected before they are grouped, where grouping was not worth it."""


def run_group_by(node: GroupBy, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """The groups of this task's input, as `node.fields`."""
    with site.memory("grouping") as memory:
        if need_all_rows(node.measures):
            groups = _collected(node, rows, site, memory)
        elif node.phase is GroupPhase.PARTIAL:
            groups = _partial(node, rows, site, memory)
        else:
            groups = _final(node, rows, site, memory)
        for batch in groups:
            for part in slices(batch, site.context.morsel_rows):
                site.context.check()
                yield part


def _collected(node: GroupBy, rows: Pull, site: Site, memory: Memory) -> Iterator[pa.RecordBatch]:
    """All rows first, then their groups, a part of the key space at a time."""
    aggregation = Aggregation(node.keys, node.measures, site.encoded)
    kept: list[pa.RecordBatch] = []
    for batch in rows:
        site.context.check()
        memory.take(batch_bytes(batch))
        kept.append(batch)
    yield from _all_groups(aggregation, kept, node)


def _partial(node: GroupBy, rows: Pull, site: Site, memory: Memory) -> Iterator[pa.RecordBatch]:
    """Groups of morsels, held back and merged for as long as that makes fewer of them."""
    are_copies = isinstance(node.input, ExpandSets)
    first = (Aggregation.of_copies if are_copies else Aggregation)(node.keys, node.measures, site.encoded)
    gathered = _Gathered(memory, first.merging())
    # Below other operators rows may be multiplied next, and of copies for grouping sets the first say nothing of the rest.
    doubtful = site.position == 0 and not are_copies and _is_doubtful(node)
    tallied = None if are_copies else Tallied.of(node, memory)
    for batch in rows:
        site.context.check()
        if tallied is not None and tallied.add(batch):
            continue
        if gathered.worth_merging:
            gathered.add(first.groups(batch), batch.num_rows)
            if doubtful and gathered.input_rows >= TRIED_ROWS and not gathered.worth_grouping:
                gathered.worth_merging = False
            elif gathered.full:
                gathered.merge()
            continue
        yield from gathered.drain()
        yield first.groups(batch) if gathered.worth_grouping else first.each_row(batch)
    if tallied is not None and tallied.rows:
        gathered.add(tallied.groups(), tallied.rows)
    if gathered.batches:
        if gathered.worth_merging:
            gathered.merge()
        yield from gathered.drain()
    elif not node.keys:
        yield first.no_rows()


def _is_doubtful(node: GroupBy) -> bool:
    """Whether the planner expects hardly fewer groups than rows."""
    groups, rows = node.estimate, expected_rows(node.input)
    return groups is not None and rows is not None and groups > WORTH_GROUPING * rows


def _final(node: GroupBy, rows: Pull, site: Site, memory: Memory) -> Iterator[pa.RecordBatch]:
    """Groups of as many rows at a time as it takes to make clearly fewer of them, merged at the end."""
    first = Aggregation(node.keys, node.measures, site.encoded)
    second = first.merging()
    gathered = _Gathered(memory, second)
    waiting: list[pa.RecordBatch] = []
    waiting_rows = waiting_bytes = limit = 0
    for batch in rows:
        site.context.check()
        size = batch_bytes(batch)
        memory.take(size)
        waiting_bytes += size
        waiting.append(batch)
        waiting_rows += batch.num_rows
        if waiting_rows <= limit:
            continue
        groups = first.groups(concat_batches(waiting, waiting[0].schema))
        memory.give_back(waiting_bytes)
        gathered.add(groups, waiting_rows)
        if groups.num_rows > WORTH_GROUPING * waiting_rows:
            limit = MORE_ROWS * waiting_rows
        waiting, waiting_rows, waiting_bytes = [], 0, 0
        if gathered.full:
            gathered.merge()
    if not gathered.batches:
        yield from _all_groups(first, waiting, node)
    elif not waiting and len(gathered.batches) == 1:
        yield from gathered.drain()
    else:
        groups_and_rows = gathered.drain()
        while waiting:
            groups_and_rows.append(first.each_row(waiting.pop(0)))
        yield from _all_groups(second, groups_and_rows, node)


def _all_groups(aggregation: Aggregation, rows: list[pa.RecordBatch], node: GroupBy) -> Iterator[pa.RecordBatch]:
    """The groups of all these rows, which it takes from the list; without keys one row even of none."""
    if not rows and not node.keys:
        yield aggregation.no_rows()
    for part in group_parts(rows, aggregation.key_names):
        yield aggregation.groups(part)


class _Gathered:
    """Groups gathered so far; some may stand there more than once until the next merge."""

    def __init__(self, memory: Memory, merging: Aggregation) -> None:
        self._memory = memory
        self._merging = merging
        self.input_rows = 0
        self._morsel_groups = 0
        self._rows = self._bytes = 0
        self._limit = MERGE_ROWS
        self.batches: list[pa.RecordBatch] = []
        self.worth_merging = True

    @property
    def full(self) -> bool:
        """Whether it is time for a merge."""
        return self._rows > self._limit

    @property
    def worth_grouping(self) -> bool:
        """Whether grouping what came in left clearly fewer rows, before any merge."""
        return self._morsel_groups <= WORTH_GROUPING * self.input_rows

    def add(self, groups: pa.RecordBatch, input_rows: int) -> None:
        """Takes the groups of some input rows."""
        self._take(batch_bytes(groups))
        self.input_rows += input_rows
        self._morsel_groups += groups.num_rows
        self._rows += groups.num_rows
        self.batches.append(groups)

    def merge(self) -> None:
        """Brings equal groups together, and notes whether that left clearly fewer."""
        if len(self.batches) < 2:
            return
        held = self._bytes
        merged = self._merging.groups(concat_batches(self.batches, self.batches[0].schema))
        self._memory.give_back(held)
        self._bytes = 0
        self._take(batch_bytes(merged))
        self.worth_merging = merged.num_rows <= WORTH_GROUPING * self._rows
        self.batches, self._rows = [merged], merged.num_rows
        self._limit = max(MERGE_ROWS, 2 * self._rows) if self.worth_merging else MORE_ROWS * self._rows

    def drain(self) -> list[pa.RecordBatch]:
        """What was gathered, given away."""
        batches, self.batches, self._rows, self._bytes = self.batches, [], 0, 0
        return batches

    def _take(self, size: int) -> None:
        self._memory.take(size)
        self._bytes += size
