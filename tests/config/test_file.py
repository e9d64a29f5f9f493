from pathlib import Path

import pytest

from flightmesh.config import Config, ExchangeConfig, MeshConfig, PlannerConfig, parse_size
from flightmesh.errors import InvalidConfig
from flightmesh.setting_kinds import Role
from flightmesh.settings import load


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_settings_reach_the_config(tmp_path: Path) -> None:
    path = write(tmp_path, "threads: 3\npartitions: 7\nmemory: 4GiB\nplanner: {share_builds: false, broadcast_bytes: 1MB}\n")
    config = load(path)
    assert (config.threads, config.tasks, config.memory) == (3, 7, 4 << 30)
    assert config.planner == PlannerConfig(share_builds=False, broadcast_bytes=1_000_000)


def test_settings_of_a_driver_and_of_a_worker(tmp_path: Path) -> None:
    driver = load(write(tmp_path, "exchange: {mode: put}\nmesh: {lost_seconds: 3, heartbeat_seconds: 0.25}\n"), Role.DRIVER)
    assert driver.exchange == ExchangeConfig(mode="put")
    assert driver.mesh == MeshConfig(lost_seconds=3.0, heartbeat_seconds=0.25)
    assert isinstance(driver.mesh.lost_seconds, float)
    assert driver.planner == PlannerConfig()
    worker = load(write(tmp_path, "exchange: {memory: 16MiB, disk: 0, directory: /spill}\n"), Role.WORKER)
    assert worker.exchange == ExchangeConfig(memory=16 << 20, disk=0, directory="/spill")


@pytest.mark.parametrize("text", ["# nothing\n", "planner:\n  # share_builds: true\n", "memory: null\n"])
def test_what_says_nothing_is_the_default(tmp_path: Path, text: str) -> None:
    assert load(write(tmp_path, text)) == Config()


def test_lists_and_homes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    text = "node:\n  peers: ['a:8815', '10.0.0.2:8815']\n  serve:\n  - orders=~/orders\n  allow_roots: [~/in, s3://b/x]\n"
    node = load(write(tmp_path, text), Role.WORKER).node
    assert node.peers == ("a:8815", "10.0.0.2:8815")
    assert node.serve == ("orders=/home/ann/orders",)
    assert node.allow_roots == ("/home/ann/in", "s3://b/x")


EVERYWHERE = [
    ("threads: 2\nmemry: 1GiB\n", "no setting 'memry'", "did you mean 'memory'?", (2, 1)),
    ("planner:\n  share_build: true\n", "no setting 'planner.share_build'", "did you mean 'share_builds'?", (2, 3)),
    ("zzz: 1\n", "no setting 'zzz'", "settings here: threads, partitions", (1, 1)),
    ("7: 1\n", "no setting '7'", "settings here: threads, partitions", (1, 1)),
    ("plannr: {}\n", "no setting 'plannr'", "did you mean 'planner'?", (1, 1)),
    ("buckets_per_task: 1\n", "no setting 'buckets_per_task'", "it is written as 'planner.buckets_per_task'", (1, 1)),
    ("planner: {memory: 1}\n", "no setting 'planner.memory'", "it is written as 'memory' or 'exchange.memory'", (1, 11)),
    ("planner.share_builds: true\n", "no setting 'planner.share_builds'", "", (1, 1)),
    ("threads: 0\n", "threads: a whole number of at least 1 is expected, not 0", None, (1, 10)),
    ("threads: two\n", "threads: a whole number of at least 1 is expected, not 'two'", None, (1, 10)),
    ("threads: null\n", "threads: a whole number of at least 1 is expected, not null", None, (1, 10)),
    ("threads: true\n", "threads: a whole number of at least 1 is expected, not True", None, (1, 10)),
    ("memory: 4 bananas\n", "memory: not a size: '4 bananas'", None, (1, 9)),
    ("memory: [1]\n", "memory: a size is expected, such as 4GiB or a number of bytes, not [1]", None, (1, 9)),
    ("dialect: [a]\n", "dialect: a text is expected", None, (1, 10)),
    ("planner: 3\n", "planner: a map of settings is expected, not 3", None, (1, 10)),
    ("planner: {share_builds: yes}\n", "planner.share_builds: true or false is expected, not 'yes'", None, (1, 25)),
    ("exchange: {disc: 1}\n", "no setting 'exchange.disc'", "did you mean 'disk'?", (1, 12)),
    ("exchange: {disk: much}\n", "exchange.disk: not a size: 'much'", None, (1, 18)),
    ("exchange: {memory: 0}\n", "exchange.memory: at least 1 byte is expected, not 0", None, (1, 20)),
    ("threads: 1\nthreads: 2\n", "duplicate key", None, (2, 1)),
    ("threads: [1\n", "not valid YAML", None, (2, 1)),
    ("- threads\n", "a configuration is a map of settings", None, (1, 1)),
    ("mesh:\n  lost_seconds: 3\n", "mesh.lost_seconds is a setting of driver: it has no effect for embedded", None, (2, 3)),
]
OF_A_DRIVER = [
    ("exchange:\n  mode: puts\n", "exchange.mode: get or put is expected, not 'puts'", "did you mean 'put'?", (2, 9)),
    ("exchange: {window: 0}\n", "exchange.window: at least 1 byte is expected, not 0", None, (1, 20)),
    ("mesh:\n  lost_seconds: 0\n", "mesh.lost_seconds: a number of seconds above 0 is expected, not 0", None, (2, 17)),
    ("mesh:\n  lost_seconds: .nan\n", "mesh.lost_seconds: a number of seconds above 0 is expected, not nan", None, (2, 17)),
    ("mesh:\n  lost_seconds: soon\n", "mesh.lost_seconds: a number of seconds above 0 is expected", None, (2, 17)),
    ("mesh:\n  heartbeat: 1\n", "no setting 'mesh.heartbeat'", "did you mean 'heartbeat_seconds'?", (2, 3)),
    ("node:\n  serve: [a=/b]\n", "node.serve is a setting of worker: it has no effect for driver", None, (2, 3)),
    ("node: {port: 70000}\n", "node.port: a whole number from 0 to 65535 is expected, not 70000", None, (1, 14)),
    ("node: {advertise: 10.0.0.1}\n", "node.advertise: a list is expected", None, (1, 19)),
    ("node: {advertise: [a b]}\n", "node.advertise: a host is expected", None, (1, 19)),
    ("node: {advertise: ['10.0.0.1:8815']}\n", "node.advertise: a host is expected", None, (1, 19)),
    ("node: {mesh: Our Mesh}\n", "node.mesh: a name of small letters, digits and - is expected", None, (1, 14)),
    ("node: {mdns: 1}\n", "node.mdns: true or false is expected, not 1", None, (1, 14)),
]
OF_A_WORKER = [
    (
        "node: {serve: [orders]}\n",
        "node.serve: NAME=PATH is expected, such as orders=/data/orders, not 'orders'",
        None,
        (1, 15),
    ),
    ("node: {driver: somewhere}\n", "node.driver: HOST:PORT is expected", None, (1, 16)),
    (
        "node: {certificate_hours: 1}\n",
        "node.certificate_hours is a setting of driver: it has no effect for worker",
        None,
        (1, 8),
    ),
]
MISTAKES = [
    (role, *mistake)
    for role, mistakes in ((Role.EMBEDDED, EVERYWHERE), (Role.DRIVER, OF_A_DRIVER), (Role.WORKER, OF_A_WORKER))
    for mistake in mistakes
]


@pytest.mark.parametrize(("role", "text", "message", "hint", "place"), MISTAKES)
def test_mistakes_are_placed(
    tmp_path: Path, role: Role, text: str, message: str, hint: str | None, place: tuple[int, int]
) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InvalidConfig) as caught:
        load(path, role)
    assert message in caught.value.message
    assert (caught.value.hint or "").startswith(hint or "")
    assert caught.value.position is not None
    assert (caught.value.position.line, caught.value.position.column) == place
    assert f"{path}:{place[0]}:{place[1]}" in str(caught.value)


def test_a_client_reads_the_same_file_as_a_session_of_its_own(tmp_path: Path) -> None:
    path = write(tmp_path, "threads: 3\nnode: {token_file: /t}\n")
    assert load(path, Role.EMBEDDED) == load(path, Role.CLIENT)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfig, match=r"nowhere\.yaml: No such file"):
        load(tmp_path / "nowhere.yaml")


@pytest.mark.parametrize(
    ("text", "size"),
    [("4GiB", 4 << 30), ("500MB", 500_000_000), ("2g", 2 << 30), ("1.5 kib", 1536), ("17", 17), (17, 17), ("0", 0)],
)
def test_sizes(text: str | int, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "GiB", "-1", "4 XB", "1e9"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="not a size"):
        parse_size(text)
