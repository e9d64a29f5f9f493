"""What steps in relational keys mean, as SQL: each step lowered and shown in DuckDB's dialect; `?n` is the parameter n."""

from __future__ import annotations

from pathlib import Path

import pytest

from flightmesh.frontend.yaml.fragments import Fragments
from flightmesh.frontend.yaml.lower import StepLowering
from flightmesh.frontend.yaml.plan import read_plan
from flightmesh.frontend.yaml.steps import in_order, one_query, resolve_step

HEAD = "params: {n: 3, day: 2013-06-01}\ninputs: {t: {csv: t.csv}, u: {csv: u.csv}}\nsteps:\n"

LOWERED = {
    "{from: t}": "SELECT * FROM t",
    "{from: t as x}": "SELECT * FROM t AS x",
    "{from: t, where: a > 1 or b}": "SELECT * FROM t WHERE a > 1 OR b",
    "{from: t, where: [a > 1 or b, c]}": "SELECT * FROM t WHERE (a > 1 OR b) AND (c)",
    "{from: t, where: a = :n}": "SELECT * FROM t WHERE a = ?n",
    "{from: t, where: ':n > a'}": "SELECT * FROM t WHERE ?n > a",
    "{from: t, select: [a, b + 1 as c, {d: a * 2}, ':n as e']}": "SELECT a, b + 1 AS c, a * 2 AS d, ?n AS e FROM t",
    "{from: t, select: a}": "SELECT a FROM t",
    "{from: t, select: ['*', a + 1 as b]}": "SELECT *, a + 1 AS b FROM t",
    "{from: t, select: {'two words': a}}": 'SELECT a AS "two words" FROM t',
    "{from: t, select: a, distinct: true}": "SELECT DISTINCT a FROM t",
    "{from: t, join: {with: u, on: k}}": "SELECT * FROM t INNER JOIN u USING (k)",
    "{from: t, join: {with: u, on: [k, l], how: full}}": "SELECT * FROM t FULL JOIN u USING (k, l)",
    "{from: t, join: {with: u as v, on: t.a < v.b, how: left}}": "SELECT * FROM t LEFT JOIN u AS v ON t.a < v.b",
    "{from: t, join: {with: u, on: [t.a = u.b or u.b is null, t.c = u.c], how: semi}}": (
        "SELECT * FROM t SEMI JOIN u ON (t.a = u.b OR u.b IS NULL) AND (t.c = u.c)"
    ),
    "{from: t, join: [{with: u, how: cross}, {with: u as w, on: k, how: anti}]}": (
        "SELECT * FROM t CROSS JOIN u ANTI JOIN u AS w USING (k)"
    ),
    "{from: t, group_by: [a, b % 2 as odd], aggregate: {n: count(*)}}": (
        "SELECT a, b % 2 AS odd, COUNT(*) AS n FROM t GROUP BY a, b % 2"
    ),
    "{from: t, group_by: {m: month(d)}}": "SELECT MONTH(d) AS m FROM t GROUP BY MONTH(d)",
    "{from: t, aggregate: [count(*) as n, sum(a)]}": "SELECT COUNT(*) AS n, SUM(a) FROM t",
    "{from: t, group_by: a, aggregate: {a_sum: sum(b)}, having: a_sum > 3 and max(b) < 9}": (
        "SELECT a, SUM(b) AS a_sum FROM t GROUP BY a HAVING (SUM(b)) > 3 AND MAX(b) < 9"
    ),
    "{from: t, group_by: a, aggregate: {b: sum(b)}, having: sum(b) > 3}": (
        "SELECT a, SUM(b) AS b FROM t GROUP BY a HAVING SUM(b) > 3"
    ),
    "{from: t, group_by: a, aggregate: {n: count(*)}, select: [n * 2 as twice]}": (
        "SELECT n * 2 AS twice FROM (SELECT a, COUNT(*) AS n FROM t GROUP BY a) AS s"
    ),
    "{from: t, order_by: [a desc nulls last, b + 1], limit: 5, offset: 2}": (
        "SELECT * FROM t ORDER BY a DESC, b + 1 LIMIT 5 OFFSET 2"
    ),
    "{from: t, order_by: 'a, b desc nulls first', limit: ':n'}": "SELECT * FROM t ORDER BY a, b DESC NULLS FIRST LIMIT 3",
    "{union: [t, u]}": "SELECT * FROM t UNION SELECT * FROM u",
    "{union: {all: [t, u, t]}, order_by: a, limit: 2}": (
        "SELECT * FROM t UNION ALL SELECT * FROM u UNION ALL SELECT * FROM t ORDER BY a LIMIT 2"
    ),
    "{except: [t, u]}": "SELECT * FROM t EXCEPT SELECT * FROM u",
    "{intersect: {all: [t, u]}, where: a > 1, select: b}": (
        "SELECT b FROM (SELECT * FROM t INTERSECT ALL SELECT * FROM u) AS s WHERE a > 1"
    ),
    "{values: [{a: 1, b: x}, {b: ~, a: -2.5}, {c: true}]}": (
        "SELECT * FROM (VALUES (1, 'x', NULL), (-2.5, NULL, NULL), (NULL, NULL, TRUE)) AS s(a, b, c)"
    ),
    "{sql: 'select a from t where d < $day'}": "SELECT a FROM t WHERE d < ?day",
}


def lowered(step: str, name: str = "s") -> str:
    plan = read_plan(f"{HEAD}  {name}: {step}\n", "p.yaml", Path("/"))
    fragments = Fragments(plan.document, "duckdb", tuple(plan.plan.params))
    node = plan.document.root.get("steps")
    assert node is not None
    place = node.get(name)
    assert place is not None
    return StepLowering(plan.document, fragments, {"n": 3}).lower(name, plan.plan.steps[name], place).sql("duckdb")


@pytest.mark.parametrize("step", LOWERED)
def test_a_step_is_this_sql(step: str) -> None:
    assert lowered(step) == LOWERED[step]


STEPS = """  c: {from: b, where: x > (select max(x) from a)}
  a: {from: t}
  b: {sql: "with own as (select * from A) select * from own join 'files/x.parquet' as f using (k)"}
  last: {sql: "select * from c, read_csv('more.csv', delim=';') as m, memory.main.t order by 1"}
"""


def test_steps_become_one_query_in_the_order_of_reading() -> None:
    plan = read_plan(HEAD + STEPS, "p.yaml", Path("/plans"))
    section = plan.document.root.get("steps")
    assert section is not None
    lowering = StepLowering(plan.document, Fragments(plan.document, "duckdb", ("n", "day")), {})
    steps = {}
    for name, step in plan.plan.steps.items():
        node = section.get(name)
        assert node is not None
        query = lowering.lower(name, step, node)
        steps[name] = resolve_step(plan.document, plan.names, name, node, query, lambda path: f"/plans/{path}")
    assert one_query(in_order(plan.document, steps, "last")).sql("duckdb", pretty=True) == (
        """WITH a AS (
  SELECT
    *
  FROM "inputs of the plan".t AS t
), b AS (
  WITH own AS (
    SELECT
      *
    FROM a
  )
  SELECT
    *
  FROM own
  JOIN "/plans/files/x.parquet" AS f
    USING (k)
), c AS (
  SELECT
    *
  FROM b
  WHERE
    x > (
      SELECT
        MAX(x)
      FROM a
    )
)
SELECT
  *
FROM c, READ_CSV('/plans/more.csv', delim = ';') AS m, memory.main.t
ORDER BY
  1"""
    )
