"""For each rule, queries with the plan before it and after it, as a person reads them.

Both plans run, here and in DuckDB, and give what DuckDB answers to the SQL. `pytest tests/optimize --update-goldens` writes the
plans anew. Read them before you commit.
"""

from __future__ import annotations

import pytest

from flightmesh.logical.relations import Apply, Quantifier, Relation, SetKind, SetOperation
from flightmesh.logical.text import format_relation
from flightmesh.logical.traversal import walk
from flightmesh.logical.validate import require_same_columns, validate
from flightmesh.optimize.context import Context
from flightmesh.optimize.list_keys import key_lists
from flightmesh.optimize.rules import RULES, apply
from tests.comparison import rows_of
from tests.optimize import golden_files
from tests.optimize.as_sql import as_sql
from tests.optimize.binding import bound
from tests.optimize.building import STORED
from tests.optimize.by_definition import carried_out
from tests.optimize.checking import answer, connection
from tests.running import run_relation

NAMES = sorted({rule.__name__ for rule in RULES})
CASES = [(rule, case) for rule in NAMES for case in golden_files.read(rule)]


def before_and_after(relation: Relation, name: str, context: Context) -> tuple[Relation, Relation]:
    """The query as the rule finds it, and as the rule leaves it: the first time that the rule changes it."""
    before = relation
    for rule in RULES:
        if rule.__name__ == name:
            before = relation
            relation = apply(rule, relation, context)
            if relation is not before:
                return before, relation
        else:
            relation = apply(rule, relation, context)
    return before, before


def runs_here(relation: Relation, context: Context) -> bool:
    """Whether the planner takes the relation: dependent joins, set operations other than UNION ALL and comparisons of lists are
    rewritten first."""
    for node in walk(relation):
        if isinstance(node, Apply):
            return False
        if isinstance(node, SetOperation) and (node.kind is not SetKind.UNION or node.quantifier is not Quantifier.ALL):
            return False
    return key_lists(relation, context) is relation


def test_every_rule_has_goldens() -> None:
    assert {rule for rule, _ in CASES} == set(NAMES)


@pytest.mark.parametrize(("rule", "case"), CASES, ids=[f"{rule}: {case.title}" for rule, case in CASES])
def test_golden(rule: str, case: golden_files.Case, update_goldens: bool) -> None:
    relation, context = bound(case.sql)
    validate(relation)
    before, after = before_and_after(relation, rule, context)
    validate(after)
    require_same_columns(before.fields, after.fields, rule)
    database = connection()
    found = database.execute(case.sql).arrow()
    table = found if hasattr(found, "column_names") else found.read_all()
    expected = sorted(rows_of(table), key=repr)
    assert answer(before, database) == expected
    assert answer(after, database) == expected, as_sql(carried_out(after, database))
    for relation in (before, after):
        if runs_here(relation, context):
            assert sorted(rows_of(run_relation(relation, tables=STORED)), key=repr) == expected
    texts = format_relation(before), format_relation(after)
    if update_goldens:
        golden_files.update(rule, case.title, *texts)
    else:
        assert texts == (case.before, case.after)
