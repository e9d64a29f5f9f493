"""Polars, in this process: its SQL on its streaming engine."""

from __future__ import annotations

import json
import os
import sys
from typing import Any

if __name__ == "__main__":
    os.environ["POLARS_MAX_THREADS"] = str(json.loads(sys.argv[1])["threads"])  # it is read when Polars is imported

import polars
import pyarrow as pa
from protocol import serve


class Polars:
    """Lazy scans of the files."""

    version = polars.__version__

    def __init__(self, options: dict[str, Any]) -> None:
        self._context = polars.SQLContext()

    def load(self, tables: dict[str, str]) -> None:
        """Registers the scans."""
        for name, path in tables.items():
            self._context.register(name, polars.scan_parquet(path))

    def run(self, sql: str) -> pa.Table:
        """To Arrow."""
        return self._context.execute(sql).collect(engine="streaming").to_arrow()

    def close(self) -> None:
        """Nothing of it outlives this process."""


if __name__ == "__main__":
    serve(Polars)
