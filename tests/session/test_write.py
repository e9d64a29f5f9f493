"""What a plan's `write` leaves in place, whatever happens to it."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import pyarrow as pa
import pytest

import flightmesh
from flightmesh.errors import InvalidInput
from flightmesh.session import write
from tests.session.conftest import AnySession


def plan_of(folder: Path, sql: str, target: str) -> Path:
    path = folder / "plan.yaml"
    client = target.replace("}", ", to: client}")
    path.write_text(f'inputs:\n  t: {{table: t}}\nsteps:\n  s: {{sql: "{sql}"}}\nwrite: {client}\n')
    return path


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every batch gets a file."""
    monkeypatch.setattr(write, "PART_ROWS", 1)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_only_parts_of_ours_are_removed(plain: AnySession, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    theirs = ["part-list.csv", "part-0001.csv", "part-00001.csv.csv", "part-00001.json", "part-000001.csv", "my-part-00001.csv"]
    for name in [*theirs, "part-00001.csv", "part-99999.csv"]:
        (folder / name).write_text("of an earlier time")
    plain.run_plan(plan_of(tmp_path, "select k from t where v < 10", "{csv: out/}"))
    assert names(folder) == sorted([*theirs, "part-00000.csv"])


@pytest.mark.usefixtures("small_parts")
def test_a_failure_midway_leaves_every_old_part(plain: AnySession, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    first = plain.run_plan(plan_of(tmp_path, "select v from t", "{csv: out/}")).to_arrow()
    assert first.num_rows > 2, "the rows must make several parts"
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    begun: list[int] = []
    with pytest.MonkeyPatch.context() as patch:

        def rows(batch: pa.RecordBatch) -> bytes:
            begun.append(len(names(folder)))
            if len(begun) == 3:
                raise OSError(28, "No space left on device")
            return b"new\n"

        patch.setattr(write, "csv_rows", rows)
        with pytest.raises(InvalidInput, match=r"cannot write .*out/: No space left"):
            plain.run_plan(plan_of(tmp_path, "select v from t", "{csv: out/}"))
    assert begun[-1] == len(before) + 3, "two parts were whole when the third failed"
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.usefixtures("small_parts")
def test_fewer_parts_replace_more(plain: AnySession, tmp_path: Path) -> None:
    many = plain.run_plan(plan_of(tmp_path, "select v from t", "{parquet: out/}")).to_arrow()
    plain.run_plan(plan_of(tmp_path, "select v from t where v < 5", "{parquet: out/}"))
    assert many.num_rows > len(names(tmp_path / "out"))
    assert plain.sql(f"select count(*), max(v) from '{tmp_path}/out/*.parquet'").to_arrow().to_pylist()[0] == {
        "count_star()": 5,
        "max(v)": 4,
    }


def test_a_users_partial_file_stays(plain: AnySession, tmp_path: Path) -> None:
    (tmp_path / "o.csv.partial").write_text("the user's")
    plain.run_plan(plan_of(tmp_path, "select k from t where v < 1", "{csv: o.csv}"))
    assert (tmp_path / "o.csv.partial").read_text() == "the user's"
    assert names(tmp_path) == ["o.csv", "o.csv.partial", "plan.yaml"]


def test_a_link_is_followed(plain: AnySession, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    (tmp_path / "far" / "o.csv").write_text("the old one")
    (tmp_path / "o.csv").symlink_to(tmp_path / "far" / "o.csv")
    plain.run_plan(plan_of(tmp_path, "select k from t where v < 1", "{csv: o.csv}"))
    assert (tmp_path / "o.csv").is_symlink()
    assert (tmp_path / "far" / "o.csv").read_text() == "k\n0\n"


@pytest.mark.parametrize("kind", ["csv", "json", "arrow"])
def test_a_pipe_is_written_into(plain: AnySession, tmp_path: Path, kind: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    assert (
        plain.run_plan(plan_of(tmp_path, "select k from t where v < 1", f"{{{kind}: pipe}}")).to_arrow()["rows"][0].as_py() == 1
    )
    reader.join(30)
    assert pipe.is_fifo()
    if kind == "arrow":
        assert pa.ipc.open_stream(io.BytesIO(got[0])).read_all().to_pydict() == {"k": [0]}
    else:
        assert got == [b"k\n0\n" if kind == "csv" else b'{"k":0}\n']


def test_what_cannot_be_written_is_named(plain: AnySession, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InvalidInput, match=r"pipe: .* cannot be streamed"):
        plain.run_plan(plan_of(tmp_path, "select k from t where v < 1", "{parquet: pipe}"))
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "folder").mkdir()
    with pytest.raises(InvalidInput, match=r"cannot write .*/folder: Is a directory"):
        plain.run_plan(plan_of(tmp_path, "select k from t where v < 1", "{csv: folder}"))
    with pytest.raises(flightmesh.FlightmeshError) as caught:
        plain.run_plan(plan_of(tmp_path, "select k from t where v < 1", "{csv: plan.yaml/o.csv}"))
    assert ".partial" not in str(caught.value)
    assert "plan.yaml/o.csv" in str(caught.value)


def test_an_opened_plan_writes_once_and_shows_its_progress(plain: AnySession, tmp_path: Path) -> None:
    opened = plain.open_plan(plan_of(tmp_path, "select k from t", "{csv: o.csv}"))
    assert names(tmp_path) == ["plan.yaml"]
    assert opened.progress().rows == 0
    assert [batch.to_pydict() for batch in opened] == [{"file": [str(tmp_path / "o.csv")], "rows": [1_000_000]}]
    assert opened.progress().rows == 1_000_000
    (tmp_path / "o.csv").unlink()
    assert opened.to_arrow()["rows"].to_pylist() == [1_000_000]
    assert names(tmp_path) == ["plan.yaml"]
    assert plain.open_plan(plan_of(tmp_path, "select k from t", "{csv: o.csv}")).schema == opened.to_arrow().schema


def test_a_cancelled_writing_leaves_what_was_there(plain: AnySession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "o.csv").write_text("the old one")
    opened = plain.open_plan(plan_of(tmp_path, "select a.v from t a, t b", "{csv: o.csv}"))

    def cancelling(batch: pa.RecordBatch) -> bytes:
        opened.cancel()
        return b""

    monkeypatch.setattr(write, "csv_rows", cancelling)
    with pytest.raises(flightmesh.errors.Cancelled):
        opened.to_arrow()
    assert (tmp_path / "o.csv").read_text() == "the old one"
    assert names(tmp_path) == ["o.csv", "plan.yaml"]
