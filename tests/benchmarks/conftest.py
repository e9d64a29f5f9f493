"""Benchmarks run only when they are asked for: `pytest tests/benchmarks --benchmark-only`.

FLIGHTMESH_BENCH_SCALE (1), FLIGHTMESH_BENCH_THREADS (the cores) and FLIGHTMESH_BENCH_ROUNDS (3) say how.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flightmesh.config import available_cores
from tests.benchmarks.table import mesh_lines, planning_lines
from tests.tpch.data import tpch_folder

SCALE = os.environ.get("FLIGHTMESH_BENCH_SCALE", "1")
THREADS = int(os.environ.get("FLIGHTMESH_BENCH_THREADS", available_cores()))
ROUNDS = int(os.environ.get("FLIGHTMESH_BENCH_ROUNDS", "3"))


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leaves the benchmarks out of an ordinary run."""
    wanted = bool(config.getoption("--benchmark-only", default=False))
    return True if collection_path.name.startswith("test_") and not wanted else None


@pytest.fixture(scope="session")
def folder() -> Path:
    """The data that all engines read."""
    return tpch_folder(SCALE)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what meshes cost here, and the planning time."""
    mesh = f"TPC-H scale factor {SCALE} on {THREADS} one-thread workers here, best of {ROUNDS}, milliseconds"
    for title, lines in ((mesh, mesh_lines()), ("planning, milliseconds", planning_lines())):
        if lines:
            terminalreporter.section(title)
            for line in lines:
                terminalreporter.write_line(line)
