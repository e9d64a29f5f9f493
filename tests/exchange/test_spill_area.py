"""The folder of an incarnation: made when it is needed, gone with its process, never taken from a living one."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from flightmesh.config import Config, ExchangeConfig
from flightmesh.errors import Cancelled
from flightmesh.exchange.budget import MemoryBudget
from flightmesh.exchange.spill import OWNER, PREFIX, UNBORN, SpillArea, spill_area, sweep_stale
from flightmesh.exchange.store import exchange_store
from flightmesh.physical.partitioning import Single
from tests.exchange.edges import JOB, attempt, batch, long_batch, plan

HOLDER = """
import sys, pyarrow as pa
from flightmesh.exchange.spill import SpillArea
area = SpillArea(sys.argv[1])
place = area.channel("c").write([pa.record_batch({"x": pa.array(range(1000))})])[0]
print(area.folder, flush=True)
sys.stdin.read()
"""


def folders(directory: Path) -> list[Path]:
    return sorted(path for path in directory.iterdir() if path.is_dir())


def test_no_disk_is_touched_before_something_is_spilled(tmp_path: Path) -> None:
    directory = tmp_path / "not" / "there yet"
    area = SpillArea(directory)
    files = area.channel("c")
    assert not directory.exists()
    assert (area.folder, area.limit, area.bytes, area.files) == (None, None, 0, 0)
    place = files.write([batch(1, 2)])[0]
    assert area.folder is not None
    assert area.folder.parent == directory
    assert (area.folder.stat().st_mode & 0o777, place.file.path.stat().st_mode & 0o777) == (0o700, 0o600)
    assert (area.folder / OWNER).read_text() == f"{os.getpid()}\n"
    assert area.limit is not None
    assert area.limit > 0
    area.close()
    area.close()
    assert folders(directory) == []


def test_what_is_let_go_frees_its_file_at_once(tmp_path: Path) -> None:
    area = SpillArea(tmp_path)
    files = area.channel("c")
    first, second = files.write([batch(1), batch(2)])
    first.let_go()
    assert (area.files, second.file.path.exists()) == (1, True)
    second.hold()
    second.let_go()
    second.let_go()
    assert (area.files, area.bytes, second.file.path.exists()) == (0, 0, False)
    third = files.write([batch(3)])[0]
    assert third.file.path != first.file.path
    assert third.read(batch(3).schema).equals(batch(3))


def test_a_forgotten_area_takes_its_folder_with_it(tmp_path: Path) -> None:
    area = SpillArea(tmp_path)
    area.channel("c").write([batch(1)])
    assert len(folders(tmp_path)) == 1
    del area
    gc.collect()
    assert folders(tmp_path) == []


def test_a_closed_area_takes_nothing(tmp_path: Path) -> None:
    area = SpillArea(tmp_path)
    files = area.channel("c")
    place = files.write([batch(1)])[0]
    area.close()
    place.let_go()
    assert area.bytes == 0
    with pytest.raises(Cancelled, match="closed"):
        files.write([batch(1)])
    assert folders(tmp_path) == []


def test_each_incarnation_has_a_folder_of_its_own(tmp_path: Path) -> None:
    areas = [SpillArea(tmp_path) for _ in range(3)]
    places = [area.channel("same").write([batch(i)])[0] for i, area in enumerate(areas)]
    assert len({area.folder for area in areas}) == 3
    assert sweep_stale(tmp_path) == (), "their process lives"
    areas[1].close()
    assert [places[i].read(batch(0).schema).column(0).to_pylist() for i in (0, 2)] == [[0], [2]]


def test_folders_of_the_dead_are_swept_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    held = [
        subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        for _ in range(2)
    ]
    try:
        named = []
        for process in held:
            assert process.stdout is not None
            named.append(Path(process.stdout.readline().strip()))
        assert len(list(named[0].iterdir())) == 2
        assert sweep_stale(tmp_path) == ()
        os.kill(held[0].pid, signal.SIGKILL)
        held[0].wait(20)
        assert named[0].exists(), "a killed process cleans up nothing"
        assert sweep_stale(tmp_path) == (named[0],)
        assert folders(tmp_path) == [named[1]]
        assert sweep_stale(tmp_path) == ()
        held[1].communicate("", 20)
        assert held[1].returncode == 0
        assert folders(tmp_path) == [], "one that ends cleans up"
    finally:
        for process in held:
            if process.poll() is None:
                process.kill()
            process.communicate()


def test_the_next_one_to_spill_sweeps_too(tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-c", HOLDER.replace("sys.stdin.read()", "import os; os._exit(9)"), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    stale = Path(process.stdout.strip())
    assert (process.returncode, stale.exists()) == (9, True)
    area = SpillArea(tmp_path)
    area.channel("c").write([batch(1)])
    assert folders(tmp_path) == [area.folder]


def test_nothing_else_is_swept(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "precious").write_text("rows")
    (tmp_path / f"{PREFIX}link").symlink_to(elsewhere)
    (tmp_path / f"{PREFIX}file").write_text("not a folder")
    (tmp_path / "other-folder").mkdir()
    (tmp_path / f"{UNBORN}now").mkdir()
    old = tmp_path / f"{UNBORN}old"
    old.mkdir()
    os.utime(old, (1, 1))
    assert sweep_stale(tmp_path) == (old,), "a folder that was never finished, after a while"
    assert (elsewhere / "precious").read_text() == "rows"
    assert len(list(tmp_path.iterdir())) == 5
    assert sweep_stale(tmp_path / "nowhere") == ()


def test_the_configuration_says_where_and_how_much(tmp_path: Path) -> None:
    assert spill_area(ExchangeConfig(disk=0)) is None
    area = spill_area(ExchangeConfig(directory=str(tmp_path), disk=1000))
    assert area is not None
    assert (area.directory, area.limit) == (tmp_path, 1000)
    default = exchange_store(MemoryBudget(1000), Config().exchange)
    assert (default.figures().memory_share, default.figures().disk_limit) == (500, None)
    store = exchange_store(MemoryBudget(1 << 20), ExchangeConfig(memory=10_000, directory=str(tmp_path)))
    log = store.open(JOB, plan(Single()))
    log.append(attempt(), [(0, long_batch(0))])
    assert folders(tmp_path) == []
    log.append(attempt(), [(0, long_batch(1000))])
    assert len(folders(tmp_path)) == 1
    store.shut()
    assert folders(tmp_path) == []
