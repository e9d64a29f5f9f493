"""Decimals as scaled int64: views of Arrow's 128-bit values, and a form that stays int64 between the steps of a program.

Handed decimal128 arrays and scalars; hands on unscaled int64 values with a bound on them. What always holds: a value that needs
more than 64 bits is never seen as int64, and the values under NULL slots mean nothing (they may lie outside the bound).
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from flightmesh.compute import pc
from flightmesh.dataclass import dataclass
from flightmesh.errors import DataError
from flightmesh.expression.arrays import from_values, joined_validity, validity_buffer
from flightmesh.expression.functions.declare import Datum
from flightmesh.expression.types import INT64_PRECISION, sql_type_name

INT64_LIMIT = 1 << 63
EXACT = Context(prec=200, rounding=ROUND_HALF_UP)
"""For the few values that Python computes."""

Words = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ScaledDecimals:
    """A decimal column as unscaled int64 values: what decimal kernels hand each other, half as wide as Arrow's form."""

    type: pa.DataType
    values: Words
    validity: pa.Buffer | None
    bound: int
    """No absolute value is larger."""

    def __len__(self) -> int:
        return len(self.values)

    def to_array(self) -> pa.Array:
        """The column as Arrow has it."""
        return from_int64(self.values, self.type, self.validity)

    def to_short(self) -> pa.Array | None:
        """The column as decimal64, of as many digits as that has; None where a value might have more."""
        if self.bound >= 10**INT64_PRECISION:
            return None
        return from_values(self.values, short_decimal(self.type), self.validity)


Held: TypeAlias = Datum | ScaledDecimals
"""What a register of a program holds."""


@dataclass(frozen=True, slots=True)
class Operand:
    """Unscaled values, an array or one int, with a bound on their absolute values."""

    values: Words | int
    bound: int

    def tightened(self) -> Operand:
        """The same values with the smallest bound."""
        return self if isinstance(self.values, int) else Operand(self.values, largest(self.values))


def low_words(array: pa.Array) -> Words:
    """The low 64 bits of each decimal128 value, as a strided view."""
    return _words(array)[::2]


def _words(array: pa.Array) -> Words:
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.empty(0, np.int64)
    return np.frombuffer(buffer, np.int64, count=2 * len(array), offset=16 * array.offset)


def as_int64(column: pa.Array | ScaledDecimals) -> Words | None:
    """The unscaled values as int64, or None where some value needs more than 64 bits."""
    if isinstance(column, ScaledDecimals):
        return column.values
    low = low_words(column)
    if column.type.precision <= INT64_PRECISION:
        return low
    high = _words(column)[1::2]
    if np.array_equal(high, low >> 63):
        return low
    if column.null_count:
        return as_int64(pc.fill_null(column, pa.scalar(Decimal(0), column.type)))
    return None


def from_int64(values: Words, type: pa.DataType, validity: pa.Buffer | None = None) -> pa.Array:
    """A decimal128 array over unscaled int64 values."""
    words = np.empty((len(values), 2), np.int64)
    words[:, 0] = values
    np.right_shift(words[:, 0], 63, out=words[:, 1])
    return pa.Array.from_buffers(type, len(values), [validity, pa.py_buffer(words)])


def is_short_decimal(type: pa.DataType) -> bool:
    """Whether all values of a type are decimals that 64 bits hold."""
    return bool(pa.types.is_decimal128(type) and type.precision <= INT64_PRECISION)


def short_decimal(type: pa.DataType) -> pa.DataType:
    """The decimal64 that a column of a decimal128 type may stand as."""
    return pa.decimal64(min(type.precision, INT64_PRECISION), type.scale)


def short_values(array: pa.Array) -> Words:
    """The unscaled values of a decimal64 array, as a view."""
    buffer = array.buffers()[1]
    if buffer is None or len(array) == 0:
        return np.empty(0, np.int64)
    return np.frombuffer(buffer, np.int64, count=len(array), offset=8 * array.offset)


def held(array: pa.Array, type: pa.DataType) -> ScaledDecimals:
    """A decimal64 array that stands for a column of `type`, as programs hold it."""
    values = short_values(array)
    bound = 10**type.precision if type.precision <= INT64_PRECISION else largest(values)
    return ScaledDecimals(type, values, validity_buffer(array), bound)


def widened(array: pa.Array, type: pa.DataType) -> pa.Array:
    """A decimal64 array as the decimal128 `type` that it stands for (of its scale)."""
    return from_int64(short_values(array), type, validity_buffer(array))


def arrow(held: Held) -> Datum:
    """The register's content as Arrow has it."""
    return held.to_array() if isinstance(held, ScaledDecimals) else held


def unscaled(scalar: pa.Scalar) -> int:
    """The unscaled value of a valid decimal scalar."""
    return int(scalar.as_py().scaleb(scalar.type.scale, EXACT))


def decimal_scalar(value: int, type: pa.DataType) -> pa.Scalar:
    """A decimal scalar from its unscaled value; DataError where it has too many digits."""
    if abs(value) >= 10**type.precision:
        raise too_wide(type)
    return pa.scalar(Decimal(value).scaleb(-type.scale, EXACT), type)


def too_wide(type: pa.DataType) -> DataError:
    """The error for a value with more digits than its type has."""
    return DataError(f"overflow: the value does not fit {sql_type_name(type)}")


def operand(held: Held, limit: int) -> Operand | None:
    """The values as int64 with a bound, tight only if the loose one would pass `limit`; None where int64 does not do."""
    if isinstance(held, pa.Scalar):
        value = unscaled(held)
        return Operand(value, abs(value)) if abs(value) < INT64_LIMIT else None
    if isinstance(held, ScaledDecimals):
        return Operand(held.values, held.bound)
    values = as_int64(held)
    if values is None:
        return None
    loose: int = 10**held.type.precision
    if loose <= limit and held.type.precision <= INT64_PRECISION:
        return Operand(values, loose)
    return Operand(values, largest(values))


def largest(values: Words) -> int:
    """The largest absolute value."""
    return max(abs(int(values.min())), abs(int(values.max()))) if len(values) else 0


def count_rows(*held: Held) -> int | None:
    """Rows of the first that is no scalar."""
    return next((len(h) for h in held if not isinstance(h, pa.Scalar)), None)


def validity_of(*held: Held) -> pa.Buffer | None:
    """The validity bitmap of rows that are valid in every column; scalars must be valid."""
    rows = count_rows(*held) or 0
    buffers = [
        h.validity if isinstance(h, ScaledDecimals) else validity_buffer(h) for h in held if not isinstance(h, pa.Scalar)
    ]
    return joined_validity([b for b in buffers if b is not None], rows)


def all_valid(*held: Held) -> bool:
    """Whether no operand is NULL for all rows."""
    return all(not isinstance(h, pa.Scalar) or h.is_valid for h in held)


def listed(datum: Datum, rows: int) -> list[Decimal | None]:
    """The values as Python decimals."""
    return [datum.as_py()] * rows if isinstance(datum, pa.Scalar) else datum.to_pylist()


def from_decimals(values: list[Decimal | None], type: pa.DataType) -> pa.Array:
    """An array of Python decimals; DataError where one has too many digits."""
    limit = Decimal(10) ** (type.precision - type.scale)
    if any(v is not None and v.copy_abs() >= limit for v in values):
        raise too_wide(type)
    return pa.array(values, type)


def narrow(datum: Datum, type: pa.DataType) -> Datum:
    """A decimal256 result of the same scale as decimal128; DataError where it does not fit."""
    try:
        return datum.cast(type)
    except pa.ArrowInvalid:
        raise too_wide(type) from None
