"""HashJoin against DuckDB: every kind, key types, NULLs, duplicates, empty sides, residuals, shared and own builds."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.errors import DataError, ResourceExhausted
from flightmesh.expression.nodes import Call, Expression, Field
from flightmesh.fragment import hash_join
from flightmesh.fragment.join_build import JoinBuild
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import JoinKind
from flightmesh.physical.operators import BuildSide, HashJoin, KeyPair, LimitRows, Operator
from tests.comparison import assert_same_rows, reference
from tests.fragment.harness import Context, Tables, field_named, run, start
from tests.random_tables import KINDS, random_column, random_nulls

MARK = Field(ColumnId(999), "mark", pa.bool_())
BUILD_KINDS = (JoinKind.RIGHT, JoinKind.FULL)


def side(rng: np.random.Generator, prefix: str, rows: int, key_kinds: tuple[str, ...], distinct: int) -> pa.Table:
    keys = {f"{prefix}k{i}": random_column(rng, kind, rows, distinct, random_nulls(rng)) for i, kind in enumerate(key_kinds)}
    value = random_column(rng, "int", rows, 6, random_nulls(rng) / 2)
    return pa.table({f"{prefix}id": pa.array(range(rows), pa.int64()), **keys, f"{prefix}v": value})


def less(probe: Operator, build: Operator) -> Expression:
    return Call("less", (field_named(probe, "av").column(), field_named(build, "bv").column()), pa.bool_())


def output_fields(kind: JoinKind, probe: Operator, build: Operator) -> tuple[Field, ...]:
    if kind in (JoinKind.SEMI, JoinKind.ANTI):
        return probe.fields
    if kind is JoinKind.MARK:
        return (*probe.fields, MARK)
    return (*build.fields, *probe.fields)


def expected(kind: JoinKind, a: pa.Table, b: pa.Table, keys: list[str], residual: str, null_aware: bool) -> pa.Table:
    on = " and ".join([*keys, residual])
    certain = " and ".join([*keys, "true"])
    maybe = f"({on}) is null" if null_aware else f"({certain}) and ({residual}) is null"
    true = f"(select count(*) from b where {on}) > 0"
    unknown = f"(select count(*) from b where {maybe}) > 0"
    sql = {
        JoinKind.INNER: f"select b.*, a.* from a join b on {on}",
        JoinKind.LEFT: f"select b.*, a.* from a left join b on {on}",
        JoinKind.SINGLE: f"select b.*, a.* from a left join b on {on}",
        JoinKind.RIGHT: f"select b.*, a.* from a right join b on {on}",
        JoinKind.FULL: f"select b.*, a.* from a full join b on {on}",
        JoinKind.SEMI: f"select * from a where {true}",
        JoinKind.ANTI: f"select * from a where not ({true}) {f'and not ({unknown})' if null_aware else ''}",
        JoinKind.MARK: f"select a.*, case when {true} then true when {unknown} then null else false end from a",
    }
    return reference(sql[kind], a=a, b=b)


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    kind=st.sampled_from(list(JoinKind)),
    sizes=st.tuples(st.sampled_from([0, 1, 3, 12, 60]), st.sampled_from([0, 1, 3, 12, 60])),
    key_kinds=st.lists(st.sampled_from(KINDS), min_size=0, max_size=3).map(tuple),
    distinct=st.sampled_from([1, 3, 10, 100]),
    with_residual=st.booleans(),
    null_aware=st.booleans(),
    shared=st.booleans(),
    safe=st.booleans(),
)
def test_every_kind_agrees_with_duckdb(
    seed: int,
    kind: JoinKind,
    sizes: tuple[int, int],
    key_kinds: tuple[str, ...],
    distinct: int,
    with_residual: bool,
    null_aware: bool,
    shared: bool,
    safe: bool,
) -> None:
    rng = np.random.default_rng(seed)
    a, b = side(rng, "a", sizes[0], key_kinds, distinct), side(rng, "b", sizes[1], key_kinds, distinct)
    context = Context()
    tables = Tables(context)
    probe, build = tables.edge(a), tables.edge(b)
    pairs = tuple(
        KeyPair(field_named(probe, f"ak{i}").column(), field_named(build, f"bk{i}").column(), safe and i == 0)
        for i in range(len(key_kinds))
    )
    aware = null_aware and bool(pairs) and kind in (JoinKind.ANTI, JoinKind.MARK)
    node = HashJoin(
        probe,
        build,
        kind,
        pairs,
        less(probe, build) if with_residual else None,
        BuildSide.SHARED if shared and kind not in BUILD_KINDS else BuildSide.OWN,
        output_fields(kind, probe, build),
        MARK if kind is JoinKind.MARK else None,
        aware,
    )
    conditions = [f"ak{i} {'is not distinct from' if p.null_safe else '='} bk{i}" for i, p in enumerate(pairs)]
    answer = expected(kind, a, b, conditions, "av < bv" if with_residual else "true", aware)
    if kind is JoinKind.SINGLE and _repeats(answer):
        with pytest.raises(DataError, match="more than one row"):
            run(node, context)
        return
    assert_same_rows(run(node, context), answer)


def _repeats(answer: pa.Table) -> bool:
    ids = answer.column("aid").to_pylist()
    return len(set(ids)) < len(ids)


def plain_join(kind: JoinKind, a: pa.Table, b: pa.Table, context: Context, **more: object) -> HashJoin:
    tables = Tables(context)
    probe, build = tables.edge(a), tables.edge(b)
    keys = (KeyPair(probe.fields[0].column(), build.fields[0].column()),)
    return HashJoin(probe, build, kind, keys, None, BuildSide.OWN, output_fields(kind, probe, build), **more)  # type: ignore[arg-type]


def test_many_to_many_output_comes_in_bounded_batches() -> None:
    context = Context(morsel_rows=100)
    same = pa.table({"k": pa.array([1] * 300)})
    node = plain_join(JoinKind.INNER, same, same, context)
    sizes = [batch.num_rows for batch in start(node, context)]
    assert sum(sizes) == 90_000
    assert max(sizes) <= 200


def test_a_shared_build_is_made_once_for_all_tasks() -> None:
    a, b = pa.table({"k": [1, 2, 3]}), pa.table({"k": [2, 3, 3]})
    first, second = Context(task=0), Context(task=1)
    second.slots = first.slots
    results = []
    for context in (first, second):
        tables = Tables(context)
        probe, build = tables.edge(a), tables.edge(b)
        keys = (KeyPair(probe.fields[0].column(), build.fields[0].column()),)
        fragment = start(
            HashJoin(probe, build, JoinKind.INNER, keys, None, BuildSide.SHARED, (*probe.fields, *build.fields)), context
        )
        results.append((sum(b.num_rows for b in fragment), fragment.metrics))
    assert [rows for rows, _ in results] == [3, 3]
    assert results[0][1][2].rows == 3
    assert results[1][1][2].rows == 0, "the second task read the build side again"
    assert second.closed.count("edge 2") == 0
    assert first.held > 0
    assert second.held == 0


def test_only_the_first_task_indexes_a_shared_build_before_it_reads_its_probe_side(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = pa.table({"k": [1, 2, 3]}), pa.table({"k": [2, 3, 3]})
    contexts = Context(task=0), Context(task=1)
    contexts[1].slots = contexts[0].slots
    read: list[int] = []
    indexed = hash_join._indexed

    def noted(*args: Any) -> JoinBuild:
        read.append(fragment.metrics[1].rows)
        return indexed(*args)

    monkeypatch.setattr(hash_join, "_indexed", noted)
    for context in contexts:
        tables = Tables(context)
        probe, build = tables.edge(a), tables.edge(b)
        keys = (KeyPair(probe.fields[0].column(), build.fields[0].column()),)
        node = HashJoin(probe, build, JoinKind.INNER, keys, None, BuildSide.SHARED, (*probe.fields, *build.fields))
        fragment = start(node, context)
        assert sum(batch.num_rows for batch in fragment) == 3
    assert read == [0, 3]


def test_an_empty_build_side_ends_an_inner_join_without_reading_the_probe_side() -> None:
    context = Context()
    node = plain_join(JoinKind.INNER, pa.table({"k": [1, 2]}), pa.table({"k": pa.array([], pa.int64())}), context)
    fragment = start(node, context)
    assert list(fragment) == []
    assert fragment.metrics[1].rows == 0


def test_a_build_side_beyond_the_budget_is_a_clear_error_and_gives_memory_back() -> None:
    context = Context(budget=1000)
    big = pa.table({"k": pa.array(range(1000))})
    fragment = start(plain_join(JoinKind.INNER, big, big, context), context)
    with pytest.raises(ResourceExhausted, match="build side of a join"):
        list(fragment)
    assert context.held == 0


def test_join_without_output_columns_keeps_its_row_count() -> None:
    context = Context()
    a, b = pa.table({"k": [1, 1, 2, None]}), pa.table({"k": [1, 1, 2]})
    node = plain_join(JoinKind.INNER, a, b, context)
    bare = HashJoin(node.probe, node.build, node.kind, node.keys, None, node.side, ())
    batches = list(start(bare, context))
    assert sum(b.num_rows for b in batches) == 5
    assert all(b.num_columns == 0 for b in batches)


def test_stopping_early_closes_both_inputs() -> None:
    context = Context()
    rows = pa.table({"k": pa.array(range(100))})
    node = plain_join(JoinKind.INNER, rows, rows, context)
    fragment = start(LimitRows(node, 3), context)
    assert sum(b.num_rows for b in fragment) == 3
    assert sorted(context.closed) == ["edge 1", "edge 2"]
    assert context.held == 0
