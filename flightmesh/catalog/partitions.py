"""What a file's partition values say of a predicate.

Handed a table, a file's number and filters; hands on whether the file can hold a matching row, without opening it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from flightmesh.catalog.pruning import Range, may_match
from flightmesh.catalog.table import FileTable
from flightmesh.expression.nodes import Expression
from flightmesh.ids import ColumnId


def partition_values(table: FileTable, number: int) -> dict[str, pa.Scalar]:
    """The value of each partition column in a file."""
    return dict(zip(table.partition_columns, table.files[number].partition, strict=True))


def partition_may_match(table: FileTable, number: int, filters: Sequence[Expression], names: Mapping[ColumnId, str]) -> bool:
    """Whether all `filters` can be true in a file, by its partition values; `names` are the columns of the filters' ids."""
    if not table.partition_columns or not filters:
        return True
    values = partition_values(table, number)

    def lookup(id: ColumnId) -> Range | None:
        value = values.get(names.get(id, ""))
        return None if value is None else Range.constant(value)

    return all(may_match(predicate, lookup) for predicate in filters)
