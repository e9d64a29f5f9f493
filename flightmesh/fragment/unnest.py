"""Runs UnnestRows: each row of a batch once for each element of its lists, in morsels however long the lists are.

Handed batches; hands on batches of at most a morsel's rows. What always holds: a row's elements come in their order, and a list
that is shorter than another of its row gives NULL past its end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa

from flightmesh.expression.lists import Lists, taken_apart
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.portions import Portions
from flightmesh.fragment.site import Site
from flightmesh.ids import ColumnId
from flightmesh.kernel.batches import make_batch
from flightmesh.kernel.expand import pair_windows
from flightmesh.kernel.values import Array, Int64s
from flightmesh.logical.relations import JoinKind
from flightmesh.physical.operators import UnnestRows


def run_unnest(node: UnnestRows, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """The rows of the elements, as `node.fields`."""
    portions = Portions([item.expression for item in node.lists])
    for batch in rows:
        for part, values in portions.run(batch):
            yield from _elements(node, part, values, site)


def _elements(node: UnnestRows, batch: pa.RecordBatch, values: Sequence[Array], site: Site) -> Iterator[pa.RecordBatch]:
    lists = [taken_apart(value) for value in values]
    longest = _longest_of(lists)
    counts = longest
    if node.kind is JoinKind.LEFT:
        counts = np.maximum(counts, 1)
    for rows, places in pair_windows(counts, site.context.morsel_rows):
        site.context.check()
        made: dict[ColumnId, Array] = {}
        for item, one in zip(node.lists, lists, strict=True):
            made[item.field.id] = _taken(one, rows, places)
        if node.ordinal is not None:
            none = longest[rows] == 0
            made[node.ordinal.id] = pa.array(places + 1, mask=none if none.any() else None)
        taken = pa.array(rows)
        columns = [made[f.id] if f.id in made else batch.column(f.key).take(taken) for f in node.fields]
        yield make_batch(columns, [f.key for f in node.fields], len(rows))


def _longest_of(lists: Sequence[Lists]) -> Int64s:
    """Elements of the longest list of each row."""
    longest = lists[0].lengths
    for one in lists[1:]:
        longest = np.maximum(longest, one.lengths)
    return longest


def _taken(lists: Lists, rows: Int64s, places: Int64s) -> Array:
    """The element at each place of the list of each row; NULL past its end. One run of elements is only a slice of them."""
    past = places >= lists.lengths[rows]
    wanted = lists.offsets[rows] + places
    if past.any():
        return lists.values.take(pa.array(wanted, mask=past))
    first, last = int(wanted[0]), int(wanted[-1])
    if last - first == len(wanted) - 1 and bool((np.diff(wanted) == 1).all()):
        return lists.values.slice(first, len(wanted))
    return lists.values.take(pa.array(wanted))
