"""Queries that run because a filter keeps bad rows from an expression: they must still run when predicates have moved."""

from __future__ import annotations

import pytest

from flightmesh.errors import DataError
from flightmesh.optimize.rules import optimize
from tests.comparison import rows_of
from tests.optimize.binding import bound
from tests.optimize.building import STORED
from tests.optimize.checking import connection
from tests.running import run_relation

MIXED = "(select * from (values ('1', 1), ('x', 2), ('30', 3), (null, 4), ('y', 5)) as m(s, n)) as m"
GUARDED = [
    f"select cast(s as integer) as i from {MIXED} where s <> 'x' and s <> 'y'",
    f"select n from {MIXED} where s not in ('x', 'y') and cast(s as integer) > 0",
    f"select n from {MIXED} where cast(case when n in (2, 5) then '0' else s end as integer) > 1",
    f"select n from (select * from {MIXED} where n <> 2 and n <> 5) as good where cast(s as integer) > 1",
    f"select m.n from {MIXED} join t on m.n = t.k where m.n <> 2 and m.n <> 5 and cast(m.s as integer) > 0",
    f"select t.k from t join {MIXED} on t.k = m.n and m.n in (1, 3) where cast(m.s as integer) > 0",
    f"select n, (select count(*) from u where u.k = cast(m.s as integer)) as c from {MIXED} where s not in ('x', 'y')",
    f"select n from {MIXED} where n > 2 and n < 5 and (s is null or cast(s as integer) = 30)",
    "select k from t where k <> 0 and 10 // k > 1",
    "select k, x / (k - 1) as r from t where k > 1",
]
REFUSED = [
    f"select cast(s as integer) as i from {MIXED}",
    f"select n from {MIXED} where cast(s as integer) > 0",
    "select k, (select y from u) as y from t",
    "select k, (select y from u where u.k = t.k) as y from t",
    "select cast('oops' as integer) as i from t",
]


@pytest.mark.parametrize("sql", GUARDED)
def test_guarded_expressions_do_not_fail(sql: str) -> None:
    found = connection().execute(sql).arrow()
    table = found if hasattr(found, "column_names") else found.read_all()
    relation, context = bound(sql)
    got = run_relation(optimize(relation, context), tables=STORED)
    assert sorted(rows_of(got), key=repr) == sorted(rows_of(table), key=repr)


@pytest.mark.parametrize("sql", REFUSED)
def test_what_must_fail_fails(sql: str) -> None:
    relation, context = bound(sql)
    optimized = optimize(relation, context)
    with pytest.raises(DataError):
        run_relation(optimized, tables=STORED)
