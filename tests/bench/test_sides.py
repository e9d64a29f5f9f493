"""What a person can have got wrong is told before anything is made."""

from __future__ import annotations

from pathlib import Path

import pytest

from flightmesh.bench.command import Wish, bench
from flightmesh.bench.environments import _explained
from flightmesh.bench.plans import Plans
from flightmesh.bench.sides import PEERS, named
from flightmesh.errors import InvalidConfig
from tests.cli.running import flightmesh


def wish(folder: Path, **other: object) -> Wish:
    given = {"benchmark": "tpch", "scale": "0.01", "ours": "embedded", "against": "duckdb", "queries": "", "rounds": 1}
    given |= {
        "threads": (1,),
        "timeout": 60.0,
        "plans": Plans.KEPT,
        "data": None,
        "cache": folder / "cache",
        "out": folder / "out",
        **other,
    }
    return Wish(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize(("other", "says"), [
    ({"against": "duckdb,pollars"}, "--against: 'pollars' is not known\nhint: did you mean polars? there are duckdb, "),
    ({"ours": "embeded"}, "--ours: 'embeded' is not known\nhint: did you mean embedded?"),
    ({"ours": "", "against": " "}, "nothing is to be measured"),
    ({"queries": "1,six"}, "--queries: 'six' is no number of a query"),
    ({"scale": "-1"}, "--scale is a number above 0"),
    ({"scale": "large"}, "--scale is a number above 0"),
    ({"scale": "0.1,,1"}, "--scale is a number above 0, such as 0.1 or 10, not ''"),
    ({"scale": "0.1,1", "data": Path("here")}, "--data is the data of one scale"),
    ({"threads": (100_000,)}, "--threads is 100000, but this process may use"),
])  # fmt: skip
def test_what_is_refused(tmp_path: Path, other: dict[str, object], says: str) -> None:
    with pytest.raises(InvalidConfig) as refused:
        bench(wish(tmp_path, **other), print)
    assert says in refused.value.render()
    assert list(tmp_path.iterdir()) == []


def test_what_only_this_engine_can_run_leaves_peers_out(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    said: list[str] = []
    with pytest.raises(Exception, match="has no Parquet files"):
        bench(wish(tmp_path, benchmark="shuffle", data=tmp_path / "data"), said.append)
    assert said == ["duckdb: left out: shuffle is of this engine only"]


def test_a_peer_without_its_program_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is said to be, before the data, which is not there, ends the command."""
    monkeypatch.setenv("PATH", str(tmp_path))
    (tmp_path / "data").mkdir()
    said: list[str] = []
    with pytest.raises(Exception, match="has no Parquet files"):
        bench(wish(tmp_path, against="spark", data=tmp_path / "data"), said.append)
    assert said == ["spark: left out: it needs java, which is not on this machine's path"]


@pytest.mark.parametrize(("output", "says"), [
    ("WARNING: Retrying: Failed to establish a new connection: [Errno -2] Name or service not known", "no network"),
    ("ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device", "no space left"),
    ("Collecting polars\nERROR: No matching distribution found for polars==9", "No matching distribution found for polars==9"),
])  # fmt: skip
def test_an_environment_that_cannot_be_made(tmp_path: Path, output: str, says: str) -> None:
    (side,) = named("polars", PEERS, "--against")
    error = _explained(side, tmp_path / "environments" / "polars", output)
    assert "polars: " in error.message
    assert says in error.message


@pytest.mark.parametrize("threads", ["two", "0", "1,-2"])
def test_threads_are_numbers(tmp_path: Path, threads: str) -> None:
    done = flightmesh("bench", "tpch", "--threads", threads, "--out", str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "is no number above 0" in done.stderr and "--threads 1,2" in done.stderr


def test_the_help_teaches() -> None:
    text = flightmesh("bench", "--help").stdout
    assert "flightmesh bench tpch" in text.split("Example", 1)[1]
