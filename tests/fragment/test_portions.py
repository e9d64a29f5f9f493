"""Values much longer than their input are computed in portions, whatever the morsel; too long for Arrow is a typed error."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from flightmesh.errors import DataError
from flightmesh.expression.nodes import Expression, Field, Literal
from flightmesh.expression.registry import bind_call
from flightmesh.fragment.portions import FIRST_ROWS, PORTION_BYTES, Portions
from flightmesh.ids import ColumnId
from flightmesh.session import connect

TEXT = Field(ColumnId(1), "s", pa.string())
ROWS = 40_000


def whole(value: int) -> Literal:
    return Literal(pa.scalar(value, pa.int64()))


def repeated(times: int) -> Expression:
    return bind_call("repeat", [TEXT.column(), whole(times)])


def texts(rows: int = ROWS) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([f"{i:040d}" for i in range(rows)])], names=[TEXT.key])


@pytest.mark.parametrize("times", [1, 30, 300])
def test_portions_are_the_batch_in_order_and_bounded(times: int) -> None:
    batch = texts()
    portions = list(Portions((repeated(times),)).run(batch))
    assert pa.Table.from_batches([part for part, _ in portions]).column(0).to_pylist() == batch.column(0).to_pylist()
    sizes = [values[0].nbytes for _, values in portions]
    assert max(sizes) <= 1.1 * PORTION_BYTES
    assert len(sizes) <= 5 + sum(sizes) / (PORTION_BYTES / 2)
    assert all(len(values) == 1 and len(values[0]) == part.num_rows for part, values in portions)


def test_texts_on_the_way_to_a_number_count_too() -> None:
    (first, *others) = Portions((bind_call("length", [repeated(300)]),)).run(texts())
    assert first[0].num_rows == FIRST_ROWS
    assert max(part.num_rows for part, _ in others) <= PORTION_BYTES / (40 * 300)


def test_what_is_of_fixed_width_runs_at_once() -> None:
    ((part, values),) = Portions((bind_call("length", [TEXT.column()]),)).run(texts())
    assert part.num_rows == len(values[0]) == ROWS


def test_portions_shrink_after_longer_texts_and_grow_again() -> None:
    lengths = [1] * 20_000 + [2_000_000] * 20 + [1] * 20_000
    number = Field(ColumnId(2), "n", pa.int64())
    batch = pa.RecordBatch.from_arrays([pa.array(["x"] * len(lengths)), pa.array(lengths)], names=[TEXT.key, number.key])
    portions = Portions((bind_call("repeat", [TEXT.column(), number.column()]),))
    got = [length for _, values in portions.run(batch) for length in pc.binary_length(values[0]).to_pylist()]
    assert got == lengths
    assert len(list(portions.run(batch.slice(30_000)))) <= 4


def test_text_past_two_gibibytes_is_cut_until_it_fits() -> None:
    portions = Portions((bind_call("length", [repeated(250_000)]),))
    rows = [part.num_rows for part, _ in portions.run(texts(220))]
    assert sum(rows) == 220, "the first portion, of 2.2 GB, is refused by Arrow"
    assert max(rows) < 220


def test_one_text_past_two_gibibytes_is_an_error_that_names_the_expression() -> None:
    with pytest.raises(DataError, match=r"larger than 2 GiB in \[repeat\("):
        list(Portions((bind_call("length", [repeated(100_000_000)]),)).run(texts(3)))


def test_filters_and_projections_work_in_portions() -> None:
    with connect(threads=1, memory="24MB") as session:
        session.register("big", texts().rename_columns(["s"]))
        assert session.sql("select sum(length(repeat(s, 1500))) as n from big").to_arrow().to_pylist() == [{"n": ROWS * 60_000}]
        assert len(session.sql("select s from big where length(repeat(s, 1500)) > 3 and s like '%77'")) == ROWS // 100
        (row,) = session.sql("select repeat(s, 100) as r from big order by 1 desc limit 1").to_arrow().to_pylist()
        assert row == {"r": f"{ROWS - 1:040d}" * 100}
        for wrong in ("select repeat('x', 3000000000)", "select repeat(s, 300000000) from big"):
            with pytest.raises(DataError, match=r"larger than 2 GiB in \[repeat\("):
                session.sql(wrong).to_arrow()
