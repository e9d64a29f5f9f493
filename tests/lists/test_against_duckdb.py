"""Queries over lists, one file a subject, against DuckDB: in this process and at a mesh, over several partitions."""

from __future__ import annotations

from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

import flightmesh
from flightmesh.config import Config
from tests.compare import Order, assert_same, duckdb_answer
from tests.lists.queries import list_table, queries
from tests.meshes import AT_MESHES, Meshes, session_at

SUBJECTS = ("types.sql", "unnest.sql", "aggregates.sql", "functions.sql")
"""The first two are about which lists there are: they cross a mesh in both ways of exchanging. What is done with lists is
the same in either."""


@pytest.fixture(scope="module")
def duck() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("incoming", list_table())
        connection.execute("create table t as select * from incoming")
        yield connection


def numbered(table: pa.Table) -> pa.Table:
    """The columns under numbers: DuckDB writes out what `[a, b]` is short for in their names."""
    return table.rename_columns([str(number) for number in range(table.num_columns)])


def check(session: flightmesh.Session | flightmesh.RemoteSession, duck: duckdb.DuckDBPyConnection, subject: str) -> None:
    session.register("t", list_table())
    wrong = []
    for query in queries(subject):
        order = Order.COUNTS if "order by" in query.rsplit(")", 1)[-1] else Order.FREE
        try:
            assert_same(numbered(session.sql(query).to_arrow()), numbered(duckdb_answer(duck, query)), order)
        except (AssertionError, flightmesh.FlightmeshError, duckdb.Error) as error:
            wrong.append(f"{query}\n{error}")
    assert not wrong, "\n\n".join(wrong)


@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.parametrize("partitions", (1, 2, 7))
def test_embedded(duck: duckdb.DuckDBPyConnection, subject: str, partitions: int) -> None:
    with flightmesh.connect(config=Config(threads=2, partitions=partitions, morsel_rows=3)) as session:
        check(session, duck, subject)


@pytest.mark.parametrize(
    ("mesh", "subject"),
    [
        pytest.param(*mode.values, subject, id=f"{mode.id}-{subject}", marks=mode.marks)
        for mode, subjects in zip(AT_MESHES, (SUBJECTS, SUBJECTS[:2]), strict=True)
        for subject in subjects
    ],
)
def test_at_a_mesh(duck: duckdb.DuckDBPyConnection, meshes: Meshes, mesh: str, subject: str) -> None:
    with session_at(meshes.of(mesh), partitions=2) as session:
        check(session, duck, subject)
        session.drop("t")
