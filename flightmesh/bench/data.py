"""Which tables a folder of data has. Data of a person's own is only read."""

from __future__ import annotations

from pathlib import Path

from flightmesh.errors import InvalidInput


def tables_of(folder: Path) -> dict[str, str]:
    """The tables of a folder: `NAME.parquet`, or a folder NAME with files. Raises InvalidInput when there is none."""
    found = {path.stem: str(path) for path in folder.glob("*.parquet") if path.is_file()}
    found |= {path.parent.name: str(path.parent / "*.parquet") for path in folder.glob("*/*.parquet")}
    if not found:
        raise InvalidInput(
            f"{folder} has no Parquet files", hint="a file NAME.parquet for each table, or a folder NAME of files"
        )
    return dict(sorted(found.items()))
