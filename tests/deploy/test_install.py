"""nodes/install.sh in a fresh Debian: what it installs works, a second run changes no settings, and it goes without a trace."""

import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import flightmesh
from tests.deploy.debian_root import CHECKOUT, DebianRoot, debian_root
from tests.deploy.manifests import services
from tests.packages import need

SCRIPT = CHECKOUT / "nodes" / "install.sh"
AS_THE_USER = ("setpriv", "--reuid=flightmesh", "--regid=flightmesh", "--clear-groups", "env", "HOME=/nowhere")
pytestmark = pytest.mark.xdist_group("install")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRoot]:
    made = debian_root(tmp_path_factory.mktemp("debian"))
    yield made
    shutil.rmtree(made.path)  # pytest keeps folders of earlier runs, and this one is large


def succeeded(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_script_is_sound() -> None:
    for check in (["sh", "-n"], [need("shellcheck"), "--shell=sh"]):
        checked = subprocess.run([*check, SCRIPT], capture_output=True, text=True, check=False)
        assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--sauce", "x"], "unknown: --sauce"),
        (["--source"], "--source needs a value"),
        (["--prefix", "opt"], "--prefix has to be an absolute path"),
        (["--prefix", "//", "--uninstall"], "--prefix has to be an absolute path"),
    ],
)
def test_what_it_does_not_understand_it_does_not_do(arguments: list[str], said: str) -> None:
    refused = subprocess.run([SCRIPT, *arguments], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert said in refused.stderr


def test_a_bare_debian_becomes_a_node(root: DebianRoot) -> None:
    """One test of several steps: the root is made once, and each step begins with what the one before it left."""
    assert not (root.path / "usr/bin/python3").exists()
    said = succeeded(root.run("/checkout/nodes/install.sh", "--source", "/checkout"))
    assert said.endswith(f"install.sh: installed flightmesh {flightmesh.__version__} in /opt/flightmesh\n")
    assert "no systemd here, no units" in said
    assert succeeded(root.run("flightmesh", "--version")) == f"flightmesh {flightmesh.__version__}\n"
    query = "select sum(x) as total, count(*) as n from (values (40), (2)) t(x)"
    assert succeeded(root.run(*AS_THE_USER, "flightmesh", "sql", query, "--format", "csv")) == "total,n\n42,2\n"
    _check_tokens_are_made(root)
    _check_a_second_run(root)
    _check_it_goes(root)
    mounts = Path("/proc/self/mounts").read_text()
    assert str(root.path) not in mounts


def _check_tokens_are_made(root: DebianRoot) -> None:
    """What the compose file does before the driver starts, and again when it starts anew."""
    script = services()["token"]["command"][0].replace("$$", "$")
    said = [succeeded(root.run("sh", "-ec", script)) for _ in range(2)]
    state, token = root.path / "var/lib/flightmesh/flightmesh", root.path / "run/join/token"
    assert token.read_bytes() == (state / "worker.token").read_bytes()
    assert token.read_text().strip() not in "".join(said)
    owner = (root.path / "var/lib/flightmesh").stat().st_uid
    assert owner != 0
    seen = [(path.stat().st_uid, stat.S_IMODE(path.stat().st_mode)) for path in (token, state / "ca.key")]
    assert seen == [(owner, 0o400), (owner, 0o600)]


def _check_a_second_run(root: DebianRoot) -> None:
    settings = root.path / "etc/flightmesh"
    assert (settings / "driver.yaml").read_text() == (CHECKOUT / "configs/driver.yaml").read_text()
    (settings / "worker.yaml").write_text("threads: 1\n")
    systemctl = root.path / "usr/local/bin/systemctl"
    systemctl.write_text("#!/bin/sh\nexit 1\n")
    systemctl.chmod(0o755)
    said = succeeded(root.run("/checkout/nodes/install.sh"))
    assert "kept /etc/flightmesh/worker.yaml" in said
    assert (settings / "worker.yaml").read_text() == "threads: 1\n"
    for node in ("driver", "worker"):
        unit = f"flightmesh-{node}.service"
        placed = root.path / "etc/systemd/system" / unit
        assert placed.read_text() == (CHECKOUT / "nodes/systemd" / unit).read_text()


def _check_it_goes(root: DebianRoot) -> None:
    kept = root.run("/checkout/nodes/install.sh", "--uninstall", "--prefix", "/usr/share")
    assert kept.returncode == 1
    assert "/usr/share holds no flightmesh: left as it is" in kept.stderr
    assert (root.path / "usr/share/doc").is_dir()
    succeeded(root.run("/checkout/nodes/install.sh", "--uninstall"))
    gone = ("opt/flightmesh", "usr/local/bin/flightmesh", "etc/systemd/system/flightmesh-worker.service")
    assert [path for path in gone if (root.path / path).exists()] == []
    assert "flightmesh" not in (root.path / "etc/passwd").read_text()
    assert (root.path / "etc/flightmesh/worker.yaml").read_text() == "threads: 1\n"
    succeeded(root.run("/checkout/nodes/install.sh", "--uninstall"))
