"""Rows stay where they are wanted: what is dealt once is not dealt again, and is together all the same."""

from __future__ import annotations

import random
from collections.abc import Iterator
from math import inf, nan

import pyarrow as pa
import pytest

import flightmesh
from flightmesh.config import Config, PlannerConfig
from flightmesh.expression.nodes import Call, Case, Column, When
from flightmesh.ids import ColumnId
from flightmesh.optimize.column_estimate import ColumnEstimate
from flightmesh.physical.placement import are_together, chosen, needs, renamed, sought, united, value_of
from tests.comparison import assert_same_rows, reference

DEALT = PlannerConfig(share_builds=False, broadcast_bytes=0)
SHARED = PlannerConfig()


def table(seed: int, rows: int = 400) -> pa.Table:
    """Keys, each NULL now and then: `a` whole numbers, `b` text in a dictionary, `f` floats with both zeros."""
    dice = random.Random(seed)

    def some(values: list[object]) -> list[object]:
        return [None if dice.random() < 0.06 else dice.choice(values) for _ in range(rows)]

    return pa.table(
        {
            "a": pa.array(some(list(range(60))), pa.int64()),
            "b": pa.array(some([f"b{n}" for n in range(50)]), pa.string()).dictionary_encode(),
            "f": pa.array(some([0.0, -0.0, nan, inf, *(n / 4 for n in range(40))]), pa.float64()),
            "v": pa.array(some(list(range(-9, 10))), pa.int64()),
        }
    )


TABLES = {"t": table(1), "u": table(2), "w": table(3)}
GROUPED = "(select a, b, f, sum(v) as v from {0} group by a, b, f) {0}"
T, U, W = (GROUPED.format(name) for name in TABLES)


def session(planner: PlannerConfig, partitions: int = 3) -> flightmesh.Session:
    made = flightmesh.connect(config=Config(threads=2, partitions=partitions, planner=planner))
    for name, rows in TABLES.items():
        made.register(name, rows)
    return made


@pytest.fixture(scope="module", params=[DEALT, SHARED], ids=["dealt", "shared"])
def engine(request: pytest.FixtureRequest) -> Iterator[flightmesh.Session]:
    with session(request.param) as made:
        yield made


@pytest.fixture(scope="module")
def dealing() -> Iterator[flightmesh.Session]:
    with session(DEALT) as made:
        yield made


# (query, hash exchanges where builds are dealt)
PLACED = {
    "windows over a grouping want a part of its keys": (
        "select a, b, f, rank() over (partition by a, b order by f), count(*) over (partition by a) from t group by a, b, f",
        1,
    ),
    "a join wants groups by its keys": (f"select t.v, u.v from {T} join {U} on t.a = u.a", 2),
    "one side comes to where the other is": (
        "select t.v, u.v from (select a, sum(v) as v from t group by a) t join u on t.a = u.a",
        2,
    ),
    "in whatever order": (
        "select t.n, u.n from (select b, a, count(*) as n from t group by b, a) t"
        " join (select a, b, count(*) as n from u group by a, b) u on t.a = u.a and t.b = u.b",
        2,
    ),
    "a grouping by the other side's key": ("select u.a, count(*) from t join u on t.a = u.a and t.f = u.f group by u.a", 2),
    "a join is dealt by the key that its reader wants": (
        "select t.a, count(*) from t left join u on t.b = u.b and t.a = u.a group by t.a",
        2,
    ),
    "three tables by one key": ("select t.v, w.v from t join u on t.a = u.a join w on u.a = w.a", 3),
    "a full join by what its reader merges": (
        "select k, sum(x) over (partition by k order by f) from (select coalesce(t.a, u.a) as k, coalesce(t.f, u.f) as f,"
        f" t.v as x from {T} full join {U} on t.a = u.a and t.f = u.f)",
        2,
    ),
    "full joins with USING": ("select a, count(*) from t full join u using (b, a) group by a", 2),
    "groups of a union": (
        "select a, b, sum(n) from (select a, b, count(*) as n from t group by a, b"
        " union all select a, b, count(*) from u group by a, b) group by a, b",
        2,
    ),
    "null-safe keys": ("select t.a, count(*) from t join u on t.a is not distinct from u.a group by u.a, t.a", 2),
    # and what may not be taken for placed:
    "where a left join has no partner the key is NULL in every task": (
        "select u.a, count(*) from t left join u on t.a = u.a group by u.a",
        3,
    ),
    "where a full join has none, on either side": ("select t.a, count(*) from t full join u on t.a = u.a group by t.a", 3),
    "the wrong key of two": (
        "select coalesce(t.a, u.f), count(*) from (select a::double as a, v from t) t full join u on t.a = u.v"
        " group by coalesce(t.a, u.f)",
        3,
    ),
}


@pytest.mark.parametrize("name", PLACED)
def test_rows_are_dealt_once(dealing: flightmesh.Session, name: str) -> None:
    query, exchanges = PLACED[name]
    text = dealing.explain(query, "physical")
    assert text.count("Exchange hash") == exchanges, text


@pytest.mark.parametrize("name", PLACED)
def test_what_is_dealt_once_is_together(engine: flightmesh.Session, name: str) -> None:
    query, _ = PLACED[name]
    assert_same_rows(engine.sql(query).to_arrow(), reference(query, **TABLES))


def test_groups_dealt_alike_are_joined_where_they_are() -> None:
    query = f"select t.v, u.v from {T} left join {U} on t.a = u.a and t.b = u.b"
    with session(SHARED) as made:
        text = made.explain(query, "physical")
    assert "broadcast" not in text
    assert text.count("Exchange hash") == 2


def test_few_values_do_not_deal() -> None:
    """Two values would leave the third task without rows."""
    query = "select a, g, rank() over (partition by g order by a) from (select a, v > 0 as g from t) group by a, g"
    with session(DEALT) as made:
        assert made.explain(query, "physical").count("Exchange hash") == 2


def random_query(dice: random.Random, depth: int) -> str:
    """A relation with the columns a, b, f, v."""
    if depth == 0:
        return f"(select * from {dice.choice(list(TABLES))})"
    keys = dice.sample(["a", "b", "f"], dice.randint(1, 3))
    below = random_query(dice, depth - 1)
    shown = ", ".join(key if key in keys else f"max({key}) as {key}" for key in ("a", "b"))
    shown += ", f" if "f" in keys else ", min(v)::double as f"
    match dice.randrange(5):
        case 0:
            return f"(select {shown}, (sum(v) % 100)::bigint as v from {below} group by {', '.join(keys)})"
        case 1:
            part = f"partition by {', '.join(keys)}"
            return f"(select a, b, f, (coalesce(sum(v) over ({part}), 0) % 100)::bigint as v from {below})"
        case 2:
            return f"(select * from {below} union all select * from {random_query(dice, depth - 1)} where v > 3)"
        case _:
            kind = dice.choice(["join", "left join", "right join", "full join", "semi join", "anti join"])
            safe = dice.random() < 0.2
            on = " and ".join(f"x.{key} is not distinct from y.{key}" if safe else f"x.{key} = y.{key}" for key in keys)
            other = f"(select {shown}, count(*) as v from {random_query(dice, depth - 1)} group by {', '.join(keys)})"
            if kind in ("semi join", "anti join"):
                return f"(select x.a, x.b, x.f, x.v from {below} x {kind} {other} y on {on})"
            merged = ", ".join(f"{dice.choice(_TAKEN[kind]).format(key)} as {key}" for key in ("a", "b", "f"))
            return f"(select {merged}, coalesce(x.v, 0) + coalesce(y.v, 0) as v from {below} x {kind} {other} y on {on})"


_BOTH = ["coalesce(x.{0}, y.{0})", "case when x.{0} is null then y.{0} else x.{0} end"]
_TAKEN = {
    "join": ["x.{0}", "y.{0}"],
    "left join": ["x.{0}", "y.{0}", _BOTH[0]],
    "right join": ["x.{0}", "y.{0}", _BOTH[0]],
    "full join": ["x.{0}", "y.{0}", *_BOTH, *_BOTH],
}


@pytest.mark.parametrize("seed", range(10))
def test_random_queries(engine: flightmesh.Session, seed: int) -> None:
    dice = random.Random(seed)
    query = f"select a, b, f, count(*) as n, sum(v) as v from {random_query(dice, 3)} group by a, b, f"
    assert_same_rows(engine.sql(query).to_arrow(), reference(query, **TABLES))


A, B, C, D = (Column(ColumnId(number), name, pa.int64()) for number, name in enumerate("abcd"))


def test_merged_columns_are_one_value() -> None:
    either = frozenset({A.id, B.id})
    asked = Call("is_not_null", (A,), pa.bool_())
    without = Call("is_null", (A,), pa.bool_())
    assert value_of(Call("coalesce", (B, A), A.type)) == either
    assert value_of(Case((When(asked, A),), B, A.type)) == either
    assert value_of(Case((When(without, B),), A, A.type)) == either
    assert value_of(Case((When(asked, B),), A, A.type)) is None
    assert value_of(Case((When(asked, A),), None, A.type)) is None
    assert value_of(A) == A.id


def test_places_follow_names() -> None:
    places = (frozenset({A.id, B.id}), frozenset({frozenset({C.id, D.id})}))
    merged, new = ColumnId(8), ColumnId(9)
    made = renamed(places, [(new, B), (merged, Call("coalesce", (D, C), D.type))])
    assert are_together(made, [new, merged])
    assert not are_together(made, [new])
    assert not are_together(made, [new, C.id])
    assert are_together(
        renamed(renamed(places, [(ColumnId(7), C), (new, D)]), [(merged, Call("coalesce", (D, C), D.type))]), [A.id, merged]
    )
    assert not are_together(None, [A.id])
    assert not are_together((), [A.id])


def test_a_union_is_dealt_as_all_its_inputs_are() -> None:
    one, other = (frozenset({A.id, B.id}),), (frozenset({B.id, C.id}),)
    assert united([one, other]) == (frozenset({B.id}),)
    assert united([one, (frozenset({C.id}),)]) is None
    assert united([one, None]) is None
    assert united([one, (*other, *other)]) is None


def test_needs_are_what_readers_share() -> None:
    assert needs([A.id, B.id, C.id], ((C.id, B.id, D.id), (B.id,))) == ((A.id, B.id, C.id), (C.id, B.id), (B.id,))
    assert needs([A.id, B.id], ((B.id, A.id),)) == ((B.id, A.id),)
    assert needs([A.id], ((B.id,),)) == ((A.id,),)
    assert sought(((A.id, B.id), (A.id,)), {B.id: C.id}) == ((C.id,),)


def test_the_furthest_reader_that_has_values_enough_decides() -> None:
    columns = {A.id: ColumnEstimate(1000.0), B.id: ColumnEstimate(5.0), C.id: ColumnEstimate(1000.0, null_fraction=0.9)}
    keys = {key.id: key for key in (A, B, C)}
    assert chosen(((A.id, B.id), (A.id,)), keys, columns, 24.0) == (A,)
    assert chosen(((B.id, A.id), (B.id,)), keys, columns, 24.0) == (B, A)
    assert chosen(((C.id,),), keys, columns, 24.0) == (A, B, C)
