"""The engines that are measured side by side: each over the same files, with the same number of threads, from SQL to Arrow."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from tests.tpch.data import TABLES, queries, table_files

ENGINES = ("flightmesh", "duckdb", "datafusion", "polars")


class Engine(Protocol):
    """An engine with the tables of TPC-H open."""

    def run(self, number: int) -> int:
        """Runs a query to its last row, as Arrow; gives the number of rows."""


@contextmanager
def opened(name: str, folder: Path, threads: int) -> Iterator[Engine]:
    """An engine by name. Raises ImportError when its package is not installed (the extra `bench`)."""
    match name:
        case "flightmesh":
            yield from _flightmesh(folder, threads)
        case "duckdb":
            yield from _duckdb(folder, threads)
        case "datafusion":
            yield _DataFusion(folder, threads)
        case _:
            yield _Polars(folder, threads)


def _flightmesh(folder: Path, threads: int) -> Iterator[Engine]:
    import flightmesh

    class Flightmesh:
        def run(self, number: int) -> int:
            return session.sql(queries()[number]).to_arrow().num_rows

    with flightmesh.connect(threads=threads) as session:
        for table in TABLES:
            session.register(table, table_files(folder, table))
        yield Flightmesh()


def _duckdb(folder: Path, threads: int) -> Iterator[Engine]:
    import duckdb

    class DuckDB:
        def run(self, number: int) -> int:
            return connection.execute(queries()[number]).to_arrow_table().num_rows

    with duckdb.connect(config={"threads": threads}) as connection:
        for table in TABLES:
            connection.execute(f"create view {table} as from read_parquet('{table_files(folder, table)}')")
        yield DuckDB()


class _DataFusion:
    """Partitions as threads; its pool has a thread a core."""

    def __init__(self, folder: Path, threads: int) -> None:
        import datafusion

        self._context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(threads))
        for table in TABLES:
            self._context.register_parquet(table, str(folder / table))

    def run(self, number: int) -> int:
        """To batches."""
        return sum(batch.num_rows for batch in self._context.sql(queries()[number]).collect())


class _Polars:
    """Its SQL on its streaming engine. Reads the number of its threads from POLARS_MAX_THREADS when it is first imported."""

    def __init__(self, folder: Path, threads: int) -> None:
        import polars

        if polars.thread_pool_size() != threads:
            raise RuntimeError(f"Polars has {polars.thread_pool_size()} threads, not {threads}: it was imported too early")
        scans = {table: polars.scan_parquet(table_files(folder, table)) for table in TABLES}
        self._context = polars.SQLContext(scans)

    def run(self, number: int) -> int:
        """To Arrow."""
        return int(self._context.execute(queries()[number]).collect(engine="streaming").to_arrow().num_rows)
