"""What a reader did, counted for `analyze` and for tests."""

from __future__ import annotations

from dataclasses import field

from flightmesh.dataclass import dataclass


@dataclass(slots=True)
class ReadMetrics:
    """Filled by `read_split`; one object belongs to one thread. `bytes` are those of the column chunks (or files) as stored;
    `kept_bytes` those of columns that were still in memory, which are not read."""

    splits: int = 0
    row_groups: int = 0
    rows: int = 0
    bytes: int = 0
    kept_bytes: int = 0
    columns: set[str] = field(default_factory=set)
