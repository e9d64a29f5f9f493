"""Bitwise operators and functions on integers, in the operands' common type."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.errors import DataError
from flightmesh.expression.arrays import from_values, numeric_values, validity_buffer
from flightmesh.expression.functions.declare import Binding, Datum, Failure, Request, ScalarFunction
from flightmesh.expression.functions.entries import compute
from flightmesh.expression.functions.math import vectorised
from flightmesh.expression.functions.vary import with_constants
from flightmesh.expression.nodes import Expression
from flightmesh.expression.signatures import shared_type
from flightmesh.expression.types import Family, family, integer_bounds


def _pair(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 2:
        return None
    shared = shared_type(args)
    if shared is not None and family(shared) is Family.NULL:
        shared = pa.int32()
    if shared is None or family(shared) is not Family.INTEGER:
        return None
    return Binding((shared, shared), shared)


def _single(args: Sequence[Expression]) -> Binding | None:
    if len(args) != 1 or family(args[0].type) is not Family.INTEGER:
        return None
    return Binding((args[0].type,), args[0].type)


def _count_rule(args: Sequence[Expression]) -> Binding | None:
    found = _single(args)
    return None if found is None else Binding(found.args, pa.int8())


def bit_count(array: pa.Array) -> pa.Array:
    """Set bits of each value in two's complement."""
    values = numeric_values(array)
    raw = values.view(np.dtype(f"u{values.dtype.itemsize}")).astype(np.uint64)
    raw = raw - ((raw >> np.uint64(1)) & np.uint64(0x5555555555555555))
    raw = (raw & np.uint64(0x3333333333333333)) + ((raw >> np.uint64(2)) & np.uint64(0x3333333333333333))
    raw = (raw + (raw >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    counts = (raw * np.uint64(0x0101010101010101)) >> np.uint64(56)
    return from_values(counts.astype(np.int8), pa.int8(), validity_buffer(array))


def _left_check(bits: int) -> Any:
    def check(values: Any, places: Any) -> None:
        if bool((values < 0).any()):
            raise DataError("cannot left-shift a negative number")
        if bool((places < 0).any()):
            raise DataError("cannot left-shift by a negative number")
        far = (places >= bits) & (values != 0)
        room = np.where(far, 0, bits - np.minimum(places, bits - 1).astype(np.int64))
        if bool(far.any()) or bool((values.astype(np.float64) >= 2.0**room).any()):
            raise DataError("overflow in left shift")

    return check


def _shift_left(args: tuple[Datum, ...], request: Request) -> Datum:
    bits = integer_bounds(request.type)[1].bit_length()
    dtype = np.dtype(request.type.to_pandas_dtype())

    def shift(values: Any, places: Any) -> Any:
        return np.left_shift(values, np.clip(places, 0, dtype.itemsize * 8 - 1))

    return vectorised(shift, _left_check(bits))(args, request)


def _shift_right(args: tuple[Datum, ...], request: Request) -> Datum:
    size = np.dtype(request.type.to_pandas_dtype()).itemsize * 8

    def shift(values: Any, places: Any) -> Any:
        outside = (places < 0) | (places >= size)
        return np.where(outside, 0, np.right_shift(values, np.clip(places, 0, size - 1)))

    return vectorised(shift)(args, request)


def _bits(name: str, doc: str, kernel: Any, usage: str, *aliases: str, failure: Failure = Failure.NEVER) -> ScalarFunction:
    return ScalarFunction(
        name, doc, "math", _pair, kernel, (usage,), aliases, failure, operator=aliases[0] if aliases else None
    )


FUNCTIONS: tuple[ScalarFunction, ...] = (
    _bits("bit_and", "Bitwise AND.", compute(pc.bit_wise_and), "integer & integer", "&"),
    _bits("bit_or", "Bitwise OR.", compute(pc.bit_wise_or), "integer | integer", "|"),
    _bits("xor", "Bitwise exclusive OR.", compute(pc.bit_wise_xor), "xor(integer, integer)", "bit_xor"),
    _bits("shift_left", "Bits moved left; overflow is an error.", _shift_left, "integer << integer", "<<", failure=Failure.MAY),
    _bits("shift_right", "Bits moved right.", _shift_right, "integer >> integer", ">>"),
    ScalarFunction("bit_not", "Every bit turned.", "math", _single, compute(pc.bit_wise_not), ("~ integer",), ("~",)),
    ScalarFunction("bit_count", "Set bits.", "math", _count_rule, with_constants(1, bit_count),
                   ("bit_count(integer) -> TINYINT",)),
)  # fmt: skip
