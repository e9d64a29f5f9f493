"""Constants as Python values that any value of their type has.

Handed scalars; hands on numbers, texts and the like. What always holds: dates, times and timestamps are whole numbers of their
unit, since Python has no year after 9999 and none before 1.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa

_A_DAY = {"s": 86_400, "ms": 86_400_000, "us": 86_400_000_000, "ns": 86_400_000_000_000}


def plain(scalar: pa.Scalar) -> Any:
    """The value of a scalar; None for NULL. Of one type they order as the engine orders them, apart from NaN."""
    kind = scalar.type
    if scalar.is_valid and pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return getattr(scalar, "value")  # noqa: B009 - the stubs do not know the raw integer of a temporal scalar
    if scalar.is_valid and isinstance(scalar, pa.ListScalar):
        return [plain(element) for element in scalar.values]
    return scalar.as_py()


def units_a_day(unit: str) -> int:
    """How many of a timestamp's units a day has."""
    return _A_DAY[unit]
