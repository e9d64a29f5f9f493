"""TPC-H in this engine and in others, in one run: from SQL to the last row of Arrow, page cache warm, best of some rounds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.conftest import ROUNDS, THREADS
from tests.benchmarks.engines import ENGINES, Engine, opened
from tests.benchmarks.table import MISSING, TIMES
from tests.tpch.data import NUMBERS


@pytest.fixture(scope="module")
def engines(folder: Path) -> Iterator[dict[str, Engine]]:
    """All engines that are installed, open at the same time, so that each query meets all of them in the same minute."""
    with ExitStack() as stack:
        found = {}
        for name in ENGINES:
            try:
                found[name] = stack.enter_context(opened(name, folder, THREADS))
            except ImportError as error:
                MISSING[name] = str(error)
        yield found


@pytest.mark.parametrize("name", ENGINES)
@pytest.mark.parametrize("number", NUMBERS, ids=lambda number: f"q{number:02}")
def test_query(benchmark: Any, engines: dict[str, Engine], name: str, number: int) -> None:
    benchmark.group = f"q{number:02}"
    benchmark.extra_info.update(engine=name, query=number, threads=THREADS)
    if name not in engines:
        benchmark.extra_info["missing"] = MISSING[name]
        benchmark.pedantic(lambda: None, rounds=1)
        return
    benchmark.pedantic(engines[name].run, args=(number,), rounds=ROUNDS, warmup_rounds=1)
    TIMES[name, number] = benchmark.stats.stats.min
