"""Acero's groups are the kernels' groups, and it is asked only where they are sure to be."""

from __future__ import annotations

from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flightmesh.expression.nodes import Field
from flightmesh.fragment.acero_groups import AceroGroups
from flightmesh.fragment.grouping import Aggregation
from flightmesh.ids import ColumnId
from flightmesh.physical.operators import Measure

NAME = Field(ColumnId(0), "name", pa.string())
CODE = Field(ColumnId(1), "code", pa.int32())
PRICE = Field(ColumnId(2), "price", pa.decimal128(15, 2))
COUNT = Field(ColumnId(3), "count", pa.int64())
RATE = Field(ColumnId(4), "rate", pa.float64())
INPUTS = (NAME, CODE, PRICE, COUNT, RATE)

MEASURES = (
    Measure(Field(ColumnId(10), "s", pa.decimal128(38, 2)), "sum", PRICE.column()),
    Measure(Field(ColumnId(11), "n", pa.int64()), "count", PRICE.column()),
    Measure(Field(ColumnId(12), "all", pa.int64()), "count_star", None),
    Measure(Field(ColumnId(13), "low", pa.string()), "min", NAME.column()),
    Measure(Field(ColumnId(14), "high", pa.int32()), "max", CODE.column()),
    Measure(Field(ColumnId(15), "counts", pa.int64()), "sum_count", COUNT.column()),
    Measure(Field(ColumnId(16), "total", pa.decimal128(38, 0)), "sum", COUNT.column()),
    Measure(Field(ColumnId(17), "cheapest", pa.decimal128(15, 2)), "min", PRICE.column()),
)

names = st.sampled_from(
    [None, "", "a long name, longer than a word", "another long name, as long", "short", "\u00e9t\u00e9" * 9]
)
rows = st.lists(
    st.tuples(
        names,
        st.sampled_from([None, 0, 1, -7]),
        st.sampled_from([None, Decimal("0.00"), Decimal("-12.34"), Decimal("9999999999999.99")]),
        st.integers(0, 1 << 40),
        st.sampled_from([None, 0.5, -1.25]),
    ),
    min_size=1,
    max_size=40,
)


def batch_of(values: list[tuple[object, ...]]) -> pa.RecordBatch:
    columns = [pa.array([row[i] for row in values], field.type) for i, field in enumerate(INPUTS)]
    return pa.RecordBatch.from_arrays(columns, [field.key for field in INPUTS])


def sorted_rows(batch: pa.RecordBatch) -> list[str]:
    return sorted(str(row) for row in batch.to_pylist())


@settings(deadline=None)
@given(rows, st.sampled_from([(NAME,), (NAME, CODE), (CODE, NAME, PRICE)]))
def test_the_groups_are_the_kernels(values: list[tuple[object, ...]], keys: tuple[Field, ...]) -> None:
    batch = batch_of([*values, ("a name that is long enough to make the mean long" * 9, 1, None, 1, None)])
    acero = AceroGroups(keys, MEASURES)
    assert acero.suits(batch)
    by_kernels = Aggregation(keys, MEASURES)
    by_kernels._acero = AceroGroups((), ())
    expected = by_kernels.groups(batch)
    found = acero.groups(batch)
    assert found.schema.types == expected.schema.types
    assert sorted_rows(found) == sorted_rows(expected)


LONG = batch_of([("a long name, longer than a word", 1, None, 1, None)] * 3)


@pytest.mark.parametrize(
    ("keys", "measures", "batch"),
    [
        ((CODE,), MEASURES, LONG),
        ((NAME, RATE), (), LONG),
        ((NAME,), (Measure(Field(ColumnId(20), "m", pa.float64()), "min", RATE.column()),), LONG),
        ((NAME,), (Measure(COUNT, "count", PRICE.column(), distinct=True),), LONG),
        ((NAME,), (), batch_of([("short", 1, None, 1, None)])),
        ((NAME,), (), LONG.slice(0, 0)),
        ((NAME,), MEASURES, batch_of([("a long name, longer than a word", 1, None, 1 << 62, None)] * 2)),
    ],
    ids=["no strings", "float key", "float extreme", "distinct", "short strings", "no rows", "sum past int64"],
)
def test_what_stays_with_the_kernels(keys: tuple[Field, ...], measures: tuple[Measure, ...], batch: pa.RecordBatch) -> None:
    assert not AceroGroups(keys, measures).suits(batch)


def test_wide_decimals_stay_with_the_kernels() -> None:
    wide = Field(ColumnId(2), "wide", pa.decimal128(38, 2))
    measure = Measure(Field(ColumnId(21), "s", pa.decimal128(38, 2)), "sum", wide.column())
    assert not AceroGroups((NAME,), (measure,)).suits(LONG)


def test_a_session_groups_long_names_by_it(monkeypatch: pytest.MonkeyPatch) -> None:
    import flightmesh

    calls = []
    original = AceroGroups.groups
    monkeypatch.setattr(AceroGroups, "groups", lambda self, batch: calls.append(batch.num_rows) or original(self, batch))
    with flightmesh.connect(threads=2) as session:
        session.register(
            "t", pa.table({"name": ["a long name, longer than a word", "another long one, as long"] * 5, "v": [1] * 10})
        )
        table = session.sql("select name, sum(v) as s from t group by name order by name").to_arrow()
    assert table.column("s").to_pylist() == [5, 5]
    assert calls
