"""DataFusion, in this process: a partition for each thread; its pool has a thread for each core that this process may use."""

from __future__ import annotations

from typing import Any

import datafusion
import pyarrow as pa
from protocol import serve


class DataFusion:
    """A context over the files."""

    version = datafusion.__version__

    def __init__(self, options: dict[str, Any]) -> None:
        self._context = datafusion.SessionContext(datafusion.SessionConfig().with_target_partitions(options["threads"]))

    def load(self, tables: dict[str, str]) -> None:
        """Registers the files; of a glob its folder."""
        for name, path in tables.items():
            self._context.register_parquet(name, path.removesuffix("*.parquet"))

    def run(self, sql: str) -> pa.Table:
        """To Arrow."""
        return self._context.sql(sql).to_arrow_table()

    def close(self) -> None:
        """Nothing of it outlives this process."""


if __name__ == "__main__":
    serve(DataFusion)
