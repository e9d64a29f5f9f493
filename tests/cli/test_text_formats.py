import csv
import datetime
import io
import json
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from flightmesh.session.csv_lines import csv_header, csv_rows
from flightmesh.session.json_lines import json_rows

TEXTS = ["plain", None, "", "a,b", 'say "hi"', "two\nlines", " padded ", "back\\slash", "日本語", "NULL"]
ROWS = len(TEXTS)
MOMENT = datetime.datetime(2013, 1, 1, 5, 0, 0, 500_000)


@pytest.fixture
def batch() -> pa.RecordBatch:
    return pa.record_batch(
        {
            'a "name", odd': pa.array(TEXTS),
            "amount": pa.array([Decimal("1.50"), None, Decimal("-12345678901234.25"), *[Decimal(0)] * 7], pa.decimal128(38, 2)),
            "double": pa.array([1.5, -0.1, 1e300, 5e-324, None, 1.0, 0.1 + 0.2, -1e20, 2.0, 3.0]),
            "whole": pa.array([-(2**63), 2**63 - 1, None, *range(7)]),
            "moment": pa.array([MOMENT, None, *[datetime.datetime(2013, 1, 1)] * 8]),
            "day": pa.array([datetime.date(2013, 2, 28), None] * 5),
            "flag": pa.array([True, False, None, True, False] * 2),
            "code": pa.array(["x", "y", None, "x", "y"] * 2).dictionary_encode(),
        }
    )


def test_csv_reads_back_in_duckdb(batch: pa.RecordBatch, tmp_path) -> None:
    path = tmp_path / "rows.csv"
    path.write_bytes(csv_header(batch.schema.names) + csv_rows(batch))
    types = {"text": "VARCHAR", "amount": "DECIMAL(38,2)", "double": "DOUBLE", "whole": "BIGINT"}
    types |= {"moment": "TIMESTAMP", "day": "DATE", "flag": "BOOLEAN", "code": "VARCHAR"}
    query = f"from read_csv('{path}', columns={types}, header=true, allow_quoted_nulls=false, quote='\"', escape='\"')"
    rows = duckdb.sql(query).fetchall()
    assert rows == [tuple(row.values()) for row in batch.to_pylist()]


def test_csv_quotes_only_what_needs_it(batch: pa.RecordBatch) -> None:
    lines = list(csv.reader(io.StringIO((csv_header(batch.schema.names) + csv_rows(batch)).decode())))
    assert lines[0] == batch.schema.names
    assert [line[0] for line in lines[1:]] == [text or "" for text in TEXTS]
    assert csv_rows(batch).decode().startswith("plain,1.50,1.5,")


def test_json_reads_back(batch: pa.RecordBatch) -> None:
    rows = [json.loads(line, parse_float=Decimal) for line in json_rows(batch).decode().split("\n")[:-1]]
    expected = batch.to_pylist()
    assert len(rows) == ROWS
    for row, wanted in zip(rows, expected, strict=True):
        assert list(row) == batch.schema.names
        assert row['a "name", odd'] == wanted['a "name", odd']
        assert row["whole"] == wanted["whole"]
        assert row["flag"] == wanted["flag"]
        assert row["code"] == wanted["code"]
        assert row["amount"] == wanted["amount"]
        assert row["double"] is wanted["double"] is None or float(row["double"]) == wanted["double"]
        assert row["day"] == (wanted["day"] and wanted["day"].isoformat())
    assert rows[0]["moment"] == "2013-01-01 05:00:00.500000"
    assert rows[2]["moment"] == "2013-01-01 00:00:00"


def test_json_has_words_for_floats_that_json_lacks() -> None:
    batch = pa.record_batch({"x": [1.0, float("nan"), float("inf"), float("-inf"), None]})
    assert [json.loads(line)["x"] for line in json_rows(batch).splitlines()] == [1, "NaN", "Infinity", "-Infinity", None]


def test_slices_and_empty_batches(batch: pa.RecordBatch) -> None:
    assert json_rows(batch.slice(3, 2)) == b"".join(json_rows(batch).splitlines(keepends=True)[3:5])
    assert csv_rows(batch.slice(8, 2)) == b"".join(csv_rows(batch).splitlines(keepends=True)[-2:])
    assert csv_rows(batch.slice(0, 0)) == json_rows(batch.slice(0, 0)) == b""
