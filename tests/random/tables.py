"""Random small tables with every type, NULLs, duplicates, NaN, and often no rows at all."""

from __future__ import annotations

import datetime
import random
from decimal import Decimal
from typing import Any

import pyarrow as pa

COLUMNS: dict[str, tuple[str, pa.DataType]] = {
    "k": ("int", pa.int32()),
    "j": ("int", pa.int64()),
    "s": ("int", pa.int16()),
    "y": ("int", pa.int8()),
    "w": ("int", pa.uint32()),
    "d": ("decimal", pa.decimal128(9, 2)),
    "f": ("float", pa.float64()),
    "g": ("float", pa.float32()),
    "t": ("text", pa.string()),
    "u": ("text", pa.string()),
    "b": ("bool", pa.bool_()),
    "day": ("date", pa.date32()),
    "moment": ("timestamp", pa.timestamp("us")),
    "z": ("zoned", pa.timestamp("us", tz="UTC")),
    "clock": ("time", pa.time64("us")),
    "raw": ("blob", pa.binary()),
}
"""Column -> the kind that expressions go by, and its type."""

NAMES = ("t0", "t1", "t2", "t3")
_SIZES = (0, 1, 5, 20, 30, 40, 60, 60, 90, 90)
_WORDS = ("", "a", "ab", "Abc", "b", "bcd", "x y", "é", "中", "%", "a_b", "zz")


def random_tables(rng: random.Random) -> dict[str, pa.Table]:
    """One table a name, all with the same columns."""
    return {name: _table(rng, rng.choice(_SIZES)) for name in NAMES}


def _table(rng: random.Random, rows: int) -> pa.Table:
    distinct = rng.choice((3, 8, 25))
    columns = {}
    for name, (_, type_) in COLUMNS.items():
        nulls = rng.choice((0.0, 0.0, 0.15, 0.5))
        values = [None if rng.random() < nulls else _value(rng, name, distinct) for _ in range(rows)]
        columns[name] = pa.array(values, type_)
    return pa.table(columns)


def _value(rng: random.Random, name: str, distinct: int) -> Any:
    number = rng.randrange(distinct)
    match name:
        case "k":
            return number
        case "j":
            return (number - distinct // 2) * 10**6
        case "s":
            return number - distinct // 2
        case "y":
            return number % 7 - 3
        case "w":
            return number * 3
        case "d":
            return Decimal(number * 37 - 200) / 100
        case "f":
            return (float("nan"), -0.0, 0.0)[number] if number < 3 and rng.random() < 0.2 else number / 4 - 1
        case "g":
            return number / 2 - 1
        case "t" | "u":
            return _WORDS[number % len(_WORDS)]
        case "b":
            return number % 2 == 0
        case "day":
            return datetime.date(2013, 1, 28) + datetime.timedelta(days=number * 9)
        case "clock":
            return datetime.time(number % 24, number * 7 % 60, 0, number * 10)
        case "raw":
            return _WORDS[number % len(_WORDS)].encode("utf-16")
        case _:
            return datetime.datetime(2013, 1, 31, 22, 30) + datetime.timedelta(minutes=number * 47)
