"""What may come before a bound, against looking at the rows themselves."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightmesh.catalog.formats import parquet
from flightmesh.catalog.narrowing import narrowed
from flightmesh.catalog.open import open_table
from flightmesh.catalog.promise import Promise
from flightmesh.catalog.pruning import NULLS, Range
from flightmesh.catalog.scan import splits
from flightmesh.catalog.table import FileSplit, FileTable

INTS = st.lists(st.none() | st.integers(-3, 3), min_size=1, max_size=6)
FLOATS = st.lists(st.none() | st.sampled_from([-math.inf, -1.5, -0.0, 0.0, 2.0, math.inf, math.nan]), min_size=1, max_size=6)
TEXTS = st.lists(st.none() | st.text("ab", max_size=2), min_size=1, max_size=6)
KINDS = {"int": pa.int64(), "float": pa.float64(), "text": pa.string()}
ROWS = st.one_of(
    st.tuples(st.just("int"), INTS, st.none() | st.integers(-3, 3)),
    st.tuples(st.just("float"), FLOATS, st.none() | st.sampled_from([-math.inf, -1.5, 0.0, 2.0, math.nan])),
    st.tuples(st.just("text"), TEXTS, st.none() | st.text("ab", max_size=2)),
)


def place(value: Any, descending: bool, nulls_first: bool) -> tuple[int, int, Any]:
    """Where a value stands in ascending order of these: NULLs at one end, NaN above all numbers."""
    if value is None:
        return (-1 if nulls_first else 1, 0, 0)
    if isinstance(value, float) and math.isnan(value):
        return (0, -1 if descending else 1, 0)
    if isinstance(value, str):
        return (0, 0, tuple((-ord(c) if descending else ord(c)) for c in value) + ((1,) if descending else (-1,)))
    return (0, 0, -value if descending else value)


def stated(values: list[Any], kind: pa.DataType) -> Range:
    """As a footer states it: without NaN."""
    known = [v for v in values if v is not None]
    if not known:
        return NULLS
    numbers = [v for v in known if not (isinstance(v, float) and math.isnan(v))]
    low = pa.scalar(min(numbers), kind) if numbers else None
    high = pa.scalar(max(numbers), kind) if numbers else None
    return Range(low, high, may_be_null=None in values)


@given(rows=ROWS, descending=st.booleans(), nulls_first=st.booleans(), ties=st.booleans())
def test_what_may_precede_a_bound(rows: tuple[str, list[Any], Any], descending: bool, nulls_first: bool, ties: bool) -> None:
    kind, values, bound = rows
    promise = Promise("k", descending, nulls_first)
    last = place(bound, descending, nulls_first)
    places = [place(value, descending, nulls_first) for value in values]
    precedes = any(each < last or (ties and each == last) for each in places)
    said = promise.may_precede(stated(values, KINDS[kind]), pa.scalar(bound, KINDS[kind]), ties)
    assert said or not precedes
    if kind != "float":
        assert said == precedes, "bounds that are values of rows tell exactly"


def test_what_is_not_known_may_precede() -> None:
    for promise in (Promise("k"), Promise("k", descending=True), Promise("k", nulls_first=True)):
        assert promise.may_precede(Range(), pa.scalar(5), ties=False)
    assert not Promise("k").may_precede(NULLS, pa.scalar(5), ties=True)
    assert Promise("k", nulls_first=True).may_precede(NULLS, pa.scalar(5), ties=False)


@pytest.fixture
def five_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FileTable:
    """`k` is 4..5 | 0..1, NULL in half of the rows | unknown | not there | 2..3, a row group each; a split each."""
    monkeypatch.setattr(parquet, "_FEW_ROWS", 1)
    first = pa.table({"k": pa.array([4, 5, 0, None, None, 1], pa.int64()), "id": pa.array(range(6))})
    pq.write_table(first.slice(0, 2), tmp_path / "a.parquet")
    pq.write_table(first.slice(2, 4), tmp_path / "b.parquet")
    pq.write_table(first.slice(0, 2), tmp_path / "c.parquet", write_statistics=False)
    pq.write_table(first.slice(0, 2).select(["id"]), tmp_path / "d.parquet")
    pq.write_table(pa.table({"k": [2, 3], "id": [6, 7]}), tmp_path / "e.parquet")
    return open_table("t", str(tmp_path / "*.parquet"))


@pytest.mark.parametrize(
    ("promise", "files"),
    [
        (Promise("k"), "beacd"),
        (Promise("k", descending=True), "aebcd"),
        (Promise("k", nulls_first=True), "bcdea"),
        (Promise("id"), "adbec"),
        (Promise("id", descending=True), "ebadc"),
    ],
)
def test_splits_come_in_the_order_of_what_they_promise(five_files: FileTable, promise: Promise, files: str) -> None:
    found = [split for split in splits(five_files, first=promise) if isinstance(split, FileSplit)]
    assert "".join("abcde"[split.file] for split in found) == files
    assert sorted(found, key=lambda split: split.file) == list(splits(five_files))


@pytest.mark.parametrize(
    ("promise", "bound", "left"),
    [
        (Promise("k"), 2, "bc"),
        (Promise("k", descending=True), 3, "ac"),
        (Promise("k", nulls_first=True), None, ""),
        (Promise("k"), None, "abce"),
    ],
)
def test_files_are_left_out_by_a_bound(five_files: FileTable, promise: Promise, bound: int | None, left: str) -> None:
    test = partial(promise.may_precede, bound=pa.scalar(bound, pa.int64()), ties=False)
    found = [split for split in splits(five_files) if isinstance(split, FileSplit)]
    kept = [split for split in found if narrowed(five_files, split, {"k": test}) is not None]
    assert "".join("abcde"[split.file] for split in kept) == left
