"""The tables of h2o.py.

Handed a scale; hands on Parquet files. N rows are 10 million times the scale.

- `grouped`, N rows: id1, id2 (texts of 100 values; of fewer below a million rows), id3 (a text of N / 100), id4, id5, id6 (the
  same of numbers), v1 (1 to 5), v2 (1 to 15), v3 (0 to 100, six decimals).
- `joined`, N rows: id1 of N / 1,000,000 numbers, id2 of N / 1,000, id3 of N (each once); id4, id5, id6: these as texts; v1.
- `small` (id1, id4, v2), `medium` (id1, id2, id4, id5, v2) and `big` (all six, v2): a row for each number of id1, id2 or id3.
  Nine in ten of these are in `joined`, and nine in ten of joined's are in them.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pyarrow as pa

from flightmesh.bench.benchmarks.draws import Floats, Integers, integers, shuffled, units
from flightmesh.bench.benchmarks.files import Columns, numbered, texts_of, write_rows

ROWS = 10_000_000
VALUES = 100
GROUP_ROWS = 100
"""Of id3 and id6, and at least of any two keys of `VALUES` values: less would leave a correlation nothing to vary."""
_FEWEST = 10


def make(folder: Path, scale: float) -> None:
    """Writes the five tables."""
    count = max(GROUP_ROWS * _FEWEST, round(ROWS * scale))
    sizes = [max(_FEWEST, count // fewer) for fewer in (1_000_000, 1_000, 1)]
    _grouped(folder / "grouped.parquet", count)
    write_rows(folder / "joined.parquet", count, lambda rows: _left(rows, sizes))
    for place, name in enumerate(("small", "medium", "big")):
        _right(folder / f"{name}.parquet", sizes[: place + 1], 20 + 10 * place)


def _grouped(path: Path, count: int) -> None:
    few, many = min(VALUES, math.isqrt(count // GROUP_ROWS)), count // GROUP_ROWS
    few_names = numbered("id", np.arange(1, few + 1), 3)
    many_names = numbered("id", np.arange(1, many + 1), 10)

    def columns(rows: range) -> Columns:
        return {
            "id1": texts_of(integers(rows, 1, few), few_names),
            "id2": texts_of(integers(rows, 2, few), few_names),
            "id3": texts_of(integers(rows, 3, many), many_names),
            "id4": _numbers(integers(rows, 4, few) + 1),
            "id5": _numbers(integers(rows, 5, few) + 1),
            "id6": _numbers(integers(rows, 6, many) + 1),
            "v1": _numbers(integers(rows, 7, 5) + 1),
            "v2": _numbers(integers(rows, 8, 15) + 1),
            "v3": _value(units(rows, 9)),
        }

    write_rows(path, count, columns)


def _left(rows: range, sizes: list[int]) -> Columns:
    """Numbers from 1; those of id3 come once each."""
    keys = [integers(rows, 11, sizes[0]) + 1, integers(rows, 12, sizes[1]) + 1, shuffled(rows, 13, sizes[2]) + 1]
    return {**_keys(keys), "v1": _value(units(rows, 14))}


def _right(path: Path, sizes: list[int], stream: int) -> None:
    """Numbers that begin after the first tenth of joined's. The last of the keys comes once each, the others as they fall."""
    first = [size // 10 + 1 for size in sizes]

    def columns(rows: range) -> Columns:
        keys = [integers(rows, stream + place, size) + first[place] for place, size in enumerate(sizes[:-1])]
        keys.append(shuffled(rows, stream + 5, sizes[-1]) + first[-1])
        return {**_keys(keys), "v2": _value(units(rows, stream + 6))}

    write_rows(path, sizes[-1], columns)


def _keys(keys: list[Integers]) -> Columns:
    """id1 to id3, as far as there are keys, then the same as texts, id4 to id6."""
    named = {f"id{place + 1}": _numbers(key) for place, key in enumerate(keys)}
    return named | {f"id{place + 4}": numbered("id", key) for place, key in enumerate(keys)}


def _numbers(values: Integers) -> pa.Array:
    return pa.array(values.astype(np.int32))


def _value(values: Floats) -> pa.Array:
    return pa.array(np.round(values * 100, 6))
