"""One value from four places: a flag goes before a variable, that before the file, that before the default."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from flightmesh.config import Config
from flightmesh.errors import InvalidConfig
from flightmesh.setting_kinds import Role
from flightmesh.settings import BadFlag, effective
from flightmesh.settings.environment import NO_SETTINGS
from flightmesh.settings.keys import KEYS, value_of

ROOT = Path(__file__).parents[2]

FILE = "memory: 1GiB\n"
VARIABLES = {"FLIGHTMESH_MEMORY": "2GiB"}
FLAGS = {"memory": "3GiB"}


@pytest.mark.parametrize(
    ("text", "environ", "flags", "gib", "origin"),
    [
        ("", {}, {}, None, "default"),
        (FILE, {}, {}, 1, "{file}:1"),
        (FILE, VARIABLES, {}, 2, "FLIGHTMESH_MEMORY"),
        (FILE, VARIABLES, FLAGS, 3, "--memory"),
        (FILE, {}, FLAGS, 3, "--memory"),
        ("", VARIABLES, FLAGS, 3, "--memory"),
        (FILE, {"FLIGHTMESH_MEMORY": " "}, {"memory": None}, 1, "{file}:1"),
        (FILE, {"FLIGHTMESH_MEMORY": "null"}, {}, None, "FLIGHTMESH_MEMORY"),
    ],
)
def test_the_order(
    tmp_path: Path, text: str, environ: Mapping[str, str], flags: Mapping[str, Any], gib: int | None, origin: str
) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)
    found = effective(Role.WORKER, file, environ, flags)
    assert found.config.memory == (gib and gib << 30)
    assert found.origin("memory") == origin.format(file=file)
    assert found.origin("threads") == "default"


EXAMPLES = {
    "threads": ("3", 3),
    "partitions": ("5", 5),
    "memory": ("1GiB", 1 << 30),
    "morsel_rows": ("1000", 1000),
    "column_cache": ("1MiB", 1 << 20),
    "idle_seconds": ("2.5", 2.5),
    "dialect": ("spark", "spark"),
    "encode_messages": ("on", True),
    "planner.broadcast_bytes": ("1MB", 1_000_000),
    "planner.share_builds": ("no", False),
    "planner.join_search_relations": ("4", 4),
    "planner.buckets_per_task": ("2", 2),
    "planner.dynamic_filters": ("off", False),
    "planner.plan_cache": ("1MiB", 1 << 20),
    "planner.recursion_turns": ("500", 500),
    "exchange.mode": ("put", "put"),
    "exchange.memory": ("16MiB", 16 << 20),
    "exchange.disk": ("0", 0),
    "exchange.directory": ("/spill", "/spill"),
    "exchange.window": ("1M", 1 << 20),
    "mesh.heartbeat_seconds": ("0.25", 0.25),
    "mesh.silent_seconds": ("1", 1.0),
    "mesh.lost_seconds": ("3", 3.0),
    "mesh.split_affinity": ("true", True),
    "mesh.running_jobs": ("2", 2),
    "mesh.queued_jobs": ("9", 9),
    "mesh.result_seconds": ("60", 60.0),
    "mesh.session_seconds": ("60", 60.0),
    "mesh.history": ("7", 7),
    "mesh.call_seconds": ("5", 5.0),
    "node.name": ("left", "left"),
    "node.mesh": ("lab-2", "lab-2"),
    "node.listen": ("0.0.0.0", "0.0.0.0"),
    "node.port": ("9000", 9000),
    "node.peer_port": ("0", 0),
    "node.advertise": ("10.0.0.1, node.example.org", ("10.0.0.1", "node.example.org")),
    "node.state": ("/state", "/state"),
    "node.driver": ("10.0.0.9:8815", "10.0.0.9:8815"),
    "node.peers": ("a:1,[fe80::1]:2", ("a:1", "[fe80::1]:2")),
    "node.dns": ("drivers.local:8815", "drivers.local:8815"),
    "node.mdns": ("false", False),
    "node.interfaces": ("eth0,10.0.0.1", ("eth0", "10.0.0.1")),
    "node.token_file": ("/secret/token", "/secret/token"),
    "node.insecure": ("1", True),
    "node.serve": ("a=/data/a,b=/data/b", ("a=/data/a", "b=/data/b")),
    "node.serve_replicas": ("c=/c", ("c=/c",)),
    "node.allow_roots": ("/in,s3://bucket/x", ("/in", "s3://bucket/x")),
    "node.certificate_hours": ("0.5", 0.5),
}


def test_the_examples_are_of_all_keys() -> None:
    assert list(EXAMPLES) == list(KEYS)


@pytest.mark.parametrize("path", KEYS)
def test_every_key_has_a_variable(path: str) -> None:
    """It sets the key where that has an effect, under each of its names, and nothing elsewhere."""
    key = KEYS[path]
    text, value = EXAMPLES[path]
    assert value != key.default
    for variable in key.variables:
        for role in Role:
            found = effective(role, environ={variable: text})
            assert value_of(found.config, key) == (value if key.concerns(role) else key.default)
            assert found.origin(path) == (variable if key.concerns(role) else "default")


def test_short_names_stay() -> None:
    short = {variable for key in KEYS.values() for variable in key.variables[:-1]}
    assert short == {"FLIGHTMESH_DRIVER", "FLIGHTMESH_TOKEN_FILE", "FLIGHTMESH_MESH"}


def test_no_two_keys_share_a_variable() -> None:
    variables = [variable for key in KEYS.values() for variable in key.variables]
    assert len(variables) == len(set(variables))


def test_what_is_no_setting_is_left_alone() -> None:
    environ = {
        "FLIGHTMESH_LOG": "json",
        "FLIGHTMESH_DEBUG": "1",
        "FLIGHTMESH_TOKEN": "fm1.x",
        "FLIGHTMESH_SEED": "4",
        "HOME": "/",
    }
    found = effective(Role.WORKER, environ=environ)
    assert (found.config, found.origins) == (Config(), {})


def test_every_variable_that_the_code_names_is_known() -> None:
    known = {variable for key in KEYS.values() for variable in key.variables} | set(NO_SETTINGS)
    sources = (ROOT / "flightmesh").rglob("*.py")
    named = {name for path in sources for name in re.findall(r"FLIGHTMESH_[A-Z_]*[A-Z]\b", path.read_text())}
    assert len(named) > 5
    assert named - known == set()


def test_a_service_nearby_is_no_setting() -> None:
    """Kubernetes names the services of a namespace so; the port of one called `flightmesh-node` looks like a setting."""
    environ = {
        "FLIGHTMESH_SERVICE_HOST": "10.96.0.1",
        "FLIGHTMESH_SERVICE_PORT_CLIENTS": "8815",
        "FLIGHTMESH_PORT": "tcp://10.96.0.1:8815",
        "FLIGHTMESH_PORT_8815_TCP_ADDR": "10.96.0.1",
        "FLIGHTMESH_DRIVER_PORT": "tcp://10.96.0.1:8815",
        "FLIGHTMESH_NODE_PORT": "tcp://10.96.0.1:8815",
    }
    found = effective(Role.WORKER, environ=environ)
    assert (found.config, found.origins) == (Config(), {})


@pytest.mark.parametrize(
    ("environ", "message", "hint"),
    [
        ({"FLIGHTMESH_MEMROY": "1"}, "variable FLIGHTMESH_MEMROY is no setting", "did you mean FLIGHTMESH_MEMORY?"),
        ({"FLIGHTMESH_NODE_PROT": "1"}, "variable FLIGHTMESH_NODE_PROT is no setting", "did you mean FLIGHTMESH_NODE_PORT?"),
        ({"FLIGHTMESH_LOGS": "json"}, "variable FLIGHTMESH_LOGS is no setting", "did you mean FLIGHTMESH_LOG?"),
        (
            {"FLIGHTMESH_NODE_PORT": "many"},
            "FLIGHTMESH_NODE_PORT: a whole number from 0 to 65535 is expected, not 'many'",
            None,
        ),
        ({"FLIGHTMESH_MEMORY": "lots"}, "FLIGHTMESH_MEMORY: not a size: 'lots'", None),
        ({"FLIGHTMESH_THREADS": "null"}, "FLIGHTMESH_THREADS: a whole number of at least 1 is expected, not 'null'", None),
        ({"FLIGHTMESH_NODE_MDNS": "maybe"}, "FLIGHTMESH_NODE_MDNS: true or false is expected, not 'maybe'", None),
        ({"FLIGHTMESH_NODE_SERVE": "a=/a,b"}, "FLIGHTMESH_NODE_SERVE: NAME=PATH is expected", None),
        ({"FLIGHTMESH_MESH": "a", "FLIGHTMESH_NODE_MESH": "b"}, "are the same setting, node.mesh", "set one of them"),
    ],
)
def test_a_bad_variable_is_named(environ: Mapping[str, str], message: str, hint: str | None) -> None:
    with pytest.raises(InvalidConfig) as caught:
        effective(Role.WORKER, environ=environ)
    assert message in caught.value.message
    assert caught.value.hint == hint


def test_a_bad_flag_is_named() -> None:
    with pytest.raises(BadFlag, match="a whole number from 0 to 65535") as caught:
        effective(Role.DRIVER, flags={"node.port": 70000})
    assert caught.value.flag == "--port"
    with pytest.raises(BadFlag, match="at least 1 byte") as caught:
        effective(Role.WORKER, flags={"memory": "0"})
    assert caught.value.flag == "--memory"
