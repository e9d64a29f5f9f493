"""Times of engines side by side: each query meets all of them in the same minute, over the same files; answers are compared.

Handed engines by name; hands on a table for people. What always holds: a time counts from the text to the last row in Arrow,
the best of the rounds after one that warms up and is compared; an engine that fails a query or answers it otherwise has no
time.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tests.compare import Row, rows_of
from tests.ties import Answer, assert_answers

OURS = "flightmesh"
DUCKDB = "duckdb"
Run = Callable[[str], pa.Table]


@dataclass(frozen=True, slots=True)
class Timed:
    """What an engine did with a query: seconds, or why there are none."""

    seconds: float
    fault: str = ""


def timed(name: str, run: Run, sql: str, answer: Answer, rounds: int) -> Timed:
    """Runs a query once to compare its answer, then for its time."""
    try:
        _compare(name, run(sql), answer)
    except Exception as failure:  # whatever another engine raises is what it has to say
        return Timed(math.nan, f"{type(failure).__name__}: {' '.join(str(failure).split())[:150]}")
    found = []
    for _ in range(rounds):
        start = time.perf_counter()
        run(sql)
        found.append(time.perf_counter() - start)
    return Timed(min(found))


def _compare(name: str, table: pa.Table, answer: Answer) -> None:
    """Strictly; but engines with other types for averages and sums by value, to four decimals or six digits. DuckDB's answers
    are what is compared with."""
    if name == OURS:
        return assert_answers(table, answer)
    if name == DUCKDB:
        return
    mine = rows_of(table)
    assert len(mine) == answer.plain.num_rows, f"{len(mine)} rows, expected {answer.plain.num_rows}"
    start = 0
    for tie in answer.ties:
        left = list(tie)
        for row in mine[start : start + len(tie)]:
            match = next((number for number, other in enumerate(left) if _is_like(row, other)), None)
            assert match is not None, f"{row} is not among {len(tie)} rows such as {tie[0]}"
            left.pop(match)
        start += len(tie)


def _is_like(left: Row, right: Row) -> bool:
    return len(left) == len(right) and all(_is_value_like(a, b) for a, b in zip(left, right, strict=True))


def _is_value_like(left: Any, right: Any) -> bool:
    if isinstance(left, int | float | Decimal) and isinstance(right, int | float | Decimal):
        return math.isclose(left, right, rel_tol=1e-6, abs_tol=1e-4)
    return bool(left == right)


def as_text(found: Mapping[int, Mapping[str, Timed]]) -> str:
    """A line a query, in Markdown; then totals over the queries that all engines are right in, and what each was not."""
    names = list(next(iter(found.values())))
    others = [name for name in names if name != OURS]
    heads = [*(f"{name}: s" for name in names), *(f"{OURS} / {name}" for name in others)]
    lines = [f"| query | {' | '.join(heads)} |", "|---" * (len(heads) + 1) + "|"]
    for number, by_name in found.items():
        seconds = [by_name[name].seconds for name in names]
        lines.append(_line(f"Q{number}", seconds, [by_name[OURS].seconds / by_name[name].seconds for name in others]))
    whole = [by_name for by_name in found.values() if not any(one.fault for one in by_name.values())]
    totals = {name: sum(by_name[name].seconds for by_name in whole) for name in names}
    if whole:
        lines.append(_line(f"all ({len(whole)})", totals.values(), [totals[OURS] / totals[name] for name in others]))
    for name in names:
        faults = {number: by_name[name].fault for number, by_name in found.items() if by_name[name].fault}
        lines += [f"\n{name} has {len(faults)} without a right answer", *(f"  Q{n}: {fault}" for n, fault in faults.items())]
    return "\n".join(lines)


def _line(title: str, seconds: Iterable[float], ratios: Iterable[float]) -> str:
    cells = [*(_cell(value, 3) for value in seconds), *(_cell(value, 2) for value in ratios)]
    return f"| {title} | {' | '.join(cells)} |"


def _cell(value: float, digits: int) -> str:
    return "-" if math.isnan(value) else f"{value:.{digits}f}"
