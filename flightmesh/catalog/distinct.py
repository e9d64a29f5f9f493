"""Estimates how many different values a column has from what a sample of its rows has.

Handed counts from a few groups of rows; hands on an estimate. What always holds: the estimate is at least what was seen, and at
most the number of rows and the number of values that the range allows.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pyarrow as pa

from flightmesh.catalog.pruning import Range, comparable
from flightmesh.dataclass import dataclass

_UNIQUE = 0.98
_UNIQUE_WITHOUT_RANGE = 0.9
"""Without a range to bound it (texts), a column that repeats so little is mostly unique with a few common values."""
_CLUSTERED = 0.8


@dataclass(frozen=True, slots=True)
class Sample:
    """`distinct` different values among `rows` values that are not NULL."""

    rows: int
    distinct: int


def estimate_distinct(samples: Sequence[Sample], rows: int, ranges: Sequence[Range]) -> int | None:
    """Different values among `rows` (not NULL) values in groups of rows with `ranges`, of which some were sampled.

    Where the groups' ranges do not overlap each group has its own values; else values are taken as drawn evenly, and the
    expected number of different ones in a draw (N(1 - e^(-n/N))) is solved for N.
    """
    size = _range_size(ranges)
    limit = min(rows, size)
    usable = [sample for sample in samples if sample.rows > 0]
    if not usable:
        return int(limit) if limit < rows else None
    seen_rows = sum(sample.rows for sample in usable)
    seen = max(sample.distinct for sample in usable)
    if seen_rows >= rows and len(usable) == 1:
        return min(seen, rows)
    average = sum(sample.distinct for sample in usable) / seen_rows
    if average >= (_UNIQUE_WITHOUT_RANGE if math.isinf(size) else _UNIQUE):
        return int(limit)
    if are_clustered(ranges):
        return int(max(seen, min(limit, average * rows)))
    largest = max(usable, key=lambda sample: sample.rows)
    return int(max(seen, min(limit, _occupancy(largest))))


def _occupancy(sample: Sample) -> float:
    """The N of which a draw of `rows` is expected to meet `distinct`, by bisection."""
    low, high = float(sample.distinct), float(sample.distinct) * 1000 + 1000
    for _ in range(60):
        middle = (low + high) / 2
        if middle * -math.expm1(-sample.rows / middle) < sample.distinct:
            low = middle
        else:
            high = middle
    return high


def _range_size(ranges: Sequence[Range]) -> float:
    """How many values lie between the least and the greatest, for integers, dates and booleans; infinity for others."""
    bounded = [found for found in ranges if found.may_have_values]
    if not bounded or any(found.minimum is None or found.maximum is None for found in bounded):
        return math.inf
    first = bounded[0].minimum
    if first is None or not _is_discrete(first.type):
        return math.inf
    low = min(comparable(found.minimum) for found in bounded if found.minimum is not None)
    high = max(comparable(found.maximum) for found in bounded if found.maximum is not None)
    if pa.types.is_decimal(first.type):
        return float((high - low) * 10**first.type.scale + 1)
    return int(high) - int(low) + 1


def _is_discrete(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_integer(kind) or types.is_date32(kind) or types.is_boolean(kind) or types.is_decimal(kind))


def are_clustered(ranges: Sequence[Range]) -> bool:
    """Whether the groups, in order of their least value, hardly overlap."""
    bounds = [
        (comparable(found.minimum), comparable(found.maximum))
        for found in ranges
        if found.minimum is not None and found.maximum is not None
    ]
    if len(bounds) < 2:
        return False
    bounds.sort()
    apart = sum(1 for left, right in itertools.pairwise(bounds) if left[1] <= right[0])
    constant = sum(1 for low, high in bounds if low == high)
    return apart >= _CLUSTERED * (len(bounds) - 1) and constant < len(bounds)
