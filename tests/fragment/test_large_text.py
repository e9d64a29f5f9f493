"""Text columns that outgrow 32-bit offsets while they are collected keep their types. (The limit is lowered to a few bytes.)"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pytest

import flightmesh.fragment.coalesce as coalesce
import flightmesh.kernel.batches as module
from flightmesh.expression.frames import DEFAULT_FRAME
from flightmesh.expression.nodes import Field
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import JoinKind
from flightmesh.physical.operators import (
    BuildSide,
    ColumnOrder,
    GroupBy,
    GroupPhase,
    HashJoin,
    KeyPair,
    Measure,
    Operator,
    ReadExchange,
    SortRows,
    TopRows,
    WindowFunction,
    WindowRows,
)
from tests.comparison import assert_same_order, assert_same_rows, reference
from tests.fragment.harness import Context, Tables, run

TEXTS = pa.table({"t": [None if i % 9 == 0 else f"a rather long text {i % 13}" for i in range(60)], "n": range(60)})


@pytest.fixture(autouse=True)
def low_limit(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    widened: list[int] = []
    widen = module._with_large

    def watched(batch: pa.RecordBatch, columns: list[int]) -> pa.RecordBatch:
        widened.extend(columns)
        return widen(batch, columns)

    monkeypatch.setattr(module, "_with_large", watched)
    monkeypatch.setattr(module, "OFFSET_LIMIT", 1000)
    monkeypatch.setattr(coalesce, "ENOUGH_BYTES", 300)
    yield
    assert widened, "the test's texts did not outgrow the limit"


def edge(context: Context) -> ReadExchange:
    return Tables(context).edge(TEXTS, batch_rows=7)


@pytest.mark.parametrize("top", [False, True])
def test_sorting(top: bool) -> None:
    context = Context()
    source = edge(context)
    order = (ColumnOrder(source.fields[0].column(), True), ColumnOrder(source.fields[1].column()))
    node: Operator = TopRows(source, order, 40) if top else SortRows(source, order)
    expected = reference("select * from t order by t desc nulls last, n" + (" limit 40" if top else ""), t=TEXTS)
    assert_same_order(run(node, context), expected)


def test_windows() -> None:
    context = Context()
    source = edge(context)
    text, number = (f.column() for f in source.fields)
    first = WindowFunction(Field(ColumnId(50), "f", pa.string()), "first_value", (text,), DEFAULT_FRAME, 1)
    got = run(WindowRows(source, (), (ColumnOrder(number, True),), (first,)), context)
    assert_same_rows(got, reference("select *, first_value(t) over (order by n desc) as f from t", t=TEXTS))


@pytest.mark.parametrize("distinct", [False, True])
def test_grouping(distinct: bool) -> None:
    context = Context()
    source = edge(context)
    measure = Measure(Field(ColumnId(50), "m", pa.int64()), "count", source.fields[1].column(), distinct)
    greatest = Measure(Field(ColumnId(51), "x", pa.string()), "max", source.fields[0].column())
    got = run(GroupBy(source, GroupPhase.FINAL, source.fields[:1], (measure, greatest)), context)
    assert_same_rows(got, reference("select t, count(n), max(t) from t group by t", t=TEXTS))


@pytest.mark.parametrize("kind", [JoinKind.INNER, JoinKind.FULL])
def test_joining_on_and_carrying_text(kind: JoinKind) -> None:
    context = Context()
    tables = Tables(context)
    probe, build = tables.edge(TEXTS, batch_rows=7), tables.edge(TEXTS.slice(5), batch_rows=7)
    keys = (KeyPair(probe.fields[0].column(), build.fields[0].column()),)
    fields = (*probe.fields, *build.fields)
    got = run(HashJoin(probe, build, kind, keys, None, BuildSide.OWN, fields), context)
    sql = f"select * from a {kind.value} join b on a.t = b.t"
    assert_same_rows(got, reference(sql, a=TEXTS, b=TEXTS.slice(5)))
