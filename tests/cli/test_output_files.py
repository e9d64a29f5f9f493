"""What is at the place of `-o` survives: links stay links, pipes stay pipes."""

import io
import json
import os
import stat
import threading
from pathlib import Path

import pyarrow as pa
import pytest

from flightmesh.session.whole_file import opened
from tests.cli.running import flightmesh, rows_of

QUERY = "select id from orders where id < 3 order by id"


def written(orders: Path, target: Path, *more: str) -> None:
    assert rows_of(flightmesh("sql", QUERY, "-r", f"orders={orders}", "-o", target, *more)) == []


def test_a_link_is_followed(orders: Path, tmp_path: Path) -> None:
    (tmp_path / "far").mkdir()
    file, link = tmp_path / "far" / "file.csv", tmp_path / "link.csv"
    file.write_text("the old one\n")
    file.chmod(0o640)
    link.symlink_to(file)
    written(orders, link)
    assert link.is_symlink()
    assert file.read_text() == "id\n0\n1\n2\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["far", "file.csv", "link.csv"]


def test_a_link_that_leads_nowhere_yet(orders: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "new.csv")
    written(orders, link)
    assert link.is_symlink()
    assert (tmp_path / "new.csv").read_text() == "id\n0\n1\n2\n"
    link.unlink()
    link.symlink_to(tmp_path / "nowhere" / "new.csv")
    failed = flightmesh("sql", "select 1 as a", "-o", link)
    assert failed.returncode == 2
    assert "no folder" in failed.stderr


@pytest.mark.parametrize("format", ["csv", "json", "arrow"])
def test_a_pipe_is_written_into(orders: Path, tmp_path: Path, format: str) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_bytes()), daemon=True)
    reader.start()
    written(orders, pipe, "--format", format)
    reader.join(30)
    assert pipe.is_fifo()
    match format:
        case "csv":
            assert got == [b"id\n0\n1\n2\n"]
        case "json":
            assert got == [b'{"id":0}\n{"id":1}\n{"id":2}\n']
        case _:
            assert pa.ipc.open_stream(io.BytesIO(got[0])).read_all().to_pydict() == {"id": [0, 1, 2]}
    assert list(tmp_path.iterdir()) == [pipe]


def test_a_parquet_file_is_not_streamed(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.parquet"
    os.mkfifo(pipe)
    failed = flightmesh("sql", "select 1 as a", "-o", pipe)
    assert failed.returncode == 2
    assert "cannot be streamed" in " ".join(failed.stderr.replace("│", "").split())
    assert pipe.is_fifo()


def test_errors_name_the_target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.csv"

    def denied(**_: object) -> None:
        raise PermissionError(13, "Permission denied", str(tmp_path / ".flightmesh-x.partial"))

    monkeypatch.setattr("tempfile.mkstemp", denied)
    with pytest.raises(PermissionError) as caught, opened(path):
        pass
    assert caught.value.filename == str(path)


def test_a_full_disk_names_the_target_and_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("the old one\n")
    with pytest.raises(OSError, match="No space left") as caught, opened(path) as stream:
        stream.write(b"new")
        raise OSError(28, "No space left on device")
    assert caught.value.filename == str(path)
    assert path.read_text() == "the old one\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_may_not_be_written_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "out.csv"
    path.write_text("the old one\n")
    monkeypatch.setattr("os.access", lambda place, mode: False)  # what a user other than root sees of a file of mode 0444
    with pytest.raises(PermissionError) as caught, opened(path):
        pass
    assert caught.value.filename == str(path)
    assert path.read_text() == "the old one\n"


def test_a_profile_is_written_beside_the_rows(orders: Path, tmp_path: Path) -> None:
    ran = flightmesh("sql", QUERY, "-r", f"orders={orders}", "--format", "csv", "--profile", tmp_path / "slow")
    assert ran.stdout.splitlines() == ["id", "0", "1", "2"]
    assert str(tmp_path / "slow" / "trace.json") in ran.stderr
    assert json.loads((tmp_path / "slow" / "trace.json").read_text())["traceEvents"]
    assert "Stage 0" in "".join(json.loads((tmp_path / "slow" / "profile.json").read_text())["plan"])


def test_a_statement_without_a_query_has_no_profile(tmp_path: Path) -> None:
    ran = flightmesh("sql", "create view v as select 1 as a", "--profile", tmp_path / "none")
    assert (ran.returncode, ran.stderr.strip()) == (0, "no profile: this statement ran no query")
    assert not (tmp_path / "none").exists()
