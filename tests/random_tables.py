"""Random small columns of every kind, with NULLs, duplicates, NaN, both zeros, extremes."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa

KINDS = (
    "int",
    "wide",
    "extreme",
    "text",
    "bool",
    "float",
    "decimal",
    "big_decimal",
    "date",
    "time",
    "small",
    "interval",
    "binary",
    "clock",
)
"""Kinds of columns that `random_column` makes."""


def random_column(rng: np.random.Generator, kind: str, rows: int, distinct: int, nulls: float) -> pa.Array:
    """`rows` values of at most `distinct` different ones; each is NULL with probability `nulls`."""
    values = rng.integers(0, max(distinct, 1), rows).tolist()
    missing = (rng.random(rows) < nulls).tolist()
    make, type_ = _MAKERS[kind]
    return pa.array([None if gone else make(v, distinct) for v, gone in zip(values, missing, strict=True)], type_)


def random_nulls(rng: np.random.Generator) -> float:
    return float(rng.choice([0.0, 0.0, 0.2, 1.0]))


def _float(value: int, _: int) -> float:
    return [0.0, -0.0, float("nan"), float("-inf")][value % 4] if value < 8 else value / 4


_MAKERS: dict[str, tuple[Any, pa.DataType]] = {
    "int": (lambda v, d: v - d // 2, pa.int64()),
    "small": (lambda v, d: v % 100, pa.int8()),
    "wide": (lambda v, d: v * (2**60 // max(d, 1)), pa.int64()),
    "extreme": (lambda v, d: (-(2**63), 2**63 - 1, 0, -1)[v % 4], pa.int64()),
    "text": (lambda v, d: "x" * (v % 20) + str(v) + "é" * (v % 3), pa.string()),
    "bool": (lambda v, d: v % 2 == 1, pa.bool_()),
    "float": (_float, pa.float64()),
    "decimal": (lambda v, d: Decimal(v) / 4 - 3, pa.decimal128(15, 2)),
    "big_decimal": (lambda v, d: (Decimal(v) - 20) * 10**30, pa.decimal128(38, 2)),
    "date": (lambda v, d: datetime.date.fromordinal(720_000 + v), pa.date32()),
    "time": (lambda v, d: v * 1_000_003, pa.timestamp("us")),
    "interval": (lambda v, d: (v % 3, v % 61, v * 1000), pa.month_day_nano_interval()),
    "binary": (lambda v, d: bytes((v % 7, 0) * (v % 5)), pa.binary()),
    "clock": (lambda v, d: v * 1_000_003, pa.time64("us")),
}
