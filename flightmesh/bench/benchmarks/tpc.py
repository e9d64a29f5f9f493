"""TPC-H and TPC-DS: data as `tpcgen-cli` writes it, texts as DuckDB's extensions have them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from flightmesh.bench.benchmarks.benchmark import Benchmark, no_space
from flightmesh.errors import InvalidConfig


def generate(folder: Path, scale: str, *options: str, benchmark: str) -> None:
    """Fills `folder` by tpcgen-cli. Raises InvalidConfig when that program is not there, or fails."""
    command = [str(_generator()), benchmark, "parquet", "-s", scale, *options, "-o", str(folder)]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        raise _explained(benchmark, scale, folder, done.stderr or done.stdout)


def _generator() -> Path:
    """The console script of the package tpcgen-cli, beside this Python or on the path."""
    beside = Path(sys.executable).with_name("tpcgen-cli")
    found = beside if beside.exists() else shutil.which("tpcgen-cli")
    if found is None:
        raise InvalidConfig(
            "tpcgen-cli is not installed", hint="pip install 'flightmesh[bench]', or name your own data: --data DIR"
        )
    return Path(found)


def _explained(benchmark: str, scale: str, folder: Path, output: str) -> InvalidConfig:
    if "No space left" in output or "os error 28" in output:
        return no_space(folder)
    return InvalidConfig(f"tpcgen-cli could not make {benchmark} at scale {scale}: {' '.join(output.split())[-400:]}")


_GIGABYTE = "about a gigabyte as text"
TPCH = Benchmark("tpch", "the 22 queries of TPC-H", _GIGABYTE, partial(generate, benchmark="tpch"))
TPCDS = Benchmark("tpcds", "the 99 queries of TPC-DS", _GIGABYTE, partial(generate, benchmark="tpcds"))
