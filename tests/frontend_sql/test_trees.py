"""Trees that another front end built: named queries, places in a file, expressions parsed on their own."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot import exp

from flightmesh.catalog.table import MemoryTable
from flightmesh.errors import InvalidQuery, Position
from flightmesh.frontend.sql import Query, bind_query_ast, parse_expression
from flightmesh.frontend.sql.source import Source
from flightmesh.logical.relations import Reference, Scan, With
from flightmesh.logical.traversal import walk
from flightmesh.logical.validate import validate
from tests.frontend_sql.tables import U, catalog


def _bound(text: str, named: dict[str, exp.Expr | MemoryTable] | None = None) -> Query:
    bound = bind_query_ast(sqlglot.parse_one(text, dialect="duckdb"), catalog=catalog(), named=named, source=Source(text))
    validate(bound.relation)
    return bound


def test_a_named_query_read_once_is_inlined() -> None:
    bound = _bound("select * from late", {"late": sqlglot.parse_one("select a from t where a > 3")})
    assert bound.names == ("a",)
    assert not any(isinstance(node, Reference | With) for node in walk(bound.relation))


def test_a_named_query_read_twice_is_computed_once() -> None:
    named: dict[str, exp.Expr | MemoryTable] = {
        "late": sqlglot.parse_one("select a from t where a > 3"),
        "few": sqlglot.parse_one("select count(*) as n from late"),
    }
    bound = _bound("select * from late, few", named)
    assert isinstance(bound.relation, With)
    assert [definition.name for definition in bound.relation.definitions] == ["late"]
    assert sum(isinstance(node, Reference) for node in walk(bound.relation)) == 2


def test_a_named_table_hides_the_catalogs() -> None:
    table = MemoryTable("input", "input", U.schema, 5, 100)
    bound = _bound("select * from t", {"t": table})
    assert bound.names == ("a", "c", "e")
    assert [node.table for node in walk(bound.relation) if isinstance(node, Scan)] == [table]


def test_the_tree_is_not_changed() -> None:
    tree = sqlglot.parse_one("select -1 as x, sum(a) from t group by all order by all", dialect="duckdb")
    before = tree.copy()
    bind_query_ast(tree, catalog=catalog())
    assert tree == before


def test_places_are_those_of_the_file() -> None:
    tree = sqlglot.parse_one("select nope from t")
    text = "steps:\n  late: {select: nope}\n"
    node = next(tree.find_all(exp.Identifier))
    node.meta.update({"start": text.index("nope"), "end": text.index("nope") + 3})
    with pytest.raises(InvalidQuery) as caught:
        bind_query_ast(tree, catalog=catalog(), source=Source(text, "plan.yaml"))
    assert caught.value.position == Position(2, 18, 4, "plan.yaml")


def test_parameters_that_the_tree_does_not_use_are_no_error() -> None:
    tree = sqlglot.parse_one("select a from t where a = :x", dialect="duckdb")
    assert bind_query_ast(tree, catalog=catalog(), params={"x": 1, "unused": 2}).names == ("a",)


@pytest.mark.parametrize("text", ["a + 1", "sum(a) as n", "*", "case when a then 1 end", ":month", "a in (1, 2)"])
def test_an_expression_alone(text: str) -> None:
    found = parse_expression(text)
    assert found.parent is None
    assert not isinstance(found, exp.Select)


@pytest.mark.parametrize(
    ("text", "place"),
    [("a +", (1, 3, 1)), ("a b c", (1, 5, 1)), ("a, b", (1, 1, 4)), ("a from t", (1, 1, 8)), ("'x", (1, 1, 1))],
)
def test_errors_of_an_expression_have_its_places(text: str, place: tuple[int, int, int]) -> None:
    with pytest.raises(InvalidQuery) as caught:
        parse_expression(text, name="plan.yaml")
    assert caught.value.position == Position(*place, "plan.yaml")
