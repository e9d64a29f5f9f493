"""Reads partition columns from paths such as `year=2013/origin=New%20York/part-0.parquet`.

Handed the paths of a table's files; hands on the partition columns with their types and each file's values.
What always holds: every file of a partitioned table has the same keys, and a column is int64, date32 or string, the first that
fits all.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Sequence
from urllib.parse import unquote

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidInput

NULL_VALUE = "__HIVE_DEFAULT_PARTITION__"
_INTEGER = re.compile(r"-?(0|[1-9]\d{0,17})")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True, slots=True)
class Partitions:
    """Partition columns, and one tuple of values a file in their order."""

    fields: tuple[pa.Field, ...]
    values: tuple[tuple[pa.Scalar, ...], ...]


def read_partitions(paths: Sequence[str], names: Sequence[str]) -> Partitions:
    """The partitions of files, by every key=value folder in their `paths`; `names` are the files' names in errors.

    Raises InvalidInput when files have different keys.
    """
    raw = [_pairs(path) for path in paths]
    keys = [tuple(key for key, _ in pairs) for pairs in raw]
    for own, name in zip(keys, names, strict=True):
        if own != keys[0]:
            raise InvalidInput(
                f"{names[0]} has the partition keys ({', '.join(keys[0])}) but {name} has ({', '.join(own)})",
                hint="every file of a partitioned folder needs the same key=value folders",
            )
    if not keys or not keys[0]:
        return Partitions((), tuple(() for _ in paths))
    columns = [_typed([pairs[number][1] for pairs in raw]) for number in range(len(keys[0]))]
    fields = tuple(pa.field(key, column.type, column.null_count > 0) for key, column in zip(keys[0], columns, strict=True))
    return Partitions(fields, tuple(zip(*columns, strict=True)))


def _pairs(path: str) -> list[tuple[str, str | None]]:
    pairs: list[tuple[str, str | None]] = []
    for part in path.split("/")[:-1]:
        key, equals, value = part.partition("=")
        if equals and key:
            pairs.append((unquote(key), None if value == NULL_VALUE else unquote(value)))
    return pairs


def _typed(values: list[str | None]) -> pa.Array:
    known = [value for value in values if value is not None]
    if known and all(_INTEGER.fullmatch(value) for value in known):
        return pa.array([None if value is None else int(value) for value in values], pa.int64())
    if known and all(_DATE.fullmatch(value) for value in known):
        try:
            return pa.array([None if v is None else datetime.date.fromisoformat(v) for v in values], pa.date32())
        except ValueError:
            return pa.array(values, pa.string())
    return pa.array(values, pa.string())
