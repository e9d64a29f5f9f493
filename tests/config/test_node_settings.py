"""Flags, variables and files reach what a node is made of: each setting of the section `node`, and of the rest of a command."""

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command
from typer.testing import CliRunner

from flightmesh.catalog.table import Copy
from flightmesh.cli import settings
from flightmesh.cli.main import app
from flightmesh.cli.places import driver_place, worker_place
from flightmesh.config import Config, NodeConfig
from flightmesh.node.driver_node import DriverPlace
from flightmesh.setting_kinds import PREFIX, Role
from flightmesh.settings import effective
from flightmesh.settings.example import written
from flightmesh.settings.keys import Key, keys_of, value_of
from flightmesh.trust.certificates import lifetime
from flightmesh.trust.state import MeshState, open_state
from tests.config.test_effective import EXAMPLES

NODES = (Role.DRIVER, Role.WORKER)
KEYS = [(role, key) for role in NODES for key in keys_of(role)]
FLAGS = [(role, key) for role, key in KEYS if key.flag(role)]


def named(cases: list[tuple[Role, Key]]) -> Any:
    return pytest.mark.parametrize(("role", "key"), cases, ids=[f"{role}-{key.path}" for role, key in cases])


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """Runs a command up to where it has its settings."""
    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)
    seen: list[Config] = []
    original = settings.settings_of

    def settings_of(*given: Any) -> Config:
        seen.append(original(*given))
        raise typer.Exit(0)

    def start(role: Role, *args: str, **environ: str) -> Config:
        result = CliRunner().invoke(app, [role, *args], env=environ)
        assert result.exit_code == 0, result.output
        return seen.pop()

    monkeypatch.setattr(settings, "settings_of", settings_of)
    return start


@named(FLAGS)
def test_a_flag_reaches_the_settings(role: Role, key: Key, started: Callable[..., Config]) -> None:
    text, value = EXAMPLES[key.path]
    flag = key.flag(role)
    assert flag is not None
    if isinstance(value, bool):
        arguments = [flag]
    else:
        arguments = [part for item in (value if isinstance(value, tuple) else [text]) for part in (flag, str(item))]
    assert value_of(started(role, *arguments), key) == value


@named(KEYS)
def test_a_variable_and_a_file_reach_the_settings(role: Role, key: Key, started: Callable[..., Config], tmp_path: Path) -> None:
    text, value = EXAMPLES[key.path]
    assert value_of(started(role, **{key.variables[-1]: text}), key) == value
    line = f"{key.name}: {written(key, value)}"
    file = tmp_path / "node.yaml"
    file.write_text(f"{key.section}: {{{line}}}" if key.section else line)
    assert value_of(started(role, "--config", str(file)), key) == value


@pytest.mark.parametrize("role", NODES)
def test_every_option_of_a_node_is_a_setting_or_said_not_to_be(role: Role) -> None:
    """The other way round: no flag that a file or a variable could not give."""
    command = get_command(app).commands[role]  # type: ignore[attr-defined]
    options = {name for parameter in command.params for name in parameter.opts if name.startswith("--")}
    flags = {key.flag(role) for key in keys_of(role)} - {None}
    assert options - flags - {"--help"} == ({"--config"} if role is Role.DRIVER else {"--config", "--token"})
    assert flags <= options


@pytest.fixture
def state(tmp_path: Path) -> MeshState:
    return open_state(tmp_path / "state", "flightmesh")


def node(role: Role, of: MeshState, **variables: str) -> NodeConfig:
    token = {"FLIGHTMESH_NODE_TOKEN_FILE": str(of.folder / "worker.token")} if role is Role.WORKER else {}
    kept = {"FLIGHTMESH_NODE_STATE": str(of.folder.parent)} | token
    return effective(
        role, environ=kept | {f"FLIGHTMESH_NODE_{name.upper()}": text for name, text in variables.items()}
    ).config.node


def certificate_seconds(place: DriverPlace) -> float:
    """How long what the driver shows is good from now on."""
    assert place.security is not None
    return lifetime(place.security.for_clients().tls.certificate)[1] - time.time()


DRIVER_EFFECTS: list[tuple[str, str, Callable[[Any], Any], Any]] = [
    ("mesh", "lab", lambda place: (place.security.state.mesh, place.lan.mesh), ("lab", "lab")),
    ("listen", "10.0.0.5", lambda place: place.listen, "grpc+tls://10.0.0.5:8815"),
    ("port", "9000", lambda place: place.listen, "grpc+tls://0.0.0.0:9000"),
    ("peer_port", "9001", lambda place: place.peer_port, 9001),
    ("advertise", "a.example,10.1.1.1", lambda place: place.advertise, ("a.example", "10.1.1.1")),
    ("state", "{other}", lambda place: str(place.security.state.folder), "{other}/flightmesh"),
    ("mdns", "no", lambda place: place.lan, None),
    ("interfaces", "lo", lambda place: place.lan.interfaces, ("lo",)),
    ("insecure", "yes", lambda place: (place.security, place.listen), (None, "grpc://127.0.0.1:8815")),
    ("allow_roots", "{other}", lambda place: place.roots.folders, ("{other}",)),
    ("certificate_hours", "0.5", lambda place: round(certificate_seconds(place) / 60), 30),
]
WORKER_EFFECTS: list[tuple[str, str, Callable[[Any], Any], Any]] = [
    ("name", "left", lambda made: made[0].name, "left"),
    ("mesh", "lab", lambda made: (made[0].lan.mesh, made[1].mesh), ("lab", "lab")),
    ("listen", "10.0.0.5", lambda made: made[0].listening.nodes, "grpc+tls://10.0.0.5:8818"),
    ("port", "9000", lambda made: (made[0].listening.clients, made[0].listening.spare), ("grpc+tls://0.0.0.0:9000", None)),
    ("peer_port", "9001", lambda made: made[0].listening.nodes, "grpc+tls://0.0.0.0:9001"),
    ("advertise", "a.example", lambda made: made[0].listening.advertise, ("a.example",)),
    ("driver", "10.0.0.9:8815", lambda made: made[1].driver, "grpc+tls://10.0.0.9:8815"),
    ("peers", "a:1,b:2", lambda made: made[1].peers, ("a:1", "b:2")),
    ("dns", "drivers:8815", lambda made: made[1].dns, "drivers:8815"),
    ("mdns", "no", lambda made: (made[0].lan, made[1].mdns), (None, False)),
    ("interfaces", "lo", lambda made: (made[0].lan.interfaces, made[1].interfaces), (("lo",), ("lo",))),
    ("insecure", "yes", lambda made: (made[0].security, made[0].listening.nodes), (None, "grpc://127.0.0.1:0")),
    ("serve", "t={other}", lambda made: [(o.name, o.path, o.copy) for o in made[0].offers], [("t", "{other}", Copy.PART)]),
    ("serve_replicas", "t={other}", lambda made: [(o.name, o.copy) for o in made[0].offers], [("t", Copy.REPLICA)]),
    ("allow_roots", "{other}", lambda made: made[0].roots.folders, ("{other}",)),
]


def placed(expected: Any, folder: Path) -> Any:
    """The expected value with the folder in its texts."""
    if isinstance(expected, str):
        return expected.replace("{other}", str(folder))
    return type(expected)(placed(part, folder) for part in expected) if isinstance(expected, tuple | list) else expected


@pytest.mark.parametrize(("name", "text", "effect", "expected"), DRIVER_EFFECTS, ids=[row[0] for row in DRIVER_EFFECTS])
def test_a_setting_has_its_effect_on_a_driver(
    name: str, text: str, effect: Callable[[Any], Any], expected: Any, state: MeshState, tmp_path: Path
) -> None:
    usual = effect(driver_place(node(Role.DRIVER, state)))
    found = effect(driver_place(node(Role.DRIVER, state, **{name: placed(text, tmp_path)})))
    assert found == placed(expected, tmp_path)
    assert found != usual


@pytest.mark.parametrize(("name", "text", "effect", "expected"), WORKER_EFFECTS, ids=[row[0] for row in WORKER_EFFECTS])
def test_a_setting_has_its_effect_on_a_worker(
    name: str, text: str, effect: Callable[[Any], Any], expected: Any, state: MeshState, tmp_path: Path
) -> None:
    usual = effect(worker_place(node(Role.WORKER, state), None))
    found = effect(worker_place(node(Role.WORKER, state, **{name: placed(text, tmp_path)}), None))
    assert found == placed(expected, tmp_path)
    assert found != usual


def test_the_token_file_says_which_mesh_is_trusted(state: MeshState, tmp_path: Path) -> None:
    another = open_state(tmp_path / "another", "flightmesh")
    found = [worker_place(node(Role.WORKER, of), None)[0].security for of in (state, another)]
    assert [each and each.fingerprint for each in found] == [state.authority.fingerprint, another.authority.fingerprint]


def test_no_key_of_a_node_is_without_its_effect() -> None:
    driver, worker = ({key.name for key in keys_of(role) if key.section == "node"} for role in NODES)
    assert driver == {row[0] for row in DRIVER_EFFECTS}
    assert worker == {row[0] for row in WORKER_EFFECTS} | {"token_file"}
