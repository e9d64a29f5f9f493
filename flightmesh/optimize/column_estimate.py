"""What is expected of one column: distinct values, range, NULLs, bytes. The numbers behind every cost.

Handed statistics of tables; hands on `ColumnEstimate`s. Values of any ordered type are put on one axis of floats, so that
ranges of dates, decimals and text are measured alike.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pyarrow as pa

from flightmesh.catalog.table import ColumnStatistics, Table, TableStatistics
from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Field
from flightmesh.expression.plain import plain, units_a_day

TEXT_BYTES = 20.0
UNKNOWN_DISTINCT = 0.1
"""Distinct values a row, where statistics do not tell."""


@dataclass(frozen=True, slots=True)
class ColumnEstimate:
    """`minimum` and `maximum` are on the axis of `position`; `origin` names the table or grouping the values come from and
    `origin_rows` its rows before any filter: no combination of its columns has more distinct values.

    `equal_to` are the same of columns that this one was joined with: its values are theirs too.
    `domain` is how many values the distinct ones were drawn from by conditions on other columns; `within` is the column of a
    table (its name and the column's) whose values they were cut down to."""

    distinct: float
    minimum: float | None = None
    maximum: float | None = None
    null_fraction: float = 0.0
    width: float = 8.0
    origin: int | None = None
    origin_rows: float = 0.0
    domain: float = 0.0
    within: tuple[str, str] | None = None
    equal_to: frozenset[tuple[int, float]] = frozenset()

    @property
    def origins(self) -> frozenset[tuple[int, float]]:
        """Tables and groupings whose values these are, with their rows."""
        return self.equal_to if self.origin is None else self.equal_to | {(self.origin, self.origin_rows)}

    def sampled(self, before: float, after: float) -> ColumnEstimate:
        """After `after` of `before` rows are kept for reasons that have nothing to do with this column."""
        if after >= before or before <= 0 or self.distinct <= 0:
            return self if self.distinct <= after or after >= before else replace(self, distinct=max(after, 0.0))
        share = after / before
        each = before / self.distinct
        left = self.distinct * (1.0 - (1.0 - share) ** each) if each < 1000 else self.distinct
        return replace(self, distinct=max(min(left, after), min(1.0, after)))


def position(value: pa.Scalar) -> float | None:
    """A value on the axis of its type, None where there is no useful one. Dates and timestamps are days since 1970, also those
    that Python has none for."""
    kind = value.type
    if not value.is_valid:
        return None
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return float(plain(value)) / (units_a_day(kind.unit) if isinstance(kind, pa.TimestampType) else 1)
    match value.as_py():
        case bool() | int() | float() | Decimal() as number:
            return float(number)
        case str() as text:
            return _text_position(text)
        case _:
            return None


def _text_position(value: str) -> float:
    """The first bytes as a number: keeps order, roughly measures ranges."""
    return float(int.from_bytes(value.encode()[:6].ljust(6, b"\0"), "big"))


def width_of(kind: pa.DataType) -> float:
    """Bytes that a value takes in memory."""
    if pa.types.is_boolean(kind):
        return 1.0
    try:
        return float(kind.bit_width) / 8
    except ValueError:
        return TEXT_BYTES


def table_rows(statistics: TableStatistics, table: Table) -> float:
    """Rows of a table; from its bytes where only reading would tell."""
    if statistics.rows is not None:
        return float(statistics.rows)
    width = sum(width_of(kind) for kind in table.schema.types) or 8.0
    return max(1.0, statistics.bytes / width)


def column_estimate(
    field: Field, statistics: ColumnStatistics | None, rows: float, origin: int, table: str = ""
) -> ColumnEstimate:
    """From what the table knows of a column."""
    width = width_of(field.type)
    if statistics is None:
        distinct = max(1.0, rows * UNKNOWN_DISTINCT)
        return ColumnEstimate(distinct, width=width, origin=origin, origin_rows=rows, domain=distinct)
    low = None if statistics.minimum is None else position(statistics.minimum)
    high = None if statistics.maximum is None else position(statistics.maximum)
    nulls = 0.0 if statistics.null_count is None or not rows else min(1.0, statistics.null_count / rows)
    known = statistics.distinct
    distinct = _guessed_distinct(field.type, low, high, rows) if known is None else float(known)
    distinct = max(1.0, min(distinct, rows))
    return ColumnEstimate(distinct, low, high, nulls, width, origin, rows, distinct, (table, field.name))


def _guessed_distinct(kind: pa.DataType, low: float | None, high: float | None, rows: float) -> float:
    if low is not None and high is not None and (pa.types.is_integer(kind) or pa.types.is_date(kind)):
        return min(rows, high - low + 1)
    return rows * UNKNOWN_DISTINCT
