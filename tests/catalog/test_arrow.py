"""Arrow IPC files and streams."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc
import pytest

from flightmesh.catalog.metrics import ReadMetrics
from flightmesh.catalog.open import open_table
from flightmesh.catalog.scan import splits
from flightmesh.catalog.statistics import statistics
from flightmesh.errors import InvalidInput
from tests.catalog.reading import read_all

TABLE = pa.table(
    {
        "i": pa.array(range(5000), pa.int64()),
        "t": pa.array([f"n{row % 7}" for row in range(5000)]).dictionary_encode(),
        "v": pa.array([f"v{row}" for row in range(5000)], pa.string_view()),
    }
)


def put(path: Path, batch_rows: int, compression: str | None = None) -> Path:
    options = ipc.IpcWriteOptions(compression=compression)
    new = ipc.new_stream if path.suffix == ".arrows" else ipc.new_file
    with new(path, TABLE.schema, options=options) as writer:
        writer.write_table(TABLE, max_chunksize=batch_rows)
    return path


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("name", ["a.arrow", "a.ipc", "a.arrows"])
def test_files_and_streams(tmp_path: Path, name: str, compression: str | None) -> None:
    table = open_table("t", put(tmp_path / name, 700, compression))
    assert table.schema == pa.schema([("i", pa.int64()), ("t", pa.string()), ("v", pa.string())])
    assert read_all(table).to_pydict() == TABLE.to_pydict()
    assert read_all(table, ["v", "i"]).to_pydict() == TABLE.select(["v", "i"]).to_pydict()
    assert read_all(table, []).num_rows == 5000


def test_feather(tmp_path: Path) -> None:
    feather.write_feather(TABLE.select(["i"]), tmp_path / "a.feather")
    assert read_all(open_table("t", tmp_path / "a.feather")).column("i").to_pylist() == list(range(5000))


def test_the_content_tells_file_from_stream(tmp_path: Path) -> None:
    put(tmp_path / "a.arrows", 700).rename(tmp_path / "a.arrow")
    assert read_all(open_table("t", tmp_path / "a.arrow")).num_rows == 5000


def test_splits_are_groups_of_record_batches(tmp_path: Path) -> None:
    big = pa.table({"i": pa.array(range(300_000), pa.int32())})
    with ipc.new_file(tmp_path / "a.arrow", big.schema) as writer:
        writer.write_table(big, max_chunksize=50_000)
    table = open_table("t", tmp_path / "a.arrow")
    found = splits(table)
    assert [split.pieces for split in found] == [(0, 1), (2, 3), (4, 5)]  # type: ignore[union-attr]
    assert [split.rows for split in found] == [100_000] * 3
    assert sum(split.bytes for split in found) <= table.files[0].size
    assert read_all(table, only=found[1:2]).column("i").to_pylist() == list(range(100_000, 200_000))
    assert statistics(table).rows == 300_000


def test_only_the_asked_columns_are_decoded(tmp_path: Path) -> None:
    metrics = ReadMetrics()
    read_all(open_table("t", put(tmp_path / "a.arrow", 700)), ["i"], metrics=metrics)
    assert metrics.columns == {"i"}
    assert metrics.bytes == 5000 * 8


def test_damaged_files(tmp_path: Path) -> None:
    whole = put(tmp_path / "a.arrow", 700).read_bytes()
    for content, problem in ((whole[:-50], "truncated"), (b"hello, this is text", "not an Arrow file"), (b"", "is empty")):
        (tmp_path / "b.arrow").write_bytes(content)
        with pytest.raises(InvalidInput, match=problem) as caught:
            open_table("t", tmp_path / "b.arrow")
        assert caught.value.hint
    cut = put(tmp_path / "c.arrows", 700).read_bytes()
    (tmp_path / "c.arrows").write_bytes(cut[: len(cut) // 2])
    with pytest.raises(InvalidInput, match="damaged"):
        read_all(open_table("t", tmp_path / "c.arrows"))
