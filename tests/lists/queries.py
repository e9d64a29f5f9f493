"""Tables of lists, and files of queries over them, one a line."""

from __future__ import annotations

import datetime
from pathlib import Path

import pyarrow as pa

NAN = float("nan")


def list_table() -> pa.Table:
    """Lists of numbers, texts and lists, with NULLs and empty ones on every level."""
    return pa.table(
        {
            "a": pa.array([1, 2, 3, 4, 5, 6, 7, 8], pa.int64()),
            "g": pa.array([1, 1, 2, 2, 3, None, 3, 1], pa.int64()),
            "k": pa.array([1, 2, 0, -1, 5, None, 2, -2], pa.int64()),
            "xs": pa.array([[1, 2], None, [], [3, None], [1], [2, 1, 2], [None], [1, 2]], pa.list_(pa.int64())),
            "ys": pa.array([[5], [1, 2], None, [], [None, 1], [2], [7, 8, 9], [1, 2]], pa.list_(pa.int32())),
            "ss": pa.array([["a", "b"], ["x"], None, [], ["a", None], ["b,c", "d"], [""], ["a", "b"]]),
            "n": pa.array(
                [[[1], None], None, [], [[2, 3]], [[]], [[1], [2]], [None], [[1], None]], pa.list_(pa.list_(pa.int64()))
            ),
            "d": pa.array([[1.5, NAN], [], None, [-0.0, 0.0], [2.5], [None], [1e300], [1.5]], pa.list_(pa.float64())),
            "s": pa.array(["a,b", "x", "", None, "a1b22c", "hello", "ä,ö", "1,2"]),
            "dt": pa.array([datetime.date(2020, 1, 1 + day) for day in range(8)]),
        }
    )


def queries(name: str) -> list[str]:
    """The queries of a file beside this one; lines that begin with -- are comments."""
    lines = (Path(__file__).parent / name).read_text().splitlines()
    return [line for line in lines if line and not line.startswith("--")]
