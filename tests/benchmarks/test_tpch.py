"""TPC-H in this engine and in others, in one run: from SQL to the last row of Arrow, page cache warm, best of some rounds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.conftest import ROUNDS, THREADS
from tests.benchmarks.engines import ENGINES, Engine, opened
from tests.benchmarks.table import MISSING, TIMES
from tests.tpch.data import NUMBERS


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest, folder: Path) -> Iterator[tuple[str, Engine | None]]:
    """One engine after the other; None where its package is not installed."""
    name = request.param
    try:
        context = opened(name, folder, THREADS)
        made = context.__enter__()
    except ImportError as error:
        MISSING[name] = str(error)
        yield name, None
        return
    yield name, made
    context.__exit__(None, None, None)


@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"q{number:02}")
def test_query(benchmark: Any, engine: tuple[str, Engine | None], number: int) -> None:
    name, made = engine
    benchmark.group = f"q{number:02}"
    benchmark.extra_info.update(engine=name, query=number, threads=THREADS)
    if made is None:
        benchmark.pedantic(lambda: None, rounds=1)
        return
    benchmark.pedantic(made.run, args=(number,), rounds=ROUNDS, warmup_rounds=1)
    TIMES[name, number] = benchmark.stats.stats.min
