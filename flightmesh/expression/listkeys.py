"""Lists as bytes that order and compare as the lists do: what sorts, groupings, joins and comparisons of lists work on.

Handed a list array; hands on a binary array, NULL where the list is. What always holds: two keys are equal exactly when the
lists are, and less exactly when the first list is less: element by element, NULL being equal to NULL and greater than every
value, NaN the greatest number, and a list less than one that goes on where it ends.

Each element is a byte that says what follows and its value's bytes, the most significant first; a byte 0 ends the list.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import InternalError
from flightmesh.expression.arrays import (
    boolean_array,
    from_values,
    interval_values,
    numeric_values,
    valid_mask,
    validity_buffer,
)
from flightmesh.expression.functions.declare import Datum
from flightmesh.expression.lists import put_together, taken_apart
from flightmesh.expression.types import Family, family

_END, _VALUE, _NULL = b"\x00", b"\x01", b"\x02"
_NAN = np.uint64(0x7FF8000000000000)
_SIGN = np.uint64(1 << 63)
_DAY = 86_400_000_000


def list_keys(datum: Datum) -> Datum:
    """The key of each list."""
    if isinstance(datum, pa.Scalar):
        return list_keys(pa.repeat(datum, 1))[0]
    lists = taken_apart(datum)
    elements = put_together(lists.offsets, _elements(lists.values))
    joined = pc.binary_join_element_wise(pc.binary_join(elements, b""), _END, b"")
    return joined if lists.valid is None else pc.if_else(boolean_array(lists.valid), joined, pa.scalar(None, pa.binary()))


def sort_codes(values: pa.Array) -> pa.Array:
    """Values that Arrow sorts, and tells apart, as the values are: floats with one zero and NaN the greatest, lists by their
    keys. NULL stays NULL."""
    match family(values.type):
        case Family.FLOAT:
            return from_values(_float_bits(values), pa.uint64(), validity_buffer(values))
        case Family.INTERVAL:
            return from_values(_interval_micros(values), pa.int64(), validity_buffer(values))
        case Family.BOOLEAN:
            return values.cast(pa.uint8())
        case Family.LIST:
            return list_keys(values)
        case _:
            return values


def _interval_micros(values: pa.Array) -> npt.NDArray[np.int64]:
    parts = interval_values(values)
    days = parts["months"].astype(np.int64) * 30 + parts["days"]
    return np.asarray(days * _DAY + parts["nanos"] // 1000, np.int64)


def _elements(values: pa.Array) -> pa.Array:
    """Each value's bytes behind the byte that says that there is one."""
    if pa.types.is_null(values.type):
        return pa.repeat(pa.scalar(_NULL), len(values))
    match family(values.type):
        case Family.LIST:
            held = list_keys(values)
        case Family.STRING | Family.BINARY:
            held = _texts(values.cast(pa.binary()))
        case _:
            return _marked(_fixed(values), valid_mask(values))
    marked = pc.binary_join_element_wise(_VALUE, held, b"")
    return pc.fill_null(marked, _NULL)


def _texts(values: pa.Array) -> pa.Array:
    """Bytes that end where the text does: a byte 0 inside is told from the two that end it."""
    inside = pc.match_substring(values, b"\x00")
    if pc.any(inside).as_py():
        values = pc.if_else(inside, pc.replace_substring(values, b"\x00", b"\x00\xff"), values)
    return pc.binary_join_element_wise(values, b"\x00\x00", b"")


def _fixed(values: pa.Array) -> npt.NDArray[np.uint8]:
    """The values' bytes, a row each, so that they order as the values."""
    match family(values.type):
        case Family.BOOLEAN:
            return _big_endian(np.asarray(values.cast(pa.uint8()).fill_null(0)))
        case Family.INTEGER if pa.types.is_unsigned_integer(values.type):
            return _big_endian(numeric_values(values))
        case Family.INTEGER | Family.DATE | Family.TIME | Family.TIMESTAMP:
            return _big_endian(numeric_values(values).astype(np.int64).view(np.uint64) ^ _SIGN)
        case Family.FLOAT:
            return _big_endian(_float_bits(values))
        case Family.DECIMAL:
            return _decimal_bytes(values)
        case Family.INTERVAL:
            return _big_endian(_interval_micros(values).view(np.uint64) ^ _SIGN)
    raise InternalError(f"lists of {values.type} have no keys")


def _float_bits(values: pa.Array) -> npt.NDArray[np.uint64]:
    numbers = numeric_values(values).astype(np.float64) + 0.0  # -0.0 + 0.0 is 0.0
    bits = numbers.view(np.uint64)
    bits = np.where(np.isnan(numbers), _NAN, bits)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def _decimal_bytes(values: pa.Array) -> npt.NDArray[np.uint8]:
    buffer = values.buffers()[1]
    if buffer is None or len(values) == 0:
        return np.zeros((len(values), 16), np.uint8)
    words = np.frombuffer(buffer, np.uint64, count=2 * len(values), offset=16 * values.offset).reshape(-1, 2)
    return np.concatenate((_big_endian(words[:, 1] ^ _SIGN), _big_endian(words[:, 0])), axis=1)


def _big_endian(numbers: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    width = numbers.dtype.itemsize
    swapped = np.ascontiguousarray(numbers.astype(numbers.dtype.newbyteorder(">")))
    return swapped.view(np.uint8).reshape(len(numbers), width)


def _marked(held: npt.NDArray[np.uint8], valid: npt.NDArray[np.bool_]) -> pa.Array:
    """Rows of bytes as binary values behind their marks; NULLs are all alike."""
    rows, width = held.shape
    marked = np.zeros((rows, width + 1), np.uint8)
    marked[:, 0] = np.where(valid, _VALUE[0], _NULL[0])
    np.copyto(marked[:, 1:], held, where=valid[:, None])
    offsets = np.arange(rows + 1, dtype=np.int64) * (width + 1)
    if int(offsets[-1]) > 2**31 - 1:
        raise pa.ArrowCapacityError("keys of lists longer than an array can hold")
    return pa.Array.from_buffers(
        pa.binary(), rows, [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(marked.reshape(-1))]
    )
