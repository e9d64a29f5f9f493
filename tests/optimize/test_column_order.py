"""Columns keep their order wherever they are read by position: by the client, in the inputs of a set operation, in the body of
a CTE. Each query joins derived tables that only reorder or drop columns, so that a rule is tempted to take them out.
"""

from __future__ import annotations

import pytest

from flightmesh.optimize.rules import optimize
from tests.comparison import rows_of
from tests.optimize.binding import bound
from tests.optimize.building import STORED
from tests.optimize.checking import connection, optimized_step_by_step
from tests.running import run_relation

LEFT = "(select x, k from t) as a"
RIGHT = "(select z, k as k2 from u) as b"

JOINS = {
    "cross": f"select * from {LEFT}, (select 1 as one) as c",
    "inner": f"select * from {LEFT} join {RIGHT} on a.k = b.k2",
    "inner of one column each": "select * from (select k from t) as a, (select k from u) as b where a.k = b.k",
    "left": f"select * from {LEFT} left join {RIGHT} on a.k = b.k2",
    "right": f"select * from {LEFT} right join {RIGHT} on a.k = b.k2",
    "full": f"select * from {LEFT} full join {RIGHT} on a.k = b.k2",
    "semi": f"select * from {LEFT} where a.k in (select k from u)",
    "anti": f"select * from {LEFT} where not exists (select * from u where u.k = a.k)",
    "single": f"select *, (select max(y) from u where u.k = a.k) as y from {LEFT}",
    "mark": f"select *, a.k in (select k from u) as m from {LEFT}",
    "three": f"select * from {LEFT}, {RIGHT}, (select w, y from v) as c where a.k = b.k2 and c.y = a.k",
}

AROUND = {
    "alone": "{}",
    "ordered": "{} order by all",
    "limited": "{} order by all limit 3 offset 1",
    "union": "{0} union {0}",
    "intersect": "{0} intersect {0}",
    "except all": "{0} except all select * from ({0} order by all limit 1) as j",
    "read once": "with c as ({}) select * from c",
    "read twice": "with c as ({}) select * from c union all select * from c",
    "self join": "with c as ({}) select * from c as c1 join c as c2 on c1.k = c2.k",
}


@pytest.mark.parametrize("around", AROUND)
@pytest.mark.parametrize("join", JOINS)
def test_select_star_keeps_the_order(join: str, around: str) -> None:
    sql = AROUND[around].format(JOINS[join])
    found = connection().execute(sql).arrow()
    table = found if hasattr(found, "column_names") else found.read_all()
    relation, context = bound(sql)
    optimized = optimize(relation, context)
    assert [(f.id, f.type) for f in optimized.fields] == [(f.id, f.type) for f in relation.fields]
    got = run_relation(optimized, tables=STORED)
    assert got.schema.types == table.schema.types
    assert sorted(rows_of(got), key=repr) == sorted(rows_of(table), key=repr)


@pytest.mark.parametrize("around", ["alone", "limited", "except all", "self join"])
@pytest.mark.parametrize("join", JOINS)
def test_every_rule_keeps_the_order(join: str, around: str) -> None:
    relation, _ = bound(AROUND[around].format(JOINS[join]))
    optimized_step_by_step(relation, connection())
