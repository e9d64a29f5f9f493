"""Limits of control groups, read from folders that look like those of containers, service managers and bare machines."""

import os
from pathlib import Path

import pytest

from flightmesh.cgroup import core_limit, memory_limit
from flightmesh.config import available_cores
from flightmesh.runtime.machine import SHARE, machine_memory
from flightmesh.runtime.machine import memory_limit as budget

GIB = 1 << 30
V1_UNLIMITED = "9223372036854771712"


def machine(root: Path, groups: str, **files: str) -> Path:
    """A root with /proc/self/cgroup and files under /sys/fs/cgroup, in whose names `__` stands for a slash."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = root / "sys/fs/cgroup" / name.replace("__", "/").replace("cpu_cpuacct", "cpu,cpuacct")
        path.parent.mkdir(parents=True, exist_ok=True)
        path = path.with_name(path.name.replace("_", ".", 1))
        path.write_text(text + "\n")
    return root


def test_a_container_sees_its_own_group_as_the_root(tmp_path: Path) -> None:
    root = machine(tmp_path, "0::/\n", memory_max=str(2 * GIB), cpu_max="150000 100000")
    assert (memory_limit(root), core_limit(root)) == (2 * GIB, 2)


def test_the_least_limit_on_the_way_up_counts(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        "0::/flight.slice/worker.service\n",
        **{
            "flight.slice__worker.service__memory_max": str(8 * GIB),
            "flight.slice__memory_max": str(3 * GIB),
            "flight.slice__worker.service__cpu_max": "max 100000",
            "flight.slice__cpu_max": "400000 100000",
        },
    )
    assert (memory_limit(root), core_limit(root)) == (3 * GIB, 4)


def test_a_group_of_its_own_counts_before_wider_ones(tmp_path: Path) -> None:
    files = {"a__memory_max": str(GIB), "memory_max": str(9 * GIB), "a__cpu_max": "50000 100000", "cpu_max": "900000 100000"}
    root = machine(tmp_path, "0::/a\n", **files)
    assert (memory_limit(root), core_limit(root)) == (GIB, 1)


def test_max_is_no_limit(tmp_path: Path) -> None:
    root = machine(tmp_path, "0::/\n", memory_max="max", cpu_max="max 100000")
    assert (memory_limit(root), core_limit(root)) == (None, None)


def test_version_1(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        "4:memory:/docker/f00\n1:cpu,cpuacct:/docker/f00\n",
        memory__docker__f00__memory_limit_in_bytes=str(GIB),
        memory__memory_limit_in_bytes=V1_UNLIMITED,
        cpu_cpuacct__docker__f00__cpu_cfs_quota_us="250000",
        cpu_cpuacct__docker__f00__cpu_cfs_period_us="100000",
        cpu_cpuacct__cpu_cfs_quota_us="-1",
        cpu_cpuacct__cpu_cfs_period_us="100000",
    )
    assert (memory_limit(root), core_limit(root)) == (GIB, 3)


def test_version_1_in_a_container_whose_path_is_the_hosts(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        "4:memory:/docker/f00\n1:cpu:/docker/f00\n",
        memory__memory_limit_in_bytes=str(GIB),
        cpu__cpu_cfs_quota_us="100000",
        cpu__cpu_cfs_period_us="100000",
    )
    assert (memory_limit(root), core_limit(root)) == (GIB, 1)


def test_both_versions_side_by_side(tmp_path: Path) -> None:
    root = machine(
        tmp_path,
        "4:memory:/x\n0::/x\n",
        memory__x__memory_limit_in_bytes=str(2 * GIB),
        unified__x__memory_max=str(4 * GIB),
    )
    assert (memory_limit(root), core_limit(root)) == (2 * GIB, None)


def test_a_group_outside_of_what_the_container_sees(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("1")  # where `..` would lead
    root = machine(tmp_path / "a/b", "0::/../../../..\n", memory_max=str(GIB))
    assert memory_limit(root) == GIB


@pytest.mark.parametrize("groups", ["", "nonsense\n", "0::\n", ":::\n", "0::/gone\n"])
def test_no_groups_are_no_limit(tmp_path: Path, groups: str) -> None:
    root = machine(tmp_path, groups)
    assert (memory_limit(root), core_limit(root)) == (None, None)


@pytest.mark.parametrize("text", ["", "-5", "many", "0", "10 0", "10 20 30"])
def test_what_makes_no_sense_is_no_limit(tmp_path: Path, text: str) -> None:
    root = machine(tmp_path, "0::/\n", memory_max=text, cpu_max=text)
    assert (memory_limit(root), core_limit(root)) == (None, None)


def test_a_machine_without_proc(tmp_path: Path) -> None:
    assert (memory_limit(tmp_path), core_limit(tmp_path)) == (None, None)


def test_slots_and_memory_follow_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flightmesh.config.core_limit", lambda: 1)
    monkeypatch.setattr("flightmesh.runtime.machine.group_limit", lambda: 64 << 20)
    assert available_cores() == 1
    assert machine_memory() == 64 << 20
    assert budget() == int((64 << 20) * SHARE)


def test_limits_above_what_the_machine_has_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flightmesh.config.core_limit", lambda: 10_000)
    monkeypatch.setattr("flightmesh.runtime.machine.group_limit", lambda: int(V1_UNLIMITED))
    assert available_cores() == len(os.sched_getaffinity(0))
    assert machine_memory() == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
