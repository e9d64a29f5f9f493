"""`flightmesh config`: what is in effect, from where, and what it means."""

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flightmesh.cli.main import app
from flightmesh.config import Config
from flightmesh.setting_kinds import Role
from flightmesh.settings import load
from flightmesh.settings.keys import PREFIX, keys_of
from tests.cli.running import flightmesh


def config(*args: str | Path, **environ: str) -> Result:
    none = dict.fromkeys((name for name in os.environ if name.startswith(PREFIX)), "")
    return CliRunner().invoke(app, ["config", *map(str, args)], env=none | {"COLUMNS": "100", **environ})


def told(result: Result) -> str:
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "worker.yaml"
    path.write_text("memory: 4GiB\nnode:\n  serve: [orders=/data/orders]\n  port: 9000\n")
    return path


def test_each_value_has_its_origin(file: Path) -> None:
    rows = told(config("worker", "--config", file, FLIGHTMESH_NODE_PORT="9001")).splitlines()
    cells = {row.split()[0]: row.split()[1:] for row in rows[2:]}
    assert list(cells) == [key.path for key in keys_of(Role.WORKER)]
    assert cells["memory"] == ["4GiB", f"{file}:1"]
    assert cells["node.serve"] == ["[orders=/data/orders]", f"{file}:3"]
    assert cells["node.port"] == ["9001", "FLIGHTMESH_NODE_PORT"]
    assert cells["node.mdns"] == ["true", "default"]


def test_json_is_one_key_a_line(file: Path) -> None:
    lines = [json.loads(line) for line in told(config("worker", "--config", file, "--format", "json")).splitlines()]
    assert {"key": "node.serve", "value": ["orders=/data/orders"], "from": f"{file}:3"} in lines
    assert len(lines) == len(keys_of(Role.WORKER))


@pytest.mark.parametrize("role", ["driver", "worker", "embedded"])
def test_yaml_is_a_file_that_says_the_same(role: str, tmp_path: Path) -> None:
    again = tmp_path / "again.yaml"
    again.write_text(
        told(config(role, "--format", "yaml", FLIGHTMESH_NODE_ADVERTISE="10.0.0.1,fe80::1", FLIGHTMESH_MEMORY="9M"))
    )
    found = load(again, Role(role))
    assert found.memory == 9 << 20
    assert found.node.advertise == (() if role == "embedded" else ("10.0.0.1", "fe80::1"))
    assert found.mesh == Config().mesh


def test_without_a_role_it_is_a_query_of_its_own() -> None:
    assert told(config("--format", "yaml")) == told(config("embedded", "--format", "yaml"))


def test_a_key_is_explained() -> None:
    said = told(config("--explain", "node.port"))
    for part in (
        "The port for clients",
        "8815 for a driver",
        "from 0 to 65535",
        "FLIGHTMESH_NODE_PORT",
        "--port (driver, worker)",
    ):
        assert part in said


def test_a_schema_is_printed() -> None:
    assert "node" in json.loads(told(config("driver", "--schema")))["properties"]
    assert "mesh" not in json.loads(told(config("embedded", "--schema")))["properties"]


@pytest.mark.parametrize(
    ("args", "environ", "code", "said"),
    [
        (("wroker",), {}, 2, "did you mean 'worker'?"),
        (("--explain", "node.prot"), {}, 1, "did you mean 'node.port'?"),
        (("worker", "--config", "nowhere.yaml"), {}, 1, "cannot read the configuration nowhere.yaml"),
        (("worker",), {"FLIGHTMESH_NODE_PROT": "1"}, 1, "did you mean FLIGHTMESH_NODE_PORT?"),
        (("worker",), {"FLIGHTMESH_NODE_PORT": "x"}, 1, "the environment variable FLIGHTMESH_NODE_PORT: a whole number"),
    ],
)
def test_mistakes(args: tuple[str, ...], environ: dict[str, str], code: int, said: str) -> None:
    failed = config(*args, **environ)
    assert failed.exit_code == code
    assert said in " ".join(failed.output.replace("│", "").split())


def test_a_token_is_not_shown() -> None:
    for role in Role:
        assert "fm1" not in told(config(role, FLIGHTMESH_TOKEN="fm1.secret"))


def test_variables_reach_a_query() -> None:
    """Those of an embedded session; those of nodes are ignored, and a bad one is named."""
    failed = flightmesh("sql", "select 1", FLIGHTMESH_MEMORY="lots", FLIGHTMESH_NODE_PORT="x")
    assert failed.returncode == 1
    assert failed.stderr.startswith("error: the environment variable FLIGHTMESH_MEMORY: not a size: 'lots'")
