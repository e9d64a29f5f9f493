"""Engines of Spark's SQL: Spark itself, local and in a JVM of its own; Sail, whose server in a process of its own is asked by
Spark Connect, Spark's own way for clients. Texts are put into Spark's dialect by sqlglot first, outside the time.

`engine` among the options says which: spark, sail, or sail-cluster, which is Sail's local-cluster mode.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from functools import lru_cache
from typing import Any

import pyarrow as pa
import sqlglot
from protocol import serve

PARTITIONS_A_THREAD = 4
"""Of Spark's shuffles: its own default of 200 is for clusters."""
START_SECONDS = 60.0


class SparkSQL:
    """A session over the files."""

    def __init__(self, session: Any, version: str, server: subprocess.Popen[bytes] | None = None) -> None:
        self.version = version
        self._session = session
        self._server = server

    def load(self, tables: dict[str, str]) -> None:
        """Makes temporary views."""
        for name, path in tables.items():
            self._session.read.parquet(path).createOrReplaceTempView(name)

    def prepare(self, sql: str) -> str:
        """The text in Spark's dialect."""
        return in_dialect(sql)

    def run(self, sql: str) -> pa.Table:
        """To Arrow."""
        return self._session.sql(sql).toArrow()

    def close(self) -> None:
        """Ends the JVM, or the server."""
        with contextlib.suppress(Exception):  # a server that is gone cannot be told
            self._session.stop()
        if self._server is not None:
            self._server.terminate()
            self._server.wait()


@lru_cache
def in_dialect(sql: str) -> str:
    """DuckDB's dialect to Spark's."""
    return sqlglot.transpile(sql, read="duckdb", write="spark")[0]


def opened(options: dict[str, Any]) -> SparkSQL:
    """The engine that the options name."""
    return spark(options) if options["engine"] == "spark" else sail(options)


def spark(options: dict[str, Any]) -> SparkSQL:
    """Spark in local mode."""
    import pyspark
    from pyspark.sql import SparkSession

    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"  # or it looks its own name up
    threads = options["threads"]
    settings = {
        "spark.sql.shuffle.partitions": PARTITIONS_A_THREAD * threads,
        "spark.driver.memory": options["memory"],
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.local.dir": options["scratch"],
        "spark.sql.warehouse.dir": options["scratch"],
        "spark.driver.maxResultSize": 0,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.sql.session.timeZone": "UTC",
    }
    builder = SparkSession.builder.master(f"local[{threads}]").appName("bench")
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    return SparkSQL(session, pyspark.__version__)


def sail(options: dict[str, Any]) -> SparkSQL:
    """A server of Sail, in one process or as its local cluster with a worker a thread."""
    import pysail
    from pyspark.sql import SparkSession

    environment = dict(os.environ)
    if options["engine"] == "sail-cluster":
        workers = str(options["threads"])
        environment |= {
            "SAIL_MODE": "local-cluster",
            "SAIL_CLUSTER__WORKER_INITIAL_COUNT": workers,
            "SAIL_CLUSTER__WORKER_MAX_COUNT": workers,
            "SAIL_CLUSTER__WORKER_MAX_IDLE_TIME_SECS": "86400",
        }
    environment["SAIL_EXECUTION__DEFAULT_PARALLELISM"] = str(options["threads"])
    port = _free_port()
    command = [sys.executable, "-m", "pysail", "spark", "server", "--port", str(port)]
    server = subprocess.Popen(command, stdin=subprocess.DEVNULL, env=environment)
    _wait_until_listening(server, port)
    session = SparkSession.builder.remote(f"sc://127.0.0.1:{port}").getOrCreate()
    return SparkSQL(session, pysail.__version__, server)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait_until_listening(server: subprocess.Popen[bytes], port: int) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until:
        if server.poll() is not None:
            raise RuntimeError(f"the server ended with {server.returncode}")
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    server.kill()
    raise TimeoutError(f"the server did not listen within {START_SECONDS:.0f} s")


if __name__ == "__main__":
    serve(opened)
