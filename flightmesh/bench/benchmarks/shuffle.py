"""The exchange alone: rows that lie in memory, in two tasks or at two workers, are dealt by a hash, moved and counted.

Only this engine's own sides can be asked for that (own_exchange.py); the answers are counts, which DuckDB knows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from flightmesh.bench.benchmarks.benchmark import Benchmark, Query

NUMBERS = tuple(f"n{number}" for number in range(1, 16))
TEXTS = ("word", "name", "path", "line")


def _make(folder: Path, scale: str) -> None:
    from flightmesh.bench.benchmarks.shuffle_data import make

    make(folder, float(scale))


def _moved(what: str, columns: Sequence[str], buckets: int, key: str = "key") -> Query:
    counts = ", ".join(f"count({name}) as {name}" for name in dict.fromkeys((key, *columns)))
    return Query(f"select {counts} from dealt -- by {key} into {buckets} buckets", f"{what}, {buckets} buckets")


_QUERIES = (
    _moved("one number", (), 8),
    _moved("4 numbers", NUMBERS[:3], 8),
    _moved("16 numbers", NUMBERS, 8),
    _moved("16 numbers", NUMBERS, 64),
    _moved("16 numbers", NUMBERS, 512),
    _moved("a number and a short text", TEXTS[:1], 8),
    _moved("a number and 4 texts", TEXTS, 8),
    _moved("a number and 4 texts", TEXTS, 64),
    _moved("4 texts, dealt by one", TEXTS, 8, "name"),
    _moved("8 numbers and 2 texts", (*NUMBERS[:7], *TEXTS[:2]), 64),
)
SHUFFLE = Benchmark(
    "shuffle",
    "the exchange alone, rows and bytes a second, of this engine only",
    "2 million rows of 16 numbers and 4 texts",
    _make,
    dict(enumerate(_QUERIES, 1)),
    peers=False,
    rounds=5,
    own="flightmesh.bench.own_exchange",
    is_throughput=True,
)
