"""Runs IterateRows and WorkingRows: WITH RECURSIVE, turn by turn, in one task.

Rows go on as they come, so that a reader that has enough ends the recursion. Between turns, and between morsels, a cancelled
attempt ends. What came last waits for one turn; rows that are to come once only are looked up among all that came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa

from flightmesh.errors import ResourceExhausted
from flightmesh.expression.listkeys import list_keys
from flightmesh.fragment.coalesce import coalesce
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.site import Memory, Site, batch_bytes
from flightmesh.fragment.turns import Turns
from flightmesh.kernel.batches import concat_batches, make_batch
from flightmesh.kernel.seen_rows import SeenRows
from flightmesh.logical.relations import Quantifier
from flightmesh.physical.operators import IterateRows, WorkingRows

AT_ONCE = 1000
"""So many turns hand their rows on as they come; later ones gather them, as a turn may be a single row."""


def run_iterate(node: IterateRows, seed: Pull, begin: Callable[[], Pull], turns: Turns, site: Site) -> Iterator[pa.RecordBatch]:
    """The rows of all turns. `begin` starts the step over what stands in `turns`."""
    with site.memory(f"the recursive query {node.name}") as memory:
        waiting: list[pa.RecordBatch] = []
        rows = 0
        for number, batch in _turn_by_turn(node, seed, begin, turns, site, memory):
            if number < AT_ONCE:
                yield batch
                continue
            waiting.append(batch)
            rows += batch.num_rows
            if 2 * rows >= site.context.morsel_rows:
                yield concat_batches(waiting, batch.schema)
                waiting, rows = [], 0
        if waiting:
            yield concat_batches(waiting, waiting[0].schema)


def run_working(node: WorkingRows, site: Site) -> Iterator[pa.RecordBatch]:
    """The rows that came last."""
    if site.turns is None:
        raise AssertionError("a working table outside of a recursion")
    names = [f.key for f in node.fields]
    for batch in site.turns.working[node.id]:
        site.context.check()
        yield make_batch([batch.column(place) for place in node.places], names, batch.num_rows)


def _turn_by_turn(
    node: IterateRows, seed: Pull, begin: Callable[[], Pull], turns: Turns, site: Site, memory: Memory
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows with the number of their turn."""
    seen = SeenRows() if node.quantifier is Quantifier.DISTINCT else None
    names = [f.key for f in node.fields]
    source, number = seed, 0
    while True:
        came: list[pa.RecordBatch] = []
        size = 0
        try:
            for batch in source:
                site.context.check()
                fresh = make_batch(batch.columns, names, batch.num_rows)
                if seen is not None:
                    fresh = seen.fresh(fresh, _keys(fresh))
                if fresh.num_rows == 0:
                    continue
                size += batch_bytes(fresh)
                memory.hold((0 if seen is None else seen.nbytes) + size + _waiting(turns, node))
                came.append(fresh)
                yield number, fresh
        finally:
            source.close()
        if not came:
            turns.working.pop(node.id, None)
            return
        if number > node.turns:
            raise ResourceExhausted(
                f"the recursive query {node.name} has not ended after {node.turns:,} turns",
                hint="give its recursive part a condition that ends it, write UNION for UNION ALL where rows come again, "
                "or raise planner.recursion_turns",
            )
        number += 1
        site.metrics.count("turns")
        turns.working[node.id] = list(coalesce(came, site.context.morsel_rows))
        site.context.check()
        source = begin()


def _waiting(turns: Turns, node: IterateRows) -> int:
    return sum(batch_bytes(batch) for batch in turns.working.get(node.id, ()))


def _keys(batch: pa.RecordBatch) -> pa.RecordBatch:
    """What rows are compared by: of lists their keys."""
    if not any(pa.types.is_nested(column.type) for column in batch.columns):
        return batch
    columns = [list_keys(column) if pa.types.is_nested(column.type) else column for column in batch.columns]
    return make_batch(columns, batch.schema.names, batch.num_rows)
