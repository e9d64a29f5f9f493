"""DuckDB's answer with all that a query leaves open, from DuckDB in this process: see flightmesh/bench/ties.py."""

from __future__ import annotations

import duckdb

from flightmesh.bench.peers.order_keys import KEY, with_keys
from flightmesh.bench.ties import Answer, answer_from, assert_answers
from tests.compare import duckdb_answer

__all__ = ["Answer", "answer_of", "assert_answers"]


def answer_of(connection: duckdb.DuckDBPyConnection, sql: str) -> Answer:
    """The answer. Raises ValueError for a text whose keys cannot be had beside its rows."""
    text, keys = with_keys(sql)
    whole = duckdb_answer(connection, text)
    names = whole.column_names
    columns = [number for number, name in enumerate(names) if not name.startswith(KEY)]
    return answer_from(
        duckdb_answer(connection, sql), whole, columns, [key if isinstance(key, int) else names.index(key) for key in keys]
    )
