"""Where the driver itself reads what workers hold, it does so as a node: no client's token is needed, nor another way in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.trust.secured import SecuredMesh, secured_mesh

ROWS = "select v from (values (1), (2), (3)) as t(v)"


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMesh]:
    with secured_mesh(tmp_path_factory.mktemp("mesh")) as made:
        yield made


def test_rows_come_through_the_driver(mesh: SecuredMesh) -> None:
    with mesh.connect(results="through-driver") as session:
        assert session.sql(f"select sum(v) as total from ({ROWS})").to_arrow().to_pylist() == [{"total": 6}]


@pytest.mark.parametrize("kind", ["table", "temporary table"])
def test_tables_are_made_of_queries(mesh: SecuredMesh, kind: str) -> None:
    with mesh.connect() as session:
        session.sql(f"create {kind} made as {ROWS}")
        assert session.sql("select max(v) as largest from made").to_arrow().to_pylist() == [{"largest": 3}]
        session.sql("drop table made")


def test_queries_are_analyzed(mesh: SecuredMesh) -> None:
    with mesh.connect() as session:
        assert "Stage 0 ran" in session.explain(ROWS, level="analyze")
