"""Data and texts of TPC's benchmarks: files as `tpcgen-cli` writes them, queries as DuckDB's extensions have them.

Handed a benchmark (tpch, tpcds) and a scale; hands on a folder, or texts by number. What always holds: a folder is made once a
machine, whole, and kept among its temporary files; extensions come from packages of PyPI, never by DuckDB from the network.
"""

from __future__ import annotations

import os
import tempfile
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import duckdb

from flightmesh.bench.benchmarks.benchmark import made_once
from flightmesh.bench.benchmarks.tpc import generate


def generated(benchmark: str, scale: str, name: str, *options: str) -> Path:
    """The folder `name` of this user's test data, which tpcgen-cli fills when it is first asked for."""
    return made_once(kept_folder() / name, lambda folder: generate(folder, scale, *options, benchmark=benchmark))


def kept_folder() -> Path:
    """Where this user's test data stays, from one run of the tests to the next."""
    kept = Path(tempfile.gettempdir()) / f"flightmesh-tests-{os.getuid()}"
    kept.mkdir(exist_ok=True, mode=0o700)
    return kept


@cache
def extension_queries(benchmark: str) -> dict[int, str]:
    """The benchmark's queries by number, as DuckDB's extension of its name has them."""
    spec = find_spec(f"duckdb_extension_{benchmark}")
    assert spec is not None and spec.origin is not None, f"duckdb-extension-{benchmark} is not installed"
    extension = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{benchmark}.duckdb_extension"
    with duckdb.connect() as connection:
        connection.load_extension(str(extension))
        rows = connection.execute(f"select query_nr, query from {benchmark}_queries()").fetchall()
    return {number: text.strip().rstrip(";") for number, text in rows}
