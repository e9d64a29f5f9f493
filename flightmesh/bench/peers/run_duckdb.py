"""DuckDB, in this process. It is also the reference: it knows the benchmarks' texts and what each of them may answer."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from order_keys import KEY, with_keys
from protocol import serve, write


class DuckDB:
    """Views over the files; as many threads as were asked for."""

    version = duckdb.__version__

    def __init__(self, options: dict[str, Any]) -> None:
        self._connection = duckdb.connect(config={"threads": options["threads"]})

    def load(self, tables: dict[str, str]) -> None:
        """Makes the views."""
        for name, path in tables.items():
            self._connection.execute(f"create or replace view {name} as select * from read_parquet('{path}')")

    def run(self, sql: str) -> pa.Table:
        """To Arrow."""
        return self._connection.execute(sql).to_arrow_table()

    def queries(self, benchmark: str) -> dict[str, Any]:
        """The texts of a benchmark by number, as DuckDB's extension of its name has them."""
        spec = find_spec(f"duckdb_extension_{benchmark}")
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(f"duckdb-extension-{benchmark} is not installed")
        extension = Path(spec.origin).parent / "extensions" / f"v{duckdb.__version__}" / f"{benchmark}.duckdb_extension"
        with duckdb.connect() as connection:
            connection.load_extension(str(extension))
            rows = connection.execute(f"select query_nr, query from {benchmark}_queries()").fetchall()
        return {"queries": {str(number): text.strip().rstrip(";") for number, text in rows}}

    def answer(self, sql: str, plain: str, whole: str) -> dict[str, Any]:
        """Writes what a query gives to `plain`, and its rows without LIMIT, with the keys of ORDER BY, to `whole`. Gives the
        numbers of the columns of `whole` that are the query's own, and of those that are keys."""
        write(self.run(sql), plain)
        text, keys = with_keys(sql)
        table = self.run(text)
        write(table, whole)
        names = table.column_names
        own = [number for number, name in enumerate(names) if not name.startswith(KEY)]
        return {"columns": own, "keys": [key if isinstance(key, int) else names.index(key) for key in keys]}

    def close(self) -> None:
        """Ends its threads."""
        self._connection.close()


if __name__ == "__main__":
    serve(DuckDB)
