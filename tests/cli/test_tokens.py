"""`flightmesh token`, and commands that use what it makes, at a mesh with TLS."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from flightmesh.trust.authority import fingerprint
from flightmesh.trust.tokens import Kind, new_token, read_token
from tests.cli.running import flightmesh
from tests.node.processes import flightmesh as started
from tests.trust.secured import SecuredMesh, secured_mesh


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMesh]:
    with secured_mesh(tmp_path_factory.mktemp("mesh")) as made:
        yield made


@pytest.fixture
def at(mesh: SecuredMesh) -> tuple[str, ...]:
    """Options that name the mesh's state."""
    return ("--mesh", "lab", "--state", str(mesh.folder / "flightmesh"))


def test_tokens_are_made_listed_rotated_and_revoked(at: tuple[str, ...], mesh: SecuredMesh) -> None:
    made = flightmesh("token", "worker", "--label", "rack 3", "--expires", "12h", *at)
    token = read_token(made.stdout.strip(), Kind.WORKER)
    rotated = read_token(flightmesh("token", "rotate", token.id, *at).stdout.strip())
    said = flightmesh("token", "revoke", rotated.id, *at)
    assert said.stdout.strip() == f"token {rotated.id} is revoked"
    listed = flightmesh("token", *at)
    assert listed.returncode == 0
    assert token.id in listed.stdout and "rack 3" in listed.stdout and "this machine" in listed.stdout
    lines = [json.loads(line) for line in flightmesh("token", "list", "--format", "json", *at).stdout.splitlines()]
    states = {line["id"]: line["state"] for line in lines}
    assert states[token.id] == states[rotated.id] == "revoked"
    for each in (token, rotated):
        assert each.text.partition("-")[2] not in listed.stdout + json.dumps(lines)
        assert each.secret.hex() not in listed.stdout + json.dumps(lines)


def test_a_client_elsewhere_needs_two_files(at: tuple[str, ...], mesh: SecuredMesh, tmp_path: Path) -> None:
    out = tmp_path / "certs"
    assert flightmesh("token", "client", "--out", str(out), *at).returncode == 0
    assert stat.S_IMODE((out / "token").stat().st_mode) == 0o600
    assert fingerprint((out / "ca.pem").read_bytes()) == mesh.state.authority.fingerprint
    elsewhere = {"XDG_STATE_HOME": str(tmp_path / "nowhere")}
    sql = ("sql", "--driver", mesh.address, "select 6 * 7 as answer", "--format", "csv")
    given = flightmesh(*sql, "--token-file", str(out / "token"), **elsewhere)
    assert given.stdout.split() == ["answer", "42"], given.stderr
    nodes = flightmesh("nodes", "--driver", mesh.address, **elsewhere, FLIGHTMESH_TOKEN_FILE=str(out / "token"))
    assert "grpc+tls://127.0.0.1" in nodes.stdout, nodes.stderr
    without = flightmesh(*sql, **elsewhere)
    assert without.returncode == 1
    assert f"the mesh lab at grpc+tls://{mesh.address} asks for a token" in without.stderr
    assert "--token-file" in without.stderr


def test_a_token_file_that_others_can_read_is_not_taken(mesh: SecuredMesh, tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(mesh.token(Kind.CLIENT).text)
    path.chmod(0o644)
    result = flightmesh("nodes", "--driver", mesh.address, "--token-file", str(path))
    assert result.returncode == 1
    assert f"chmod 600 {path}" in result.stderr


def test_on_the_drivers_machine_its_user_needs_no_token(mesh: SecuredMesh) -> None:
    result = flightmesh("jobs", "--driver", mesh.address, XDG_STATE_HOME=str(mesh.folder))
    assert result.returncode == 0, result.stderr


def test_where_a_token_cannot_be_written_none_is_made(at: tuple[str, ...], mesh: SecuredMesh, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = mesh.state.tokens.all()
    result = flightmesh("token", "client", "--out", str(tmp_path / "file" / "certs"), *at)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert mesh.state.tokens.all() == before


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["token", "--mesh", "nowhere"], 1, "there is no mesh nowhere"),
        (["token", "rotate", "c0000000", "--mesh", "lab"], 1, "there is no token 'c0000000'"),
        (["token", "worker", "--expires", "soon", "--mesh", "lab"], 2, "is no span of time"),
        (["token", "list", "--mesh", "No Mesh"], 1, "is no name of a mesh"),
    ],
)
def test_mistakes(mesh: SecuredMesh, args: list[str], code: int, words: str) -> None:
    result = flightmesh(*args, "--state", str(mesh.folder / "flightmesh"))
    assert result.returncode == code
    assert words in result.stderr
    assert "Traceback" not in result.stderr


def test_a_token_that_was_pasted_as_an_address_is_not_shown() -> None:
    token = new_token(Kind.CLIENT, "ab" * 32)
    result = flightmesh("nodes", "--driver", token.text, COLUMNS="200")
    assert result.returncode == 2
    assert token.id in result.stderr
    assert token.text.partition("-")[2] not in result.stderr


def test_init_makes_a_mesh_and_shows_nothing_secret(tmp_path: Path) -> None:
    result = flightmesh("token", "init", "--mesh", "lab", "--state", str(tmp_path))
    assert result.returncode == 0
    for name in ("worker.token", "client.token"):
        assert (tmp_path / "lab" / name).read_text().strip().partition("-")[2] not in result.stdout + result.stderr


def test_up_speaks_tls_and_this_user_needs_no_token(tmp_path: Path) -> None:
    environment = {"XDG_STATE_HOME": str(tmp_path)}
    with started("up", "--workers", "1", "--port", "0", "--slots", "1", "--memory", "256MiB", **environment) as up:
        address = up.wait_said(r"mesh local ready: .* at (\S+:\d+)")[1]
        assert f'flightmesh.connect("grpc+tls://{address}")' in up.said
        result = flightmesh("sql", "--driver", address, "select 6 * 7 as answer", "--format", "csv", **environment)
        assert result.stdout.split() == ["answer", "42"], result.stderr
    secret = (tmp_path / "flightmesh" / "local" / "worker.token").read_text().strip().partition("-")[2]
    assert secret not in up.said
