"""Runs a query through the rules, one at a time: every step must be well-formed and mean the same to DuckDB."""

from __future__ import annotations

import functools

import duckdb
import pyarrow as pa

from flightmesh.logical.relations import Apply, Quantifier, Relation, SetKind, SetOperation
from flightmesh.logical.text import format_relation
from flightmesh.logical.traversal import walk
from flightmesh.logical.validate import require_same_columns, validate
from flightmesh.optimize.rules import RULES, apply
from tests.comparison import rows_of
from tests.optimize.as_sql import as_sql
from tests.optimize.building import TABLES, context
from tests.optimize.by_definition import carried_out


@functools.cache
def connection() -> duckdb.DuckDBPyConnection:
    """DuckDB with the small tables."""
    made = duckdb.connect(config={"threads": 1})
    # It pushes join filters below LIMIT, and then gives another answer from one run to the next.
    made.execute("set disabled_optimizers = 'join_filter_pushdown'")
    for name, table in TABLES.items():
        made.register("incoming", table)
        made.execute(f"create table {name} as select * from incoming")
        made.unregister("incoming")
    return made


def answer(relation: Relation, database: duckdb.DuckDBPyConnection) -> list[tuple[object, ...]]:
    """The rows that DuckDB gives for the relation, sorted."""
    found = database.execute(as_sql(carried_out(relation, database))).arrow()
    table = found if isinstance(found, pa.Table) else found.read_all()
    return sorted(rows_of(table), key=repr)


def optimized_step_by_step(relation: Relation, database: duckdb.DuckDBPyConnection, first_id: int = 1000) -> Relation:
    """The optimized relation, having checked each rule on the way."""
    validate(relation)
    expected = answer(relation, database)
    planning = context(first_id)
    for rule in RULES:
        before = relation
        relation = apply(rule, relation, planning)
        if relation is before:
            continue
        name = rule.__name__
        try:
            validate(relation)
            require_same_columns(before.fields, relation.fields, name)
            got = answer(relation, database)
        except Exception as error:
            raise AssertionError(f"{name}: {error}\n{format_relation(before)}\n--\n{format_relation(relation)}") from error
        assert got == expected, (
            f"{name}: {got} instead of {expected}\n{format_relation(before)}\n--\n{format_relation(relation)}"
        )
    for node in walk(relation):
        assert not isinstance(node, Apply)
        if isinstance(node, SetOperation):
            assert node.kind is SetKind.UNION and node.quantifier is Quantifier.ALL
    return relation
