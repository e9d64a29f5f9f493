"""Makes one table of what several nodes serve under one name.

Handed each node's files and columns; hands on one table whose files say who holds them. What always holds: columns are joined
by the rules for several files of one table, so some nodes may lack columns, and types that do not fit are an error that names
column and nodes; replicas are the same files everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pyarrow as pa

from flightmesh.catalog.distinct import Sample, estimate_distinct
from flightmesh.catalog.normalise import Described, Mixture, unify_schemas
from flightmesh.catalog.pruning import Range
from flightmesh.catalog.statistics import bounds
from flightmesh.catalog.table import SERVED, ColumnStatistics, Copy, File, FileTable, Format, Holder
from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidInput
from flightmesh.exchange.budget import format_bytes
from flightmesh.protocol.client_messages import NodeStatus

_TEXT = (Format.CSV, Format.JSON)


@dataclass(frozen=True, slots=True)
class Seen:
    """What one node serves of a table."""

    node: NodeStatus
    table: FileTable


def joined(name: str, seen: Sequence[Seen], copy: Copy) -> FileTable:
    """The table. Raises InvalidInput where there are no files, and where the nodes do not agree."""
    filled = [each for each in seen if each.table.files]
    if not filled:
        nodes = ", ".join(each.node.name for each in seen)
        raise InvalidInput(f"no node has files of table {name} ({nodes})", hint="a folder that is served may fill later")
    first = filled[0].table
    _require_alike(name, filled)
    stored, keys = _columns(name, filled)
    holders = tuple(Holder(each.node.id, each.node.name, each.node.mesh) for each in filled)
    files = _replicated(name, seen) if copy is Copy.REPLICA else tuple(f for each in filled for f in _held(each, keys))
    return FileTable(
        name, first.format, SERVED, files, pa.schema([*stored, *keys]), first.partition_columns, first.options, (name,), holders
    )


def joined_column(parts: Sequence[tuple[int | None, ColumnStatistics]]) -> ColumnStatistics:
    """What is known of a column whose rows lie at several nodes: of each its rows and what it knows."""
    ranges = [_range(rows, column) for rows, column in parts]
    low, high = bounds(ranges)
    nulls = [column.null_count for _, column in parts if column.null_count is not None]
    null_count = sum(nulls) if len(nulls) == len(parts) else None
    samples, values = [], 0
    for rows, column in parts:
        if rows is None or column.distinct is None:
            return ColumnStatistics(low, high, null_count)
        valid = rows - (column.null_count or 0)
        samples.append(Sample(valid, min(column.distinct, valid)))
        values += valid
    return ColumnStatistics(low, high, null_count, estimate_distinct(samples, values, ranges))


def _range(rows: int | None, column: ColumnStatistics) -> Range:
    empty = rows is not None and column.null_count == rows
    return Range(column.minimum, column.maximum, may_have_values=not empty)


def _require_alike(name: str, seen: Sequence[Seen]) -> None:
    """Files of one table have one format, are written alike and are partitioned by the same keys."""
    first = seen[0]
    for other in seen[1:]:
        for what, mine, theirs in (
            ("format", first.table.format.value, other.table.format.value),
            ("partition columns", _listed(first.table.partition_columns), _listed(other.table.partition_columns)),
            ("way of writing", _options(first.table), _options(other.table)),
        ):
            if mine != theirs:
                raise InvalidInput(
                    f"table {name} has another {what} at {first.node.name} ({mine}) than at {other.node.name} ({theirs})",
                    hint="what nodes serve under one name is one table",
                )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _options(table: FileTable) -> str:
    return ", ".join(f"{key}={value!r}" for key, value in table.options)


def _columns(name: str, seen: Sequence[Seen]) -> tuple[pa.Schema, pa.Schema]:
    """The columns in the files, and those of their folders' names."""
    stored, keys = [], []
    for each in seen:
        split = len(each.table.schema) - len(each.table.partition_columns)
        stored.append(Described(each.node.name, pa.schema(list(each.table.schema)[:split])))
        keys.append(Described(each.node.name, pa.schema(list(each.table.schema)[split:])))
    mixture = Mixture.STRING if seen[0].table.format in _TEXT else Mixture.REFUSE
    try:
        return unify_schemas(stored, mixture), unify_schemas(keys, Mixture.STRING)
    except InvalidInput as error:
        hint = "what nodes serve under one name is one table: serve these under other names"
        raise InvalidInput(f"table {name} has columns that do not fit: {error.message}", hint=hint) from None


def _held(seen: Seen, keys: pa.Schema) -> list[File]:
    """A node's files, with the values of their folders' names as the whole table has them."""
    return [
        replace(
            file,
            holders=(str(seen.node.id),),
            partition=tuple(value.cast(key.type) for value, key in zip(file.partition, keys, strict=True)),
        )
        for file in seen.table.files
    ]


def _replicated(name: str, seen: Sequence[Seen]) -> tuple[File, ...]:
    """The files that all have."""
    first = seen[0].table
    sizes = [[(file.path, file.size) for file in each.table.files] for each in seen]
    if any(size != sizes[0] for size in sizes):
        said = "; ".join(f"{each.node.name}: {_amount(each.table)}" for each in seen)
        raise InvalidInput(
            f"the replicas of table {name} are not the same ({said})",
            hint="copy the files, under the same names, to all that serve it; or use --serve where nodes hold parts of it",
        )
    holders = tuple(str(each.node.id) for each in seen)
    same_times = all([f.mtime_ns for f in each.table.files] == [f.mtime_ns for f in first.files] for each in seen)
    return tuple(replace(file, holders=holders, mtime_ns=file.mtime_ns if same_times else 0) for file in first.files)


def _amount(table: FileTable) -> str:
    files = "1 file" if len(table.files) == 1 else f"{len(table.files)} files"
    return f"{files}, {format_bytes(sum(file.size for file in table.files))}"
