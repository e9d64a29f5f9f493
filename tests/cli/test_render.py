import datetime
from decimal import Decimal

import pyarrow as pa
import pytest
from wcwidth import wcswidth

from flightmesh.session.render import Style, preview, render_preview, render_table


@pytest.fixture
def table() -> pa.Table:
    return pa.table(
        {
            "name": ["short", None, "two\nlines", "日本語"] * 25,
            "amount": pa.array([Decimal("1.50"), None, Decimal("-20.25"), Decimal(0)] * 25, pa.decimal128(15, 2)),
            "x": [1.0, float("nan"), 2.5, None] * 25,
            "moment": [datetime.datetime(2013, 1, 1, 5, 0, 0, 500_000), datetime.datetime(2013, 1, 1), None, None] * 25,
        }
    )


def test_a_small_table(table: pa.Table) -> None:
    assert render_table(table.slice(0, 4)) == "\n".join(
        [
            "┌────────────┬───────────────┬────────┬───────────────────────┐",
            "│ name       │        amount │      x │ moment                │",
            "│ string     │ decimal(15,2) │ double │ timestamp             │",
            "├────────────┼───────────────┼────────┼───────────────────────┤",
            "│ short      │          1.50 │    1.0 │ 2013-01-01 05:00:00.5 │",
            "│ NULL       │          NULL │    nan │ 2013-01-01 00:00:00   │",
            "│ two\\nlines │        -20.25 │    2.5 │ NULL                  │",
            "│ 日本語     │          0.00 │   NULL │ NULL                  │",
            "└────────────┴───────────────┴────────┴───────────────────────┘",
            "4 rows",
        ]
    )


def test_rows_that_are_not_shown_are_counted(table: pa.Table) -> None:
    numbered = table.append_column("row", pa.array(range(100)))
    lines = render_table(numbered.select(["row"]), max_rows=5).splitlines()
    assert [line.strip("│ ") for line in lines[4:-2]] == ["0", "1", "2", "·", "·", "·", "98", "99"]
    assert lines[-1] == "100 rows (5 shown)"


def test_all_rows_on_request(table: pa.Table) -> None:
    assert len(render_table(table, max_rows=0).splitlines()) == 100 + 6


@pytest.mark.parametrize("rows", [0, 1, 5, 6, 7, 13, 100])
def test_a_stream_shows_what_the_table_does(table: pa.Table, rows: int) -> None:
    part = table.slice(0, rows).combine_chunks()
    batches = [batch for start in range(0, max(rows, 1), 3) for batch in part.slice(start, 3).to_batches()]
    shown = preview(table.schema, batches, 6)
    assert render_preview(shown) == render_table(part, max_rows=6)
    assert shown.total_rows == rows
    assert shown.head.num_rows + shown.tail.num_rows == min(rows, 6)


@pytest.mark.parametrize("width", [40, 60, 80, 120])
def test_it_fits_the_terminal(table: pa.Table, width: int) -> None:
    wide = table
    for number in range(6):
        wide = wide.append_column(f"text number {number}", pa.array(["x" * 10 * number] * 100))
    lines = render_table(wide, max_rows=4, width=width).splitlines()
    assert max(wcswidth(line) for line in lines[:-1]) <= width
    assert "shown)" in lines[-1]
    assert "columns (" in lines[-1] or width > 110


def test_numbers_are_never_cut(table: pa.Table) -> None:
    narrow = pa.table({"long text": ["y" * 100], "number": pa.array([2**62])})
    assert str(2**62) in render_table(narrow, width=40)


def test_null_is_told_from_text_on_a_terminal() -> None:
    drawn = render_table(pa.table({"a": ["NULL", None]}), style=Style.ANSI)
    assert "│ NULL   │" in drawn
    assert "│ \x1b[2mNULL\x1b[0m   │" in drawn


def test_no_control_character_reaches_the_terminal() -> None:
    drawn = render_table(pa.table({"a\x1b[31m": ["\x1b[2J\x07\x7f", "tab\tbell"]}))
    assert not any(ord(char) < 32 and char != "\n" for char in drawn)
