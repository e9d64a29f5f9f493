"""Opens a pyarrow dataset that is nothing but whole Parquet files on the local disk as a table in files.

Handed anything that was given as data; hands on a FileTable, or None for what has to be read into memory. What always holds: a
table is only handed on when it has the rows and the columns that reading the dataset would give; in doubt there is none.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pyarrow.fs as pafs

from flightmesh.catalog.normalise import normalise_schema
from flightmesh.catalog.open import open_table
from flightmesh.catalog.table import FileTable, Format
from flightmesh.errors import InvalidInput


def open_dataset(name: str, data: Any) -> FileTable | None:
    """The table in the dataset's files; None when `data` is no dataset, or more than its files."""
    paths = _whole_files(data)
    if not paths or len(set(paths)) != len(paths):
        return None
    try:
        # Names of folders are no columns here: a dataset that takes them for such has partition expressions.
        table = open_table(name, paths, format=Format.PARQUET, options={"hive_partitioning": "false"})
    except InvalidInput:
        return None  # files that only the dataset can read, or none: reading it tells
    wanted = normalise_schema(data.schema)
    same = table.schema.names == wanted.names and table.schema.types == wanted.types
    return table if same else None


def _whole_files(data: Any) -> list[str] | None:
    """The absolute paths of the files that the dataset is all rows of."""
    # A dataset that nobody imported pyarrow.dataset for is none; the import costs time that others need not spend.
    datasets = sys.modules.get("pyarrow.dataset")
    if datasets is None or type(data) is not datasets.FileSystemDataset:
        return None
    everything = datasets.scalar(True)
    try:
        fragments = list(data.get_fragments())
    except ValueError:
        return None  # pyarrow refuses to list the fragments of a filtered dataset
    if not data.partition_expression.equals(everything):
        return None
    whole = all(
        _is_whole_file(fragment, datasets) and fragment.partition_expression.equals(everything) for fragment in fragments
    )
    return [str(Path(fragment.path).absolute()) for fragment in fragments] if whole else None


def _is_whole_file(fragment: Any, datasets: Any) -> bool:
    """Whether a fragment is all row groups of a local Parquet file, read with no option that could matter."""
    if not isinstance(fragment, datasets.ParquetFileFragment) or fragment.buffer is not None:
        return False
    if type(fragment.filesystem) is not pafs.LocalFileSystem or not fragment.format.equals(datasets.ParquetFileFormat()):
        return False
    try:
        groups = [group.id for group in fragment.row_groups]
        return groups == list(range(fragment.metadata.num_row_groups))
    except (OSError, ValueError):
        return False  # not readable: reading the dataset tells why
