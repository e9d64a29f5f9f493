"""WindowRows as a fragment: its memory is accounted, and past the budget the error says what held it."""

from __future__ import annotations

import pyarrow as pa
import pytest

from flightmesh.errors import ResourceExhausted
from flightmesh.expression.frames import CURRENT, DEFAULT_FRAME, Bound, Frame, FrameUnit, Side
from flightmesh.expression.nodes import Field
from flightmesh.ids import ColumnId
from flightmesh.physical.operators import ColumnOrder, WindowFunction, WindowRows
from tests.fragment.harness import Context, Tables, run

NUMBER = Field(ColumnId(90), "number", pa.int64())
SUM = Field(ColumnId(91), "sum", pa.decimal128(38, 0))


def windowed(context: Context, table: pa.Table) -> pa.Table:
    source = Tables(context).edge(table, batch_rows=10)
    group, value = (f.column() for f in source.fields)
    functions = (
        WindowFunction(NUMBER, "row_number", (), DEFAULT_FRAME, 1),
        WindowFunction(SUM, "sum", (value,), Frame(FrameUnit.ROWS, Bound(Side.PRECEDING, 1), CURRENT), 1),
    )
    return run(WindowRows(source, (group,), (ColumnOrder(value, descending=True),), functions), context)


def test_rows_come_with_their_results_and_memory_is_given_back() -> None:
    context = Context(morsel_rows=7)
    got = windowed(context, pa.table({"g": [n % 2 for n in range(100)], "v": range(100)}))
    rows = sorted(zip(*(column.to_pylist() for column in got.columns), strict=True))
    assert rows[:1] + rows[49:51] == [(0, 0, 50, 2), (0, 98, 1, 98), (1, 1, 50, 4)]
    assert context.held == 0


def test_no_rows_give_no_rows() -> None:
    assert windowed(Context(), pa.table({"g": pa.array([], pa.int64()), "v": pa.array([], pa.int64())})).num_rows == 0


def test_windows_beyond_the_budget_are_a_clear_error() -> None:
    context = Context(budget=5000)
    with pytest.raises(ResourceExhausted, match="computing windows"):
        windowed(context, pa.table({"g": [0] * 1000, "v": range(1000)}))
    assert context.held == 0
