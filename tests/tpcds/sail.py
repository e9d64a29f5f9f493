"""Sail, beside which this engine is measured: a server of its package in an environment of its own, asked by Flight SQL.

Handed a folder of data; hands on a connection whose tables are its files. What always holds: the environment is made once a
machine, by pip, and kept among the tests' data; the server is of this process alone, and ends with it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import sqlglot

from tests.tpcds.data import table_files
from tests.tpcgen import kept_folder
from tests.waiting import wait_until

VERSION = "0.7.2"


class Sail:
    """A connection to the server."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor

    def run(self, sql: str) -> pa.Table:
        """The rows of a query in DuckDB's dialect, which is put into Spark's first. Raises what the server or sqlglot says."""
        self._cursor.execute(sqlglot.transpile(sql, read="duckdb", write="spark")[0])
        return self._cursor.fetch_arrow_table()


@contextmanager
def sail(folder: Path) -> Iterator[Sail]:
    """A server over the files of a folder, for as long as the block runs."""
    from adbc_driver_flightsql import dbapi

    port = _free_port()
    with tempfile.TemporaryFile() as said:
        server = subprocess.Popen(
            [str(_environment() / "bin" / "sail"), "flight", "server", "--port", str(port)],
            stdout=said,
            stderr=said,
            stdin=subprocess.DEVNULL,
        )
        try:
            wait_until(lambda: server.poll() is not None or _listens(port), 30, "Sail to listen")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it has no transactions, of which the driver warns
                connection = dbapi.connect(f"grpc://127.0.0.1:{port}")
            with connection, connection.cursor() as cursor:
                for table, path in table_files(folder).items():
                    cursor.execute(f"CREATE TEMPORARY VIEW {table} USING parquet OPTIONS (path '{path}')")
                    cursor.fetchall()
                yield Sail(cursor)
        finally:
            server.terminate()
            server.wait()


def _environment() -> Path:
    """A virtual environment with the package."""
    folder = kept_folder() / f"sail-{VERSION}"
    done = folder / "installed"
    if not done.exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        subprocess.run([str(folder / "bin" / "pip"), "install", "-q", f"pysail=={VERSION}"], check=True)
        done.touch()
    return folder


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
