import dataclasses
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from flightmesh.config import Config, ExchangeConfig, MeshConfig, PlannerConfig, parse_size
from flightmesh.config_file import load
from flightmesh.errors import InvalidConfig

CONFIGS = Path(__file__).parents[2] / "configs"
EXAMPLE = CONFIGS / "embedded.yaml"


def write(folder: Path, text: str) -> Path:
    path = folder / "settings.yaml"
    path.write_text(text)
    return path


def test_the_example_loads_and_holds_the_defaults() -> None:
    assert load(EXAMPLE) == Config()


def test_the_example_names_every_setting() -> None:
    text = EXAMPLE.read_text().replace("# threads: 8", "threads: 8")
    document = YAML(typ="safe").load(text)
    assert list(document) == [field.name for field in dataclasses.fields(Config)]
    assert list(document["planner"]) == [field.name for field in dataclasses.fields(PlannerConfig)]
    assert list(document["exchange"]) == [field.name for field in dataclasses.fields(ExchangeConfig)]
    assert list(document["mesh"]) == [field.name for field in dataclasses.fields(MeshConfig)]


def test_the_worker_example_holds_the_defaults() -> None:
    assert load(CONFIGS / "worker.yaml") == Config()


def test_the_driver_example_holds_the_defaults() -> None:
    assert load(CONFIGS / "driver.yaml") == Config()


def test_settings_reach_the_config(tmp_path: Path) -> None:
    path = write(tmp_path, "threads: 3\npartitions: 7\nmemory: 4GiB\nplanner: {share_builds: false, broadcast_bytes: 1MB}\n")
    config = load(path)
    assert (config.threads, config.tasks, config.memory) == (3, 7, 4 << 30)
    assert config.planner == PlannerConfig(share_builds=False, broadcast_bytes=1_000_000)


def test_settings_of_a_mesh_reach_the_config(tmp_path: Path) -> None:
    exchange = "exchange: {mode: put, memory: 16MiB, disk: 0, directory: /spill}\n"
    config = load(write(tmp_path, exchange + "mesh: {lost_seconds: 3, heartbeat_seconds: 0.25}\n"))
    assert config.exchange == ExchangeConfig(mode="put", memory=16 << 20, disk=0, directory="/spill")
    assert config.mesh == MeshConfig(lost_seconds=3.0, heartbeat_seconds=0.25)
    assert isinstance(config.mesh.lost_seconds, float)
    assert config.planner == PlannerConfig()


def test_an_empty_file_is_the_default(tmp_path: Path) -> None:
    assert load(write(tmp_path, "# nothing\n")) == Config()


@pytest.mark.parametrize(
    ("text", "message", "hint", "place"),
    [
        ("threads: 2\nmemry: 1GiB\n", "no setting 'memry'", "did you mean 'memory'?", (2, 1)),
        ("planner:\n  share_build: true\n", "no setting 'planner.share_build'", "did you mean 'share_builds'?", (2, 3)),
        ("zzz: 1\n", "no setting 'zzz'", "settings here: threads, partitions", (1, 1)),
        ("threads: 0\n", "threads: Input should be greater than or equal to 1", None, (1, 10)),
        ("threads: two\n", "threads: Input should be a valid integer", None, (1, 10)),
        ("memory: 4 bananas\n", "memory: not a size: '4 bananas'", None, (1, 9)),
        ("dialect: [a]\n", "dialect: Input should be a valid string", None, (1, 10)),
        ("planner: 3\n", "planner: Input should be a valid dictionary", None, (1, 10)),
        ("exchange:\n  mode: pull\n", "exchange.mode: Input should be 'get' or 'put'", None, (2, 9)),
        ("exchange: {disc: 1}\n", "no setting 'exchange.disc'", "did you mean 'disk'?", (1, 12)),
        ("exchange: {disk: much}\n", "exchange.disk: not a size: 'much'", None, (1, 18)),
        ("exchange: {window: 0}\n", "exchange.window: Input should be greater than or equal to 1", None, (1, 20)),
        ("mesh:\n  lost_seconds: 0\n", "mesh.lost_seconds: Input should be greater than 0", None, (2, 17)),
        ("mesh:\n  lost_seconds: .nan\n", "mesh.lost_seconds: Input should be a finite number", None, (2, 17)),
        ("mesh:\n  lost_seconds: soon\n", "mesh.lost_seconds: Input should be a valid number", None, (2, 17)),
        ("mesh:\n  heartbeat: 1\n", "no setting 'mesh.heartbeat'", "did you mean 'heartbeat_seconds'?", (2, 3)),
        ("threads: 1\nthreads: 2\n", "duplicate key", None, (2, 1)),
        ("threads: [1\n", "not valid YAML", None, (2, 1)),
        ("- threads\n", "a configuration is a map of settings", None, (1, 1)),
    ],
)
def test_mistakes_are_placed(tmp_path: Path, text: str, message: str, hint: str | None, place: tuple[int, int]) -> None:
    path = write(tmp_path, text)
    with pytest.raises(InvalidConfig) as caught:
        load(path)
    assert message in caught.value.message
    assert (caught.value.hint or "").startswith(hint or "")
    assert caught.value.position is not None
    assert (caught.value.position.line, caught.value.position.column) == place
    assert f"{path}:{place[0]}:{place[1]}" in str(caught.value)


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
