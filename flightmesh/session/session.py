"""A session: names of tables and views, and queries over them.

Handed SQL texts, plan files and data; hands on Results. What always holds: a mistake in a query is raised at once, by
`sql`, with its place; execution begins when a result is first used; every method may be called from several threads.
"""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from flightmesh.catalog.catalog import DEFAULT_CATALOG, DEFAULT_SCHEMA, Catalog, Listing
from flightmesh.catalog.named_files import named_files
from flightmesh.catalog.names import join_name, split_name
from flightmesh.catalog.table import Storage
from flightmesh.config import Config
from flightmesh.errors import Cancelled, InvalidQuery
from flightmesh.runtime.embedded import EmbeddedRuntime
from flightmesh.session.engine import EmbeddedEngine
from flightmesh.session.level import Level
from flightmesh.session.plan import typed_errors
from flightmesh.session.result import Result
from flightmesh.session.workspace import Params, Prepared, Workspace


class Session:
    """An engine in this process. A context manager; `connect` makes it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self._engine = EmbeddedEngine(config)
        self._workspace = Workspace(self._engine, Catalog(files=self._engine))
        self._is_closed = False
        # Results keep their session: once neither is there any more, nothing runs and the threads may go.
        weakref.finalize(self, self._engine.abandon).atexit = False

    @property
    def catalog(self) -> Catalog:
        """The session's names."""
        return self._workspace.catalog

    @property
    def runtime(self) -> EmbeddedRuntime:
        """What runs the session's jobs."""
        return self._engine.runtime

    def register(self, name: str, source: Any, **options: Any) -> None:
        """Gives a table a name, which a later one of the same name replaces.

        `name`: table, schema.table or catalog.schema.table; a part that has dots itself stands in double quotes.
        `source`: a file, folder, glob or s3:// URL (or a list of them), or data: a pyarrow Table, RecordBatch,
        RecordBatchReader or dataset, a pandas DataFrame, a dict of lists. Data is read now, but a dataset of whole Parquet
        files on the local disk is those files. `options` for files: `format` ("parquet", "csv", "json", "arrow"; told by the
        extension otherwise), `storage` (a dict for s3, such as endpoint_override), and those of the format (CSV: delimiter,
        header, nulls, ...). Raises InvalidInput when the source cannot be read.
        """
        self._check_open()
        parts = split_name(name)
        if is_path(source):
            storage = options.pop("storage", None)
            place = None if storage is None else Storage("s3", text_pairs(storage))
            texts = {key: option_text(value) for key, value in options.items() if key != "format"}
            table = self.catalog.open_files(named_files(parts[-1], source, options.get("format"), texts, place))
            self._workspace.register(parts, table)
        elif options:
            raise InvalidQuery(f"a table in memory takes no options, but got {', '.join(options)}")
        else:
            self._workspace.register(parts, self._engine.find_data(parts[-1], source))

    def upload(self, name: str, source: Any, **options: Any) -> None:
        """As `register`, for data or files of this machine: what the same call on a mesh sends to its workers.

        There is nowhere to send them here: files are read where they are whenever a query needs them. Raises InvalidInput when
        the source cannot be read.
        """
        self.register(name, source, **options)

    def drop(self, name: str) -> None:
        """Drops a table, registered, uploaded or created, or a view; files stay. Raises InvalidQuery for an unknown name."""
        self._check_open()
        self._workspace.drop(split_name(name))

    @typed_errors()
    def sql(self, text: str, dialect: str | None = None, params: Params | None = None) -> Result:
        """Plans one statement; its rows come when the result is used. CREATE and DROP take effect before this returns.

        `dialect`: any of sqlglot's (default: that of the configuration). `params`: a dict for `:name`, a list for `?` and `$1`.
        Raises InvalidQuery, with the place in the text.
        """
        self._check_open()
        prepared = self._workspace.statement(text, dialect, params)
        return Result.of_table(prepared) if isinstance(prepared, pa.Table) else self._keeping(prepared)

    @typed_errors()
    def run_plan(self, path: str | os.PathLike[str], params: Mapping[str, Any] | None = None) -> Result:
        """Plans a YAML plan file (or the text of one) and gives the rows of its output step.

        A plan with `write` is run at once, and gives one row for each file that it wrote. Raises InvalidPlan, with the
        place in the file.
        """
        from flightmesh.session.write import WrittenFiles

        result = self.open_plan(path, params)
        return Result.of_table(result.to_arrow()) if isinstance(result, WrittenFiles) else result

    @typed_errors()
    def open_plan(self, path: str | os.PathLike[str], params: Mapping[str, Any] | None = None) -> Result:
        """As `run_plan`, but a plan with `write` is run when its result is first used, so that its progress can be seen."""
        # Only those who run plans wait for the models that check them to load.
        from flightmesh.frontend.yaml.plan import load_plan
        from flightmesh.session.write import WrittenFiles

        self._check_open()
        prepared = self._workspace.plan(load_plan(path), params)
        result = self._keeping(prepared)
        return result if prepared.write is None else WrittenFiles(result, prepared.write)

    @typed_errors()
    def explain(self, text: str, level: str = "optimized", dialect: str | None = None, params: Params | None = None) -> str:
        """The plan of a query as text. `level`: logical, optimized, physical, stages, or analyze, which runs it and counts."""
        self._check_open()
        return self._workspace.explain(text, Level.named(level), dialect, params)

    def tables(self) -> list[str]:
        """Names of the tables and views, as a query can write them."""
        return [short_name(listing) for listing in self.catalog.tables()]

    def close(self) -> None:
        """Cancels what runs and ends every thread. Repeating it is harmless."""
        self._is_closed = True
        self._engine.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Session {'closed' if self._is_closed else 'open'}, {len(self.catalog.tables())} tables>"

    def _keeping(self, prepared: Prepared) -> Result:
        """The rows of a query: a result that keeps this session, whose threads end when it is dropped."""
        return self._workspace.result(prepared, keeper=self)

    def _check_open(self) -> None:
        if self._is_closed:
            raise Cancelled("the session is closed", hint="open another with flightmesh.connect()")


def is_path(source: Any) -> bool:
    """Whether a source means files: a path, or a list of them."""
    if isinstance(source, str | Path | os.PathLike):
        return True
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(part, str | os.PathLike) for part in source)


def short_name(listing: Listing) -> str:
    """A name as a query can write it: without the default catalog and schema."""
    if (listing.catalog, listing.schema) == (DEFAULT_CATALOG, DEFAULT_SCHEMA):
        return join_name([listing.name])
    return join_name([listing.catalog, listing.schema, listing.name])


def option_text(value: Any) -> str:
    """An option as the catalog takes it: text, with true and false, and maps and lists in JSON."""
    if isinstance(value, dict | list | tuple | bool):
        return json.dumps(value)
    return str(value)


def text_pairs(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    """Options as sorted pairs of texts."""
    return tuple(sorted((key, option_text(value)) for key, value in options.items()))
