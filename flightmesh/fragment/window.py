"""Runs WindowRows: collects this task's rows, sorts them once, computes every function, gives rows and results by morsel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from flightmesh.expression.frames import Frame
from flightmesh.expression.nodes import Column
from flightmesh.fragment.metrics import Pull
from flightmesh.fragment.ordering import sort_keys
from flightmesh.fragment.site import Memory, Site, batch_bytes
from flightmesh.fragment.window_aggregate import aggregate_over
from flightmesh.fragment.window_extent import extent
from flightmesh.kernel.batches import OFFSET_LIMIT, concat_batches, make_batch, take_rows
from flightmesh.kernel.byte_words import longest_bytes
from flightmesh.kernel.sort import SortKey, sort_indices
from flightmesh.kernel.values import Array, validity
from flightmesh.kernel.window import FRAME_VALUES, PARTITION_FUNCTIONS, frame_value, partition_function
from flightmesh.kernel.window_frames import Frames, frames
from flightmesh.kernel.window_layout import Layout, layouts
from flightmesh.kernel.window_ordered import ordered_value
from flightmesh.kernel.window_values import Nulls
from flightmesh.physical.operators import WindowFunction, WindowRows

Over: TypeAlias = tuple[Frame, int, tuple[Column, ...]]
"""What functions share that are over the same frames."""

SCRATCH_BYTES = 96
"""Bytes a row that computing a function takes, about, while it is computed."""


def run_window(node: WindowRows, rows: Pull, site: Site) -> Iterator[pa.RecordBatch]:
    """The input's rows, by partition and in order, with the functions' results after their columns."""
    with site.memory("computing windows") as memory:
        collected: list[pa.RecordBatch] = []
        for batch in rows:
            site.context.check()
            memory.take(batch_bytes(batch))
            if batch.num_rows:
                collected.append(batch)
        if not collected:
            return
        schema = collected[0].schema
        merged = concat_batches(collected, schema)
        collected.clear()
        memory.take(8 * merged.num_rows)
        order = sort_indices(merged, (*(SortKey(c.key) for c in node.partition), *sort_keys(node.order)))
        results = _results(node, merged, order, memory, site)
        names = [f.key for f in node.fields]
        for start in range(0, merged.num_rows, site.context.morsel_rows):
            site.context.check()
            part = take_rows(merged, order.slice(start, site.context.morsel_rows), schema)
            made = [
                _typed(values.slice(start, part.num_rows), function.field.type)
                for function, values in zip(node.functions, results, strict=True)
            ]
            yield make_batch([*part.columns, *made], names, part.num_rows)


def _results(node: WindowRows, merged: pa.RecordBatch, order: Array, memory: Memory, site: Site) -> list[Array]:
    """One column a function, in the order of the sorted rows."""
    rows = merged.num_rows
    sorted_: dict[str, Array] = {}
    for column in (*node.partition, *(k.column for k in node.order), *(c for f in node.functions for c in f.columns)):
        if column.key not in sorted_:
            values = merged.column(column.key).take(order)
            memory.take(values.nbytes)
            sorted_[column.key] = values
    memory.take(SCRATCH_BYTES * rows)
    made = layouts(
        [sorted_[c.key] for c in node.partition],
        [sorted_[k.column.key] for k in node.order],
        rows,
        [f.keys for f in node.functions],
    )
    frames_of: dict[Over, Frames] = {}
    results: list[Array] = []
    for function in node.functions:
        site.context.check()
        values = _computed(function, node, made[function.keys], sorted_, frames_of, memory, site)
        memory.take(values.nbytes)
        results.append(values)
    memory.give_back(SCRATCH_BYTES * rows + sum(values.nbytes for values in sorted_.values()))
    return results


def _computed(
    function: WindowFunction,
    node: WindowRows,
    layout: Layout,
    columns: dict[str, Array],
    frames_of: dict[Over, Frames],
    memory: Memory,
    site: Site,
) -> Array:
    """The values of one function, in the order of the sorted rows."""
    nulls = Nulls.IGNORED if function.skips_nulls else Nulls.RESPECTED
    if function.function in PARTITION_FUNCTIONS:
        return partition_function(function.function, layout, [_roomy(columns[c.key]) for c in function.arguments], nulls)
    over = function.frame, function.keys, function.bounds
    if over not in frames_of:
        read = [columns[c.key] for c in function.bounds]
        descending = bool(node.order) and node.order[0].descending
        frames_of[over] = frames(extent(function.frame, read, descending), layout)
    found = frames_of[over]
    if function.order and function.function in FRAME_VALUES:
        return _in_order(function, found.by_row(), columns)
    if function.function in FRAME_VALUES:
        return frame_value(function.function, found, [_roomy(columns[c.key]) for c in function.arguments], nulls)
    roomy = {c.key: _roomy(columns[c.key]) if c in function.arguments else columns[c.key] for c in function.columns}
    return aggregate_over(function, found, roomy, memory, site)


def _in_order(function: WindowFunction, frames_: Frames, columns: dict[str, Array]) -> Array:
    """The value of a frame's row in the function's own order."""
    values = _roomy(columns[function.arguments[0].key])
    read = pa.RecordBatch.from_pydict({key.column.key: columns[key.column.key] for key in function.order})
    valid = validity(values) if function.skips_nulls else None
    if valid is not None:
        rows = pa.array(np.flatnonzero(valid))
        frames_, values, read = frames_.within(valid), values.take(rows), read.take(rows)
    order = np.asarray(sort_indices(read, sort_keys(function.order))).astype(np.int64)
    nth = columns[function.arguments[1].key] if len(function.arguments) > 1 else None
    return ordered_value(function.function, frames_, values, order, nth)


def _roomy(values: Array) -> Array:
    """Texts that come to more than an array can hold if the longest is the value of every row as large ones."""
    if not (pa.types.is_string(values.type) or pa.types.is_binary(values.type)):
        return values
    if longest_bytes(values) * len(values) < OFFSET_LIMIT:
        return values
    return values.cast(pa.large_string() if pa.types.is_string(values.type) else pa.large_binary())


def _typed(values: Array, kind: pa.DataType) -> Array:
    return values if values.type == kind else values.cast(kind)
