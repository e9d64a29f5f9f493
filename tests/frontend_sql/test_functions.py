"""Every function of the registry can be written in SQL and arrives under its own name with its arguments in order."""

from __future__ import annotations

import pytest
import sqlglot
from sqlglot.errors import ParseError

from flightmesh.expression.aggregates import AGGREGATES
from flightmesh.expression.functions.known import FUNCTIONS
from flightmesh.expression.registry import aggregate_names, find_function
from flightmesh.frontend.sql.functions_map import aggregate_name, arguments, translate
from tests.frontend_sql.tables import query

_OPERATORS = {
    "and",
    "or",
    "not",
    "time_bucket",
    "between",
    "bit_and",
    "bit_or",
    "xor",
    "like",
    "is_not_null",
    "ifnull",
    "if",
    "range",
}
_OPERATORS |= {"generate_series"}
"""Written as operators or keywords; as functions the parser reads them otherwise."""
_WORDS = {"date_trunc", "date_diff", "date_part"}
"""Their first argument is a part of a date."""


def _arities(name: str) -> list[int]:
    types = FUNCTIONS[name].types
    if not isinstance(types, tuple):
        return [1, 2, 3]
    return sorted({len(signature.args) for signature in types})


@pytest.mark.parametrize("name", sorted(name for name in FUNCTIONS if name.isidentifier() and name not in _OPERATORS | _WORDS))
def test_a_function_keeps_its_name_and_arguments(name: str) -> None:
    reached = 0
    for arity in _arities(name):
        args = [f"c{i}" for i in range(arity)]
        try:
            node = sqlglot.parse_one(f"select {name}({', '.join(args)})", dialect="duckdb").expressions[0]
        except ParseError:
            continue
        translated = translate(node)
        if translated is None:
            continue
        found = find_function(translated[0])
        given = [part.sql() for part in translated[1]]
        if found is not None and found.name == name:
            assert given[:arity] == args or (len(given) < arity and not isinstance(FUNCTIONS[name].types, tuple))
            reached += 1
    assert reached or _bound_otherwise(name)


def _bound_otherwise(name: str) -> bool:
    """Operators and constants that the binder reads without the map."""
    samples = {
        "not": "not a = 1", "negate": "-a", "divide": "a / 2", "int_divide": "a // 2", "modulo": "a % 2",
        "is_null": "a is null", "date_add": "d + 1",
        "list_value": "[a, 1]", "range": "range(a)", "generate_series": "generate_series(1, a)",
    }  # fmt: skip
    return name in samples and bool(query(f"select {samples[name]} as x from t").names)


@pytest.mark.parametrize("name", sorted(set(aggregate_names()) - {"count_star"}))
def test_an_aggregate_keeps_its_name(name: str) -> None:
    parts = ["x", "y"][: AGGREGATES[name].usage.partition(") -> ")[0].count(",") + 1]
    node = sqlglot.parse_one(f"select {name}({', '.join(parts)})", dialect="duckdb").expressions[0]
    node = node.this if type(node).__name__ == "IgnoreNulls" else node
    found = aggregate_name(node)
    assert found is not None
    assert [part.sql() for part in arguments(node)] == parts


@pytest.mark.parametrize(
    ("text", "type"),
    [
        ("date_trunc('month', d)", "timestamp[us]"),
        ("date_diff('day', d, d)", "int64"),
        ("date_part('year', d)", "int64"),
        ("extract(epoch from d)", "double"),
        ("position('x' in s)", "int64"),
        ("trim(both 'x' from s)", "string"),
        ("substring(s from 2 for 1)", "string"),
        ("s like 'x%' escape '!'", "bool"),
        ("if(a > 1, 1.5, 2)", "decimal128(11, 1)"),
    ],
)
def test_special_forms(text: str, type: str) -> None:
    assert str(query(f"select {text} as x from t").relation.fields[0].type) == type
