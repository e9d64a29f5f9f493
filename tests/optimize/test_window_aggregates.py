"""Rows joined with an aggregate of themselves: what becomes a window, what does not, and that the answer is DuckDB's."""

from __future__ import annotations

import pytest

from flightmesh.expression.nodes import Expression, Field, conjunction
from flightmesh.expression.registry import bind_aggregate
from flightmesh.logical.expressions import with_fresh_ids
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Filter,
    Item,
    Join,
    JoinKind,
    Project,
    Relation,
    Scan,
    Window,
    passes,
)
from flightmesh.logical.traversal import walk
from flightmesh.logical.validate import validate
from flightmesh.optimize import window_aggregates, work
from flightmesh.optimize.rules import optimize
from tests.comparison import rows_of
from tests.optimize.binding import bound
from tests.optimize.building import STORED, call, scan
from tests.optimize.checking import answer, connection, optimized_step_by_step
from tests.optimize.random_relations import INT, RandomQuery
from tests.running import run_relation


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows however little they save."""
    monkeypatch.setattr(window_aggregates, "_pays", lambda *_: True)


OF_T = "from t i where i.k = t.k"
WINDOWED = (
    # NULL keys, groups of one row, rows that are there twice.
    f"select k, x, s from t where x >= (select avg(x) {OF_T})",
    f"select k, x from t where x <> (select sum(x) {OF_T})",
    f"select k, x from t where x = (select min(x) {OF_T}) and s < 'f'",
    f"select k, s from t where s = (select max(s) {OF_T})",
    f"select k, x from t where 20 < (select sum(x) {OF_T}) and k > 0",
    f"select k, x from t where x < (select sum(x) {OF_T}) and x >= (select avg(x) {OF_T})",
    "select t.*, m from t join (select k, min(x) as m, count(*) as n, count(x) as c from t group by k) g"
    " on g.k = t.k and n > c",
    "select t.x, g.* from (select k, sum(x) as n from t group by k having sum(x) > 20) g join t on g.k = t.k",
    # Filters of both, and further ones outside.
    "select k, x from t where x > 10 and k < 6 and x > (select avg(i.x) - 1 from t i where i.k = t.k and i.x > 10)",
    "select k, x from t where x > 10 and s < 'f' and x >= (select avg(i.x) from t i where i.k = t.k and i.s < 'f')",
    "select k from t where s is null and x = (select max(x) from t i where i.k = t.k)",
    # Several tables, the aggregate over some of them; others that repeat rows, or drop groups.
    f"select u.z, t.x from u, t where u.k = t.k and t.x <= (select avg(x) {OF_T})",
    "select t.x, u.y from t, u where t.k = u.k and u.y = (select min(b.y) from t a, u b where a.k = b.k and b.z = u.z)",
    "select t.x, u.y, w from t, u, v where t.k = u.k and v.y = u.y"
    " and t.x >= (select avg(a.x) from t a, u b where a.k = b.k and b.k = u.k)",
    f"select x from t where x >= (select avg(x) {OF_T}) and k in (select k from u where y > 1)",
    f"select x from t where x >= (select avg(x) {OF_T}) and not exists (select 1 from u where u.k = t.k and u.y > t.x)",
    # Keys of two columns, and of a computed one that is a column below.
    "select t.x, n from t join (select k, s, count(*) as n from t group by k, s) g on g.k = t.k and g.s = t.s",
    "select t.x, n from t join (select c, sum(d) as n from (select k as c, x + 1 as d from t) group by c) g on g.c = t.k",
    "select t.x, n from t join (select k, count(*) filter (where x > 20) as n from t group by k) g on g.k = t.k where n < 2",
    # A shared relation and its own aggregate.
    "with g as (select k, s, sum(x) as n from t group by k, s)"
    " select * from g where n > (select avg(n) * 0.9 from g h where h.k = g.k)",
    # Nothing to read.
    "select k, y from e where y = (select min(y) from e i where i.k = e.k)",
)
APART = (
    # The aggregate sees rows that the outer rows' filters, or their joins, leave out: and others than those.
    "select k, x from t where x > 10 and x > (select avg(i.x) from t i where i.k = t.k and i.s < 'f')",
    "select t.x from t, u where t.k = u.k and t.x > u.y"
    " and u.y = (select min(b.y) from t a, u b where a.k = b.k and a.x < b.y and b.z = u.z)",
    # Other keys, other tables, not all keys.
    "select k, x from t where x > (select avg(i.x) from t i where i.k = t.x)",
    "select k, x from t where x > (select avg(y) from u where u.k = t.k)",
    "select t.x, n from t join (select k, s, count(*) as n from t group by k, s) g on g.k = t.k",
    # Rows that have no group stay.
    "select k, x, (select count(*) from t i where i.k = t.k) as n from t",
    "select k, x, (select sum(x) from t i where i.k = t.k) as n from t",
    # What may differ from one evaluation to the next.
    "select k, x from t where x > (select min(i.x) from t i where i.k = t.k and random() < 2)",
    # Aggregates that are dear over frames.
    f"select k, x from t where x >= (select median(x) {OF_T})",
    f"select k, x from t where x >= (select sum(distinct x) {OF_T})",
    # Keys that are equal and not alike: 0.0 and -0.0.
    "select w, n from v join (select w as c, count(*) as n from v group by w) g on g.c = v.w",
)


def is_windowed(relation: Relation) -> bool:
    return any(isinstance(node, Window) for node in walk(relation))


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("sql", WINDOWED + APART)
def test_answers_and_plans(sql: str) -> None:
    relation, context = bound(sql)
    optimized = optimize(relation, context)
    validate(optimized)
    assert is_windowed(optimized) is (sql in WINDOWED)
    found = connection().execute(sql).arrow()
    expected = sorted(rows_of(found if hasattr(found, "column_names") else found.read_all()), key=repr)
    for partitions in (1, 3):
        assert sorted(rows_of(run_relation(optimized, tables=STORED, partitions=partitions)), key=repr) == expected


@pytest.mark.usefixtures("always")
def test_each_table_is_read_once() -> None:
    relation, context = bound(
        "select t.x, u.y from t, u where t.k = u.k and u.y = (select min(b.y) from t a, u b where a.k = b.k and b.z = u.z)"
    )
    tables = sorted(node.table.name for node in walk(optimize(relation, context)) if isinstance(node, Scan))
    assert tables == ["t", "u"]


def test_reading_twice_stays_where_a_window_costs_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "ORDER", 50.0)
    relation, context = bound(WINDOWED[0])
    assert not is_windowed(optimize(relation, context))


class Correlated(RandomQuery):
    """Rows beside an aggregate of the same rows, or of some that are nearly the same."""

    def query(self) -> Relation:
        rows = self.rows()
        copy, names = with_fresh_ids(rows, self.ids)
        outer = self.narrowed(rows)
        inner = self.narrowed(copy) if self.random.random() < 0.2 else copy
        numbers = [f for f in rows.fields if f.type == INT]
        keys = self.random.sample(rows.fields, self.random.choice([1, 1, 2]))
        groups = [f.column() for f in copy.fields if f.id in {names[key.id] for key in keys}]
        name = self.random.choice(["min", "max", "sum", "count", "avg", "count_star"])
        read = names[self.random.choice(numbers).id]
        other = next(f for f in copy.fields if f.id == read)
        made = bind_aggregate(name, () if name == "count_star" else (other.column(),))
        result = Field(self.ids.fresh(), name, made.type)
        grouped: Relation = Aggregate(inner, tuple(passes(c) for c in groups), (AggregateItem(result, made),))
        ties: list[Expression] = [call("equal", key.column(), next(c for c in groups if c.id == names[key.id])) for key in keys]
        if self.random.random() < 0.7:
            value = self.random.choice(numbers).column()
            ties.append(call(self.random.choice(["less_equal", "greater", "equal"]), value, result.column()))
        if self.random.random() < 0.4:
            rest = scan(self.random.choice(["t", "u", "e"]), self.ids)
            outer = Join(
                outer,
                rest,
                self.random.choice([JoinKind.INNER, JoinKind.SEMI]),
                self.condition(outer, rest, (), JoinKind.INNER),
            )
        joined = Join(outer, grouped, JoinKind.INNER, conjunction(tuple(ties)))
        kept = [f for f in joined.fields if f.type == INT]
        narrow = [Item(Field(self.ids.fresh(), f.name, INT), f.column()) for f in kept]
        return Project(joined, tuple(narrow))

    def rows(self) -> Relation:
        first = scan(self.random.choice(["t", "t", "u"]), self.ids)
        if self.random.random() < 0.5:
            return self.narrowed(first)
        second = scan(self.random.choice(["u", "v"]), self.ids)
        return self.narrowed(Join(first, second, JoinKind.INNER, self.condition(first, second, (), JoinKind.INNER)))

    def narrowed(self, relation: Relation) -> Relation:
        if self.random.random() < 0.5:
            return relation
        return Filter(relation, self.predicate(tuple(f.column() for f in relation.fields), ()))


SEEDS, CHUNK = 60, 20


@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("start", range(0, SEEDS, CHUNK))
def test_random_queries(start: int) -> None:
    windows = 0
    for seed in range(start, start + CHUNK):
        query = Correlated(seed).query()
        try:
            optimized = optimized_step_by_step(query, connection(), 100_000)
            got = sorted(rows_of(run_relation(optimized, tables=STORED, partitions=1 + seed % 3)), key=repr)
            assert got == answer(query, connection())
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
        windows += is_windowed(optimized)
    assert windows > CHUNK // 3
