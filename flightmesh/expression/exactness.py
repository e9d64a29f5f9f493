"""Which constants are the same value, not only equal ones: 0.0 and -0.0 are equal, and functions tell them apart."""

from __future__ import annotations

from collections.abc import Iterator
from math import copysign

import numpy as np
import pyarrow as pa


def float_signs(values: pa.Scalar | pa.Array) -> bytes:
    """What the equality of Arrow leaves out: the sign of every float that is among the values or within them."""
    kind = values.type
    if isinstance(values, pa.DoubleScalar):  # the common case, and quicker
        return b"\1" if values.is_valid and copysign(1, values.as_py()) < 0 else b"\0"
    if not (pa.types.is_floating(kind) or pa.types.is_nested(kind) or pa.types.is_dictionary(kind)):
        return b""
    array = pa.repeat(values, 1) if isinstance(values, pa.Scalar) else values
    return b"".join(np.signbit(floats.to_numpy(zero_copy_only=False)).tobytes() for floats in _floats(array))


def _floats(array: pa.Array) -> Iterator[pa.Array]:
    kind = array.type
    if pa.types.is_floating(kind):
        yield array
    elif pa.types.is_dictionary(kind):
        yield from _floats(array.dictionary_decode())
    elif pa.types.is_struct(kind):
        for part in array.flatten():
            yield from _floats(part)
    elif pa.types.is_map(kind):
        yield from _floats(array.keys)
        yield from _floats(array.items)
    elif pa.types.is_nested(kind):
        yield from _floats(array.flatten())
