"""Aggregates over frames, as WindowRows has them: by kernels over frames where there is one, else of each frame's rows.

Handed a function, the frames of the sorted rows and the columns in their order; hands on one value a row. What always holds:
rows of frames are brought together a bounded number at a time, and results are accounted for before they are copied to every
row.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.fragment.grouping import measured
from flightmesh.fragment.site import Memory, Site
from flightmesh.kernel.batches import OFFSET_LIMIT
from flightmesh.kernel.group import Grouping
from flightmesh.kernel.values import Array, Int64s, Mask, is_byte_string, unpack_bits, validity
from flightmesh.kernel.window_aggregates import FRAME_KERNELS, window_aggregate, with_values
from flightmesh.kernel.window_distinct import distinct_counts, first_of_each
from flightmesh.kernel.window_frames import Frames
from flightmesh.kernel.window_members import Members, members
from flightmesh.kernel.window_modes import running_entropies, running_modes
from flightmesh.physical.measures import NULLS_COUNT
from flightmesh.physical.operators import Measure, WindowFunction

MEMBER_ROWS = 1 << 20
"""Rows of frames that are brought together at a time."""

MOST_MEMBERS = 1 << 34
"""Rows of all frames together, beyond which bringing them together would take hours."""

Columns = dict[str, Array]

_RUNNING = {"mode": running_modes, "entropy": running_entropies}


def aggregate_over(function: WindowFunction, frames: Frames, columns: Columns, memory: Memory, site: Site) -> Array:
    """The aggregate of each row's frame."""
    columns = {column.key: columns[column.key] for column in function.columns}
    if function.where is not None:
        frames, columns = _kept(frames, columns, unpack_bits(columns[function.where.key]))
    distinct = function.distinct
    arguments = function.arguments
    if distinct:
        # Of several columns the first says which rows count, but where rows are counted: then all do.
        all_count = function.function == "count_star" or function.function in NULLS_COUNT
        valid = None if all_count else validity(columns[arguments[0].key])
        if valid is not None:
            frames, columns = _kept(frames, columns, valid)
        values = [columns[column.key] for column in arguments]
        if frames.running is not None:
            frames, columns = _kept(frames, columns, first_of_each(values, frames.running))
            distinct = False
            arguments = () if function.function.startswith("count") else arguments
        elif function.function.startswith("count") and len(frames.spans) == 1:
            return _to_rows(pa.array(distinct_counts(frames, values)), frames, memory)
    try:
        if not distinct and not function.order and function.function in FRAME_KERNELS:
            constant: Any = None if function.constant is None else function.constant.value.as_py()
            read = [columns[column.key] for column in arguments]
            return window_aggregate(function.function, frames, read, function.field.type, constant)
        if function.function in _RUNNING and not distinct and not function.order and frames.running is not None:
            held, (column,) = with_values(function.function, frames, [columns[arguments[0].key]])
            found = _RUNNING[function.function](held, column)
            if found is not None:
                return _to_rows(found, frames, memory)
    except DataError as error:
        shown = ", ".join(column.name for column in function.arguments)
        raise DataError(f"{function.function}({shown}): {error.message}", hint=error.hint) from error
    return _to_rows(_of_members(function, distinct, frames, columns, memory, site), frames, memory)


def _kept(frames: Frames, columns: Columns, mask: Mask) -> tuple[Frames, Columns]:
    """Only the rows where the mask is true."""
    rows = pa.array(np.flatnonzero(mask))
    return frames.within(mask), {key: values.take(rows) for key, values in columns.items()}


def _of_members(
    function: WindowFunction, distinct: bool, frames: Frames, columns: Columns, memory: Memory, site: Site
) -> Array:
    """One value a frame, of its rows."""
    first, *more = function.arguments
    constant, order = function.constant, function.order
    measure = Measure(function.field, function.function, first, distinct, tuple(more), constant=constant, order=order)
    total = int(frames.sizes().sum())
    if total > MOST_MEMBERS:
        what = f"{function.function} looks at every row of every frame, and here they come to {total:,} rows"
        raise DataError(what, hint="narrow the frames, or take those of whole partitions")
    made: list[Array] = []
    numbers: list[Int64s] = []
    for block in members(frames, MEMBER_ROWS):
        site.context.check()
        values = _of_block(measure, block, columns)
        memory.take(values.nbytes)
        made.append(values)
        numbers.append(block.frames)
    place = np.zeros(frames.count, np.int64)
    filled = np.zeros(frames.count, np.bool_)
    if not made:
        found = pa.nulls(frames.count, function.field.type)
    else:
        chosen = np.concatenate(numbers)
        place[chosen], filled[chosen] = np.arange(len(chosen)), True
        values = _roomy(pa.chunked_array(made, made[0].type), 1).combine_chunks()
        found = values.take(pa.array(place, mask=~filled))
    return pc.fill_null(found, 0) if function.function.startswith("count") else found


def _of_block(measure: Measure, block: Members, columns: Columns) -> Array:
    rows = pa.array(block.rows)
    batch = pa.RecordBatch.from_pydict({key: values.take(rows) for key, values in columns.items()})
    return measured(measure, Grouping(block.of_frame, len(block.frames), np.zeros(0, np.int64)), batch)


def _to_rows(by_frame: Array, frames: Frames, memory: Memory) -> Array:
    """The value of each row's frame."""
    if frames.of_row is None:
        return by_frame
    is_list = pa.types.is_list(by_frame.type)
    if not (is_list or is_byte_string(by_frame.type)):
        return by_frame.take(pa.array(frames.of_row))
    lengths = pc.list_value_length(by_frame) if is_list else pc.binary_length(by_frame)
    sizes = np.asarray(pc.fill_null(lengths, 0)).astype(np.int64)
    each = by_frame.nbytes / max(int(sizes.sum()), 1) if is_list else 1
    size = int(sizes[frames.of_row].sum() * each)
    memory.take(size)
    found = _roomy(by_frame, size).take(pa.array(frames.of_row))
    memory.give_back(size)
    return found


def _roomy(values: Any, size: int) -> Any:
    """Texts that come to more than an array can hold as large ones."""
    if max(size, values.nbytes) < OFFSET_LIMIT or not (pa.types.is_string(values.type) or pa.types.is_binary(values.type)):
        return values
    return values.cast(pa.large_string() if pa.types.is_string(values.type) else pa.large_binary())
