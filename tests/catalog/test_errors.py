"""Every source that cannot be read: what the error says, and that it helps."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flightmesh
from flightmesh.catalog.open import open_table
from flightmesh.errors import InvalidInput
from tests.catalog.reading import read_all

NOBODY = 65534


def parquet(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table({"v": range(1000)}), path)
    return path


def missing_file(folder: Path) -> object:
    parquet(folder / "orders.parquet")
    return folder / "order.parquet"


def missing_folder(folder: Path) -> object:
    parquet(folder / "lineitem" / "a.parquet")
    return folder / "lineitm" / "a.parquet"


def nothing_like_it(folder: Path) -> object:
    return folder / "qqq.parquet"


def empty_glob(folder: Path) -> object:
    parquet(folder / "a.parquet")
    return folder / "*.csv"


def glob_in_missing_folder(folder: Path) -> object:
    parquet(folder / "data" / "a.parquet")
    return folder / "dat" / "*.parquet"


def empty_folder(folder: Path) -> object:
    (folder / "_SUCCESS").touch()
    return folder


def mixed(folder: Path) -> object:
    parquet(folder / "a.parquet")
    (folder / "b.csv").write_text("v\n1\n")
    return folder


def unknown_extension(folder: Path) -> object:
    (folder / "a.dat").write_text("v\n1\n")
    return folder / "a.dat"


def truncated(folder: Path) -> object:
    path = parquet(folder / "a.parquet")
    path.write_bytes(path.read_bytes()[:-200])
    return path


def cut_short(folder: Path) -> object:
    path = parquet(folder / "a.parquet")
    path.write_bytes(path.read_bytes()[:7])
    return path


def footer_of_another(folder: Path) -> object:
    path = parquet(folder / "a.parquet")
    path.write_bytes(b"PAR1" + path.read_bytes()[-12:])
    return path


def not_parquet(folder: Path) -> object:
    (folder / "a.parquet").write_text("v,w\n1,2\n3,4\n5,6\n")
    return folder / "a.parquet"


def empty_file(folder: Path) -> object:
    (folder / "a.parquet").touch()
    return folder / "a.parquet"


def unknown_scheme(folder: Path) -> object:
    return "gopher://somewhere/a.parquet"


def no_path(folder: Path) -> object:
    return ""


def no_paths(folder: Path) -> object:
    return []


def local_and_remote(folder: Path) -> object:
    return [parquet(folder / "a.parquet"), "s3://bucket/a.parquet"]


CASES: list[tuple[Callable[[Path], object], str, str]] = [
    (missing_file, "order.parquet does not exist", "did you mean .*orders.parquet"),
    (missing_folder, "lineitm/a.parquet does not exist", "did you mean .*lineitem"),
    (nothing_like_it, "qqq.parquet does not exist", "has nothing named 'qqq.parquet'"),
    (empty_glob, r"no file matches .*\*\.csv", "has a.parquet"),
    (glob_in_missing_folder, "dat does not exist", "did you mean .*data"),
    (empty_folder, "has no data files", "hidden"),
    (mixed, "a.parquet is parquet but .*b.csv is csv", r"\*\.parquet"),
    (unknown_extension, "a.dat: the name does not tell the format", "give format="),
    (truncated, "a.parquet is a truncated Parquet file", "again"),
    (cut_short, "a.parquet is not a Parquet file: it has 7 bytes", "interrupted"),
    (footer_of_another, "a.parquet is a damaged Parquet file", "again"),
    (not_parquet, "a.parquet is not a Parquet file", "give format="),
    (empty_file, "a.parquet is not a Parquet file: it has 0 bytes", "interrupted"),
    (unknown_scheme, "no storage is named 'gopher'", "s3://"),
    (no_path, "the path is empty", "give a file"),
    (no_paths, "the list of paths is empty", "give at least one"),
    (local_and_remote, "are mixed", "UNION ALL"),
]


@pytest.mark.parametrize(("make", "message", "hint"), CASES, ids=[case[0].__name__ for case in CASES])
def test_unreadable_sources(tmp_path: Path, make: Callable[[Path], object], message: str, hint: str) -> None:
    source = make(tmp_path)
    with pytest.raises(InvalidInput, match=message) as caught:
        open_table("t", source)  # type: ignore[arg-type]
    assert caught.value.hint is not None
    assert re.search(hint, caught.value.hint), caught.value.hint
    assert "\n  File " not in str(caught.value)


def test_unknown_format_and_options(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet")
    with pytest.raises(InvalidInput, match="no format is named 'orc'") as caught:
        open_table("t", path, format="orc")
    assert "parquet" in str(caught.value.hint)
    with pytest.raises(InvalidInput, match="parquet has no option 'delimiter'"):
        open_table("t", path, options={"delimiter": ";"})


def test_damage_inside_a_parquet_file_shows_when_it_is_read(tmp_path: Path) -> None:
    path = parquet(tmp_path / "a.parquet")
    data = bytearray(path.read_bytes())
    data[4:600] = b"\xff" * 596
    path.write_bytes(data)
    table = open_table("t", path)
    with pytest.raises(InvalidInput, match=r"a\.parquet is a damaged Parquet file") as caught:
        read_all(table)
    assert caught.value.hint


_PROBE = """
import json, os, sys
from flightmesh.catalog.open import open_table
from flightmesh.errors import InvalidInput
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
try:
    open_table("t", sys.argv[2])
except InvalidInput as error:
    print(json.dumps([error.message, error.hint]))
"""


@pytest.mark.parametrize("what", ["file", "folder", "glob", "subfolder"])
def test_without_permission(what: str) -> None:
    """Root may read everything, so as root the question is asked by a process that has become nobody."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        closed = parquet(folder / "in" / "deep" / "a.parquet")
        target = {"file": closed, "folder": folder / "in", "glob": folder / "in", "subfolder": folder / "in" / "deep"}[what]
        source = {"file": closed, "folder": target, "glob": target / "*.parquet", "subfolder": folder / "in"}[what]
        target.chmod(0)
        try:
            user = NOBODY if os.geteuid() == 0 else os.geteuid()
            place = str(Path(flightmesh.__file__).parent.parent)
            done = subprocess.run(
                [sys.executable, "-c", _PROBE, str(user), str(source)],
                env={**os.environ, "PYTHONPATH": place},
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            target.chmod(0o755)
    assert done.returncode == 0, done.stderr
    message, hint = json.loads(done.stdout)
    assert message.endswith("cannot be read: permission denied")
    assert hint
