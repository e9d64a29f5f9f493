"""WITH RECURSIVE against DuckDB, in this process and at meshes; how what does not end by itself is ended."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import duckdb
import numpy as np
import pyarrow as pa
import pytest

import flightmesh
from flightmesh.config import Config, PlannerConfig
from flightmesh.errors import Cancelled, DataError, ResourceExhausted
from flightmesh.session import Session, connect
from tests.session.conftest import AnySession

COUNTING = "with recursive t as (select 1 as x union all select x + 1 from t {}) "
QUERIES = (
    COUNTING.format("where x < 40") + "select x from t",
    COUNTING.format("where x < 9") + "select a.x, b.x from t a join t b on a.x = b.x + 1",
    COUNTING.format("where x < 9") + "select x from t where x in (select x + 1 from t)",
    COUNTING.format("where x < (select count(*) from parts)") + "select x from t",
    COUNTING.format("where x not in (select item from parts where item > 3)") + "select x from t",
    COUNTING.format("where exists (select 1 from t u where u.x = t.x) and x < 5") + "select x from t",
    """with recursive t(n) as (values (1)
         union all (select n + 1 from t where n < 5 union select n + 10 from t where n < 3)) select n from t""",
    "with recursive t as (select 1 as x union all (select max(x) + 1 from t having max(x) < 5)) select x from t",
    "with recursive t as (select 1 as x union all (select x + 1 from t where x < 9 order by x limit 1)) select x from t",
    """with recursive t as (select item as x, 1 as l from parts
         union all select distinct x % 3, l + 1 from t where l < 3) select x, l from t""",
    """with recursive t as (select item as x, 1 as l from parts
         union all select cast(sum(x) over (order by x) as int), l + 1 from t where l < 3) select x, l from t""",
    """with recursive t as (select 1 as x
         union all (with u as (select x + 1 as y from t where x < 4) select a.y from u a join u b using (y)))
         select x from t""",
    "with recursive t as (select 1 as x where false union all select x + 1 from t) select count(*) from t",
    # Closures, by UNION: over what is read beside, and of the rows that came last with themselves.
    """with recursive tc as (select s, d from edges
         union select tc.s, e.d from tc join edges e on tc.d = e.s) select s, d from tc""",
    """with recursive tc as (select s, d from edges where s < 9
         union select a.s, b.d from tc a join tc b on a.d = b.s) select s, d from tc""",
    """with recursive tc as (select s, d, 1 as l from edges
         union all select tc.s, e.d, l + 1 from tc left join edges e on tc.d = e.s where l < 4) select s, d, l from tc""",
    """with recursive tc as (select s, d, 1 as l from edges where s < 5
         union all select e.s, tc.d, l + 1 from edges e left join tc on tc.d = e.s where l < 3) select s, d, l from tc""",
    # Rows that hold lists, each once.
    """with recursive t as (select [1, null, 2] as x union select x[2:] from t) select cast(x as varchar) from t""",
    """with recursive t as (select 1 as x, [[1], null] as l union select (x * 3) % 7, l[1:2] from t)
         select x, cast(l as varchar) from t""",
    # A bill of materials.
    """with recursive needed as (
         select item, part, quantity from parts where item = 1
         union all
         select p.item, p.part, n.quantity * p.quantity from needed n join parts p on p.item = n.part)
       select part, cast(sum(quantity) as bigint) from needed group by part""",
    # One within another, and those that read columns of the query around them.
    """with recursive t as (select 1 as x union all
         (with recursive u as (select x as y from t where x < 4 union all select y + 1 from u where y < 4)
          select max(y) from u having max(y) < 6 and count(*) > 0)) select x from t""",
    """select k, (with recursive t as (select k as x
         union all select x + 1 from t where x < 5) select count(*) from t) from (values (1), (4), (7), (null), (1)) v(k)""",
    """select k, (with recursive t as (select 1 as x
         union select x % k + 1 from t) select cast(sum(x) as int) from t) from (values (1), (4), (7)) v(k)""",
    """select k, (with recursive t as (select 1 as x
         union all (select max(x) + 1 from t having max(x) < k)) select cast(sum(x) as int) from t) from (values (1), (4),
         (7)) v(k)""",
    """select k, (with recursive t as (select 1 as x union all
         (select x + 1 from t a where exists (select 1 from t b where b.x = a.x and b.x < k)))
         select cast(sum(x) as int) from t) from (values (1), (4), (7)) v(k)""",
    """select k, (with recursive t as (select 1 as x union all
         (with u as (select x + 1 as y from t where x < k) select a.y from u a join u b using (y)))
         select cast(sum(x) as int) from t) from (values (1), (4), (7)) v(k)""",
    """select k, x from (values (1), (3)) v(k), lateral (with recursive t as (select k as x
         union all select x + 1 from t where x < 4) select x from t) q""",
)  # fmt: skip


def tables() -> dict[str, pa.Table]:
    """`edges`: a sparse graph with cycles, a NULL and doubles; `parts`: what items are made of."""
    random = np.random.default_rng(5)
    s, d = random.integers(0, 60, 90), random.integers(0, 60, 90)
    parts = [(1, 2, 2), (1, 3, 1), (2, 4, 3), (3, 4, 5), (4, 5, 2), (2, 5, 1)]
    columns = zip(*parts, strict=True)
    return {
        "edges": pa.table({"s": s, "d": [None if i % 30 == 7 else int(v) for i, v in enumerate(d)]}),
        "parts": pa.table({n: pa.array(c, pa.int32()) for n, c in zip(("item", "part", "quantity"), columns, strict=True)}),
    }


def test_recursions_are_those_of_duckdb(session: AnySession) -> None:
    with duckdb.connect() as peer:
        for name, table in tables().items():
            session.upload(name, table)
            peer.register(name, table)
        for query in QUERIES:
            expected = sorted(map(repr, peer.sql(query).fetchall()))
            found = session.sql(query).to_arrow()
            rows = zip(*(column.to_pylist() for column in found.columns), strict=True)
            assert sorted(map(repr, rows)) == expected, query


def test_a_limit_ends_what_has_no_end(session: AnySession) -> None:
    found = session.sql("with recursive t as (select 1 as x union all select x * 2 from t) select x from t limit 20").to_arrow()
    assert found.column("x").to_pylist() == [2**i for i in range(20)]


def test_a_view_and_a_plan_may_be_recursive(plain: AnySession, tmp_path: Path) -> None:
    plain.sql("create view up_to_4 as " + COUNTING.format("where x < 4") + "select x from t")
    assert plain.sql("select sum(a.x) from up_to_4 a join up_to_4 b on a.x = b.x").to_arrow().column(0).to_pylist() == [10]
    plan = tmp_path / "plan.yaml"
    (tmp_path / "numbers.csv").write_text("x\n1\n5\n")
    plan.write_text(
        "plan: counting\n"
        "inputs: {numbers: {csv: numbers.csv, file: local}}\nsteps:\n"
        "  firsts: {sql: select x from numbers}\n"
        "  all:\n"
        "    sql: with recursive t as (select x from firsts union all select x + 1 from t where x < 7) select x from t\n"
        "output: all\n"
    )
    assert sorted(plain.run_plan(plan).to_arrow().column("x").to_pylist()) == [1, 2, 3, 4, 5, 5, 6, 6, 7, 7]


def test_too_many_turns_are_an_error() -> None:
    with connect(config=Config(planner=PlannerConfig(recursion_turns=50))) as session:
        with pytest.raises(ResourceExhausted, match="the recursive query t has not ended after 50 turns") as caught:
            session.sql(COUNTING.format("") + "select count(*) from t").to_arrow()
        assert "planner.recursion_turns" in str(caught.value)
        assert len(session.sql(COUNTING.format("where x < 51") + "select x from t").to_arrow()) == 51


def test_too_many_rows_are_an_error() -> None:
    """Each turn squares how many there are: 2, 4, 16, 256, 65,536, and the next does not fit."""
    with connect(memory="64MiB", threads=1) as session:
        with pytest.raises(ResourceExhausted, match=r"out of memory: .* the recursive query t"):
            session.sql(
                "with recursive t(x) as (values (1), (2) union all select a.x + 1 from t a, t b) select max(x) from t"
            ).to_arrow()
        assert session.sql("select 1 as x").to_arrow().column("x").to_pylist() == [1]


def test_values_that_do_not_fit_the_first_part_are_an_error(plain: AnySession) -> None:
    with pytest.raises(DataError, match="cannot cast 300 of type INTEGER to TINYINT"):
        plain.sql(
            "with recursive t as (select 100::tinyint as x union all select x::int + 200 from t) select max(x) from t"
        ).to_arrow()


def test_what_runs_for_ever_can_be_cancelled(plain: AnySession) -> None:
    result = plain.sql("with recursive t as (select 1 as x union all select x % 7 + 1 from t) select max(x) from t")
    threading.Timer(0.3, result.cancel).start()
    started = time.monotonic()
    with pytest.raises((Cancelled, flightmesh.FlightmeshError)):
        while True:
            result.to_arrow()
    assert time.monotonic() - started < 60


def test_what_every_turn_reads_is_a_stage_of_its_own(embedded: Session) -> None:
    for name, table in tables().items():
        embedded.register(name, table)
    query = """with recursive tc as (select s, d from edges
        union select tc.s, e.d from tc join edges e on tc.d = e.s where e.d > 1) select * from tc"""
    text = embedded.explain(query, "stages")
    step = text[text.index("Join inner", text.index("Iterate tc union distinct")) :]
    assert "Working tc" in step and "Scan" not in step, text
    analyzed = embedded.explain(query, "analyze")
    assert "turns" in analyzed, analyzed
