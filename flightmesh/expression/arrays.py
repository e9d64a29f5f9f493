"""Views between Arrow arrays and numpy, and what every kernel needs of them: validity, scalars, selections.

Handed Arrow arrays without nested types; hands on numpy views (no copy where the layout allows) and arrays made of numpy
values. What always holds: the values under NULL slots mean nothing, and no call here holds the GIL for the length of a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.expression.functions.declare import Datum

_WIDTHS: dict[int, Any] = {8: np.int8, 16: np.int16, 32: np.int32, 64: np.int64}

INTERVAL_LAYOUT = np.dtype([("months", "<i4"), ("days", "<i4"), ("nanos", "<i8")])
"""The memory of month_day_nano_interval."""


def null_of(type: pa.DataType) -> pa.Scalar:
    """A typed NULL."""
    return pa.scalar(None, type)


def broadcast(datum: Datum, rows: int) -> pa.Array:
    """The datum as an array of `rows` values."""
    if isinstance(datum, pa.Scalar):
        return pa.nulls(rows, datum.type) if not datum.is_valid else pa.repeat(datum, rows)
    return datum


def one_array(result: Any) -> Datum:
    """A compute result as one array or scalar (kernels on long strings may chunk)."""
    return result.combine_chunks() if isinstance(result, pa.ChunkedArray) else result


def numeric_values(array: pa.Array) -> npt.NDArray[Any]:
    """The values of an integer, float, date, time or timestamp array, NULL slots included, as numpy without a copy."""
    type = array.type
    if pa.types.is_floating(type):
        dtype: Any = np.float64 if type.bit_width == 64 else np.float32
    else:
        dtype = np.dtype(_WIDTHS[type.bit_width])
        if pa.types.is_unsigned_integer(type):
            dtype = np.dtype(f"u{dtype.itemsize}")
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.empty(0, dtype)
    width = np.dtype(dtype).itemsize
    return np.frombuffer(buffer, dtype, count=len(array), offset=width * array.offset)


def joined_validity(buffers: Sequence[pa.Buffer], rows: int) -> pa.Buffer | None:
    """The bitmap of rows that every bitmap (from bit 0) has; None for no bitmaps."""
    if len(buffers) < 2:
        return buffers[0] if buffers else None
    masks = [pa.Array.from_buffers(pa.bool_(), rows, [None, buffer]) for buffer in buffers]
    combined = masks[0]
    for other in masks[1:]:
        combined = pc.and_(combined, other)
    return combined.buffers()[1]


def validity_buffer(*arrays: Datum) -> pa.Buffer | None:
    """The validity bitmap, from bit 0, of rows that are valid in every array; None where all are. Scalars must be valid."""
    masks = [a for a in arrays if isinstance(a, pa.Array) and a.null_count]
    if not masks:
        return None
    if len(masks) == 1 and masks[0].offset == 0:
        return masks[0].buffers()[0]
    combined = masks[0].is_valid()
    for other in masks[1:]:
        combined = pc.and_(combined, other.is_valid())
    if len(masks) == 1:
        combined = pc.and_(combined, combined)
    return combined.buffers()[1]


def from_values(values: npt.NDArray[Any], type: pa.DataType, validity: pa.Buffer | None = None) -> pa.Array:
    """An array of a fixed-width type over numpy values (contiguous, same width), sharing their memory."""
    contiguous = np.ascontiguousarray(values)
    return pa.Array.from_buffers(type, len(contiguous), [validity, pa.py_buffer(contiguous)])


def boolean_array(mask: npt.NDArray[np.bool_], validity: pa.Buffer | None = None) -> pa.Array:
    """A boolean array over a numpy mask."""
    bits = pa.py_buffer(np.packbits(mask, bitorder="little"))
    return pa.Array.from_buffers(pa.bool_(), len(mask), [validity, bits])


def boolean_mask(array: pa.Array) -> npt.NDArray[np.bool_]:
    """True where a boolean array is true; NULL counts as false."""
    if array.null_count:
        array = pc.fill_null(array, False)
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.zeros(len(array), np.bool_)
    first = array.offset // 8
    shift = array.offset % 8
    raw = np.frombuffer(buffer, np.uint8, offset=first, count=(shift + len(array) + 7) // 8)
    return np.unpackbits(raw, bitorder="little", count=shift + len(array))[shift:].view(np.bool_)


def valid_mask(array: pa.Array) -> npt.NDArray[np.bool_]:
    """True where a value is not NULL."""
    return boolean_mask(array.is_valid()) if array.null_count else np.ones(len(array), np.bool_)


def null_where(array: pa.Array, mask: npt.NDArray[np.bool_]) -> pa.Array:
    """The array with NULL where `mask` is true."""
    if not mask.any():
        return array
    return pc.if_else(boolean_array(mask), null_of(array.type), array)


def interval_values(array: pa.Array) -> npt.NDArray[Any]:
    """The months, days and nanos of an interval array, as a structured view."""
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.empty(0, INTERVAL_LAYOUT)
    return np.frombuffer(buffer, INTERVAL_LAYOUT, count=len(array), offset=16 * array.offset)


def scattered(parts: Sequence[tuple[npt.NDArray[np.int64], pa.Array]], rows: int, type: pa.DataType) -> pa.Array:
    """One array of `rows` values from parts that name their row numbers; the row numbers partition 0..rows."""
    whole = pa.concat_arrays([values for _, values in parts]) if parts else pa.nulls(0, type)
    place = np.empty(rows, np.int64)
    start = 0
    for index, values in parts:
        place[index] = np.arange(start, start + len(values))
        start += len(values)
    return whole.take(pa.array(place))
