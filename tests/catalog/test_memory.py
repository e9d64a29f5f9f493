"""Tables in memory: what they are made of, and that reading copies nothing."""

from __future__ import annotations

import threading

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest

from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.scan import read_split, splits
from flightmesh.catalog.table import MemorySplit
from flightmesh.errors import InternalError, InvalidInput
from tests.catalog.reading import read_all

TABLE = pa.table({"i": [1, 2, None], "t": ["x", "y", None]})


class Stream:
    """Something that speaks Arrow's stream interface, as Polars and DuckDB do."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return TABLE.__arrow_c_stream__(requested_schema)


SOURCES = {
    "table": lambda: TABLE,
    "batch": lambda: TABLE.to_batches()[0],
    "batches": lambda: TABLE.to_batches(max_chunksize=1),
    "reader": lambda: pa.RecordBatchReader.from_batches(TABLE.schema, iter(TABLE.to_batches(max_chunksize=1))),
    "dataset": lambda: ds.dataset(TABLE),
    "lists": lambda: TABLE.to_pydict(),
    "stream": Stream,
}


@pytest.mark.parametrize("kind", SOURCES)
def test_what_a_table_is_made_of(kind: str) -> None:
    memory = MemoryTables()
    table = memory.put("t", SOURCES[kind]())
    assert (table.name, table.rows, table.schema) == ("t", 3, TABLE.schema)
    assert read_all(table, memory=memory).to_pydict() == TABLE.to_pydict()


def test_pandas_without_its_index() -> None:
    memory = MemoryTables()
    frame = pd.DataFrame({"i": [1, 2], "at": pd.to_datetime(["2020-01-01", "2020-01-02"])}, index=[7, 9])
    table = memory.put("t", frame)
    assert table.schema == pa.schema([("i", pa.int64()), ("at", pa.timestamp("us"))])
    assert read_all(table, ["i"], memory=memory).column("i").to_pylist() == [1, 2]


def test_types_are_normalised() -> None:
    memory = MemoryTables()
    data = pa.table(
        {
            "d": pa.array(["a", "b", "a"]).dictionary_encode(),
            "v": pa.array(["a", "b", None], pa.string_view()),
            "n": pa.nulls(3),
            "r": pa.RunEndEncodedArray.from_arrays([2, 3], ["x", "y"]),
            "e": pa.array([b"\x01" * 16] * 3, pa.uuid()),
        }
    )
    table = memory.put("t", data)
    assert [str(kind) for kind in table.schema.types] == ["string", "string", "int32", "string", "binary"]
    assert read_all(table, memory=memory).column("r").to_pylist() == ["x", "x", "y"]


def test_splits_and_projection() -> None:
    memory = MemoryTables()
    table = memory.put("t", {"i": list(range(300_000)), "j": [1] * 300_000})
    found = splits(table)
    assert [(split.offset, split.rows) for split in found] == [(0, 131_072), (131_072, 131_072), (262_144, 37_856)]  # type: ignore[union-attr]
    assert read_all(table, ["i"], only=found[2:], memory=memory).column("i").to_pylist() == list(range(262_144, 300_000))
    assert read_all(table, [], only=found[2:], memory=memory).num_rows == 37_856


def test_reading_shares_the_stored_buffers() -> None:
    memory = MemoryTables()
    source = pa.table({"i": pa.array(range(10_000))})
    table = memory.put("t", source)
    before = pa.total_allocated_bytes()
    batches = list(read_split(table, MemorySplit(100, 5000), ["i"], morsel_rows=1000, memory=memory))
    assert sum(batch.num_rows for batch in batches) == 5000
    assert pa.total_allocated_bytes() - before < 1000
    assert batches[0].column(0).buffers()[1].address == source.column("i").chunk(0).buffers()[1].address  # type: ignore[union-attr]


def test_empty_tables() -> None:
    memory = MemoryTables()
    table = memory.put("t", pa.table({"i": pa.array([], pa.int64())}))
    assert splits(table) == ()
    assert read_all(table, memory=memory).num_rows == 0


def test_what_is_not_a_table_is_refused() -> None:
    memory = MemoryTables()
    with pytest.raises(InvalidInput, match="an int is not a table") as caught:
        memory.put("t", 5)
    assert "RecordBatch" in str(caught.value.hint)
    with pytest.raises(InvalidInput, match="does not make a table"):
        memory.put("t", {"a": [1, "x"]})
    with pytest.raises(InvalidInput, match="does not make a table"):
        memory.put("t", {"a": [1], "b": [1, 2]})
    with pytest.raises(InvalidInput, match="two columns are named 'a'"):
        memory.put("t", pa.table([[1], [2]], names=["a", "a"]))


def test_dropped_and_unknown_keys() -> None:
    memory = MemoryTables()
    table = memory.put("t", {"i": [1]})
    memory.drop(table.key)
    with pytest.raises(InternalError, match="no table in memory"):
        memory.get(table.key)
    with pytest.raises(InternalError, match="was given none"):
        list(read_split(table, MemorySplit(0, 1), ["i"], morsel_rows=1))


def test_keys_are_unique_across_threads() -> None:
    memory = MemoryTables()
    keys: list[str] = []
    threads = [
        threading.Thread(target=lambda: keys.extend(memory.put("t", {"i": [1]}).key for _ in range(50))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(keys)) == 400
