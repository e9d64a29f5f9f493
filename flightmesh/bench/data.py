"""The data of TPC's benchmarks, as `tpcgen-cli` writes it.

Handed a benchmark and a scale; hands on the path of each table. What always holds: a folder of generated data is whole, or it
is not there; data of a person's own is only read.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from flightmesh.errors import InvalidConfig, InvalidInput

BENCHMARKS = ("tpch", "tpcds")


def generate(folder: Path, benchmark: str, scale: str, *options: str) -> Path:
    """Fills `folder` by tpcgen-cli unless it is there. Raises InvalidConfig when that program is not, or fails."""
    if folder.is_dir():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{folder.name}-") as around:
        made = Path(around) / "data"
        made.mkdir()
        command = [str(_generator()), benchmark, "parquet", "-s", scale, *options, "-o", str(made)]
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            raise _explained(benchmark, scale, folder.parent, done.stderr or done.stdout)
        try:
            made.rename(folder)
        except OSError:
            if not folder.is_dir():  # another process was faster
                raise
    return folder


def _generator() -> Path:
    """The console script of the package tpcgen-cli, beside this Python or on the path."""
    beside = Path(sys.executable).with_name("tpcgen-cli")
    found = beside if beside.exists() else shutil.which("tpcgen-cli")
    if found is None:
        raise InvalidConfig(
            "tpcgen-cli is not installed", hint="pip install 'flightmesh[bench]', or name your own data: --data DIR"
        )
    return Path(found)


def _explained(benchmark: str, scale: str, place: Path, output: str) -> InvalidConfig:
    if "No space left" in output or "os error 28" in output:
        return InvalidConfig(
            f"no space left in {place} for {benchmark} at scale {scale}", hint="name another folder: --cache DIR"
        )
    return InvalidConfig(f"tpcgen-cli could not make {benchmark} at scale {scale}: {' '.join(output.split())[-400:]}")


def tables_of(folder: Path) -> dict[str, str]:
    """The tables of a folder: `NAME.parquet`, or a folder NAME with files. Raises InvalidInput when there is none."""
    found = {path.stem: str(path) for path in folder.glob("*.parquet") if path.is_file()}
    found |= {path.parent.name: str(path.parent / "*.parquet") for path in folder.glob("*/*.parquet")}
    if not found:
        raise InvalidInput(
            f"{folder} has no Parquet files", hint="a file NAME.parquet for each table, or a folder NAME of files"
        )
    return dict(sorted(found.items()))
