"""Batches that come one after the other get the types of a table as each of them would alone, whatever came before it."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from flightmesh.catalog.normalise import Conforming, Form, conform
from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import read_split, splits
from flightmesh.errors import DataError

WANTED = pa.schema([("n", pa.int64()), ("text", pa.string())])
NUMBERS, TEXTS = pa.array([1, 2, 3]), pa.array(["a", "b", "a"])
NOTED = pa.schema([pa.field("n", pa.int64(), nullable=False, metadata={"k": "v"}), ("text", pa.string())], {"of": "a file"})
BATCHES = {
    "as wanted": pa.record_batch([NUMBERS, TEXTS], schema=WANTED),
    "with notes": pa.record_batch([NUMBERS, TEXTS], schema=NOTED),
    "other order": pa.record_batch({"text": TEXTS, "n": NUMBERS}),
    "narrow": pa.record_batch({"n": NUMBERS.cast(pa.int16()), "text": TEXTS}),
    "a dictionary": pa.record_batch({"n": NUMBERS, "text": TEXTS.dictionary_encode()}),
    "another column": pa.record_batch({"n": NUMBERS, "other": TEXTS}),
    "one column": pa.record_batch({"n": NUMBERS}),
    "one more": pa.record_batch({"n": NUMBERS, "text": TEXTS, "more": NUMBERS}),
}


@pytest.mark.parametrize("form", list(Form))
@pytest.mark.parametrize("first", BATCHES)
def test_a_batch_is_made_what_it_is_made_alone(first: str, form: Form) -> None:
    conforming = Conforming(WANTED, form)
    for second in BATCHES:
        for name in (first, first, second, second):
            got, alone = conforming.apply(BATCHES[name]), conform(BATCHES[name], WANTED, form)
            got.validate(full=True)
            assert got.schema.equals(alone.schema, check_metadata=True), name
            assert got.equals(alone), name


def test_a_value_that_does_not_fit_is_an_error_whatever_came_before() -> None:
    conforming = Conforming(pa.schema([("n", pa.int8())]), Form.PLAIN)
    for _ in range(2):
        conforming.apply(pa.record_batch({"n": pa.array([1], pa.int8())}))
        with pytest.raises(DataError, match="does not fit"):
            conforming.apply(pa.record_batch({"n": pa.array([300], pa.int64())}))


def test_one_file_read_in_several_ways_in_turn(tmp_path: Path) -> None:
    rows = pa.table({"n": range(100), "text": [f"text {number % 3}" for number in range(100)]})
    pq.write_table(rows, tmp_path / "a.parquet", row_group_size=10)
    pq.write_table(rows.select(["n"]).cast(pa.schema([("n", pa.float64())])), tmp_path / "b.parquet")
    own, joint = open_table("t", tmp_path / "a.parquet"), open_table("t", tmp_path)
    ways = [(own, ["n"]), (own, ["text", "n"]), (joint, ["n"]), (joint, ["n", "text"])]
    for _ in range(2):
        for table, names in ways:
            for form in Form:
                split = next(split for split in splits(table) if table.files[split.file].path.endswith("a.parquet"))
                got = pa.Table.from_batches(read_split(table, split, names, morsel_rows=7, form=form))
                assert [got.schema.field(name).type for name in names if name == "n"] == [table.schema.field("n").type]
                assert got.to_pylist() == rows.select(names).slice(0, got.num_rows).to_pylist()
