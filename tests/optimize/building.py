"""Small tables with NULLs and duplicates, and short ways to build relations over them by hand."""

from __future__ import annotations

import pyarrow as pa

from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.table import ColumnStatistics, MemoryTable, Table, TableStatistics
from flightmesh.config import Config
from flightmesh.expression.nodes import Column, Expression, Field, Literal
from flightmesh.expression.registry import bind_call
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import Relation, Scan
from flightmesh.optimize.context import Context

TABLES: dict[str, pa.Table] = {
    "t": pa.table(
        {
            "k": pa.array([1, 1, 2, 3, None, 5, 5, 7], pa.int64()),
            "x": pa.array([10, 11, None, 30, 40, 50, 50, 70], pa.int64()),
            "s": pa.array(["a", "b", "c", None, "e", "f", "f", "a"]),
        }
    ),
    "u": pa.table(
        {
            "k": pa.array([1, 1, 2, None, 5, 6, 6, 5], pa.int64()),
            "y": pa.array([1, None, 20, 3, 5, 60, 61, 5], pa.int64()),
            "z": pa.array(["a", "a", "b", "b", None, "f", "g", "h"]),
        }
    ),
    "v": pa.table(
        {
            "y": pa.array([1, 20, 20, None, 5, 99], pa.int64()),
            "w": pa.array([1.5, 2.5, None, 4.5, 0.5, -1.0], pa.float64()),
        }
    ),
    "e": pa.table({"k": pa.array([], pa.int64()), "y": pa.array([], pa.int64())}),
}

STORED = MemoryTables()
"""The data, for plans that are run by this engine."""

REGISTERED: dict[str, MemoryTable] = {name: STORED.put(name, data) for name, data in TABLES.items()}


def statistics(table: Table) -> TableStatistics:
    """Exact statistics of the small tables."""
    data = TABLES[table.name]
    columns = {}
    for name, column in zip(data.column_names, data.columns, strict=True):
        values = [v for v in column.to_pylist() if v is not None]
        low, high = (pa.scalar(min(values), column.type), pa.scalar(max(values), column.type)) if values else (None, None)
        columns[name] = ColumnStatistics(low, high, column.null_count, len(set(values)))
    return TableStatistics(data.num_rows, data.nbytes, columns)


def context(first: int = 1000) -> Context:
    """A planning over the small tables; new columns are numbered from `first`."""
    return Context(ColumnIds(first), statistics, Config())


def scan(name: str, ids: ColumnIds) -> Scan:
    """All columns of a table."""
    data = TABLES[name]
    fields = tuple(Field(ids.fresh(), f.name, f.type) for f in data.schema)
    return Scan(REGISTERED[name], fields)


def col(relation: Relation, name: str) -> Column:
    """The column of this name."""
    return next(f for f in relation.fields if f.name == name).column()


def lit(value: object, kind: pa.DataType | None = None) -> Literal:
    """A constant; integers are bigint as the tables' columns are."""
    return Literal(pa.scalar(value, kind or (pa.int64() if type(value) is int else None)))


def call(name: str, *args: Expression) -> Expression:
    """A bound call."""
    return bind_call(name, args)
