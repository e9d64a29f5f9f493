"""A session: names of tables and views, and queries over them.

Handed SQL texts, plan files and data; hands on Results. What always holds: a mistake in a query is raised at once, by
`sql`, with its place; execution begins when a result is first used; every method may be called from several threads.
"""

from __future__ import annotations

import json
import os
import weakref
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, TypeAlias, assert_never

import pyarrow as pa

from flightmesh.catalog.catalog import DEFAULT_CATALOG, DEFAULT_SCHEMA, Catalog, Listing, View
from flightmesh.catalog.datasets import open_dataset
from flightmesh.catalog.memory import MemoryTables
from flightmesh.catalog.names import join_name, split_name
from flightmesh.catalog.open import open_table
from flightmesh.catalog.statistics import statistics
from flightmesh.catalog.table import MemoryTable, Storage
from flightmesh.config import Config
from flightmesh.errors import Cancelled, InvalidQuery
from flightmesh.frontend.sql.plan import plan_statement
from flightmesh.frontend.sql.statements import (
    Analyze,
    CreateTableAs,
    CreateView,
    DropTable,
    DropView,
    Existing,
    Explain,
    Missing,
    Query,
)
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import Relation
from flightmesh.optimize.context import Context
from flightmesh.runtime.embedded import EmbeddedRuntime
from flightmesh.session.explain import Level, explain_plan
from flightmesh.session.leases import Leases
from flightmesh.session.plan import QueryPlan, plan_query, typed_errors
from flightmesh.session.result import Result

Params: TypeAlias = Mapping[str, Any] | Sequence[Any]


class Session:
    """An engine in this process. A context manager; `connect` makes it."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.catalog = Catalog()
        self._tables = MemoryTables()
        self.runtime = EmbeddedRuntime(config, self._tables)
        self._leases = Leases(self._tables, self.runtime.budget)
        self._is_closed = False
        # Results keep their session: once neither is there any more, nothing runs and the threads may go.
        weakref.finalize(self, self.runtime.abandon).atexit = False

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
        if _is_path(source):
            storage = options.pop("storage", None)
            place = None if storage is None else Storage("s3", _pairs(storage))
            texts = {key: _option(value) for key, value in options.items() if key != "format"}
            table = open_table(parts[-1], source, format=options.get("format"), options=texts, storage=place)
            self._replace(parts, table)
        elif options:
            raise InvalidQuery(f"a table in memory takes no options, but got {', '.join(options)}")
        else:
            files = open_dataset(parts[-1], source)
            self._replace(parts, self._tables.put(parts[-1], source) if files is None else files)

    @typed_errors()
    def sql(self, text: str, dialect: str | None = None, params: Params | None = None) -> Result:
        """Plans one statement; its rows come when the result is used. CREATE and DROP take effect before this returns.

        `dialect`: any of sqlglot's (default: that of the configuration). `params`: a dict for `:name`, a list for `?` and `$1`.
        Raises InvalidQuery, with the place in the text.
        """
        self._check_open()
        ids = ColumnIds()
        statement = plan_statement(text, catalog=self.catalog, dialect=dialect or self.config.dialect, params=params, ids=ids)
        match statement:
            case Query(relation=relation, names=names):
                return self._result(self._plan(relation, names, ids))
            case Explain(query=query, analyze=analyze):
                level = Level.ANALYZE if analyze is Analyze.YES else Level.OPTIMIZED
                text = self._explain(self._plan(query.relation, query.names, ids), level)
                return Result.of_table(pa.table({"plan": pa.array(text.splitlines(), pa.string())}))
            case CreateView():
                return self._create_view(statement)
            case CreateTableAs():
                return self._create_table(statement, ids)
            case DropTable(name=name, missing=missing) | DropView(name=name, missing=missing):
                return self._drop(name, missing, View if isinstance(statement, DropView) else None)
            case _:
                assert_never(statement)

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
        from flightmesh.frontend.yaml.plan import load_plan, plan_file
        from flightmesh.session.write import WrittenFiles

        self._check_open()
        ids = ColumnIds()
        planned = plan_file(load_plan(path), catalog=self.catalog, params=params, ids=ids)
        config = replace(self.config, partitions=planned.settings.partitions or self.config.partitions)
        result = self._result(self._plan(planned.relation, planned.names, ids, config))
        return result if planned.write is None else WrittenFiles(result, planned.write)

    @typed_errors()
    def explain(self, text: str, level: str = "optimized", dialect: str | None = None, params: Params | None = None) -> str:
        """The plan of a query as text. `level`: logical, optimized, physical, stages, or analyze, which runs it and counts."""
        self._check_open()
        wanted = Level.named(level)
        ids = ColumnIds()
        statement = plan_statement(text, catalog=self.catalog, dialect=dialect or self.config.dialect, params=params, ids=ids)
        if isinstance(statement, Explain | CreateView | CreateTableAs):
            statement = statement.query
        if not isinstance(statement, Query):
            raise InvalidQuery("only a query has a plan")
        return self._explain(self._plan(statement.relation, statement.names, ids), wanted)

    def tables(self) -> list[str]:
        """Names of the tables and views, as a query can write them."""
        return [_short_name(listing) for listing in self.catalog.tables()]

    def close(self) -> None:
        """Cancels what runs and ends every thread. Repeating it is harmless."""
        self._is_closed = True
        self.runtime.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Session {'closed' if self._is_closed else 'open'}, {len(self.catalog.tables())} tables>"

    def _plan(self, relation: Relation, names: tuple[str, ...], ids: ColumnIds, config: Config | None = None) -> QueryPlan:
        chosen = config or self.config
        context = Context(ids, lambda table: statistics(table, self._tables), chosen)
        return plan_query(relation, names, context, chosen)

    def _result(self, plan: QueryPlan) -> Result:
        result = Result(plan.schema, lambda: self.runtime.submit(plan.graph))
        self._leases.hold(result, plan.memory_keys)
        return result

    def _explain(self, plan: QueryPlan, level: Level) -> str:
        return explain_plan(plan, level, lambda: self.runtime.submit(plan.graph))

    def _create_view(self, statement: CreateView) -> Result:
        if self._may_create(statement.name, statement.existing):
            self._replace(statement.name, View(statement.name[-1], statement.text, statement.dialect))
        return _nothing()

    def _create_table(self, statement: CreateTableAs, ids: ColumnIds) -> Result:
        if self._may_create(statement.name, statement.existing):
            rows = self._result(self._plan(statement.query.relation, statement.query.names, ids)).to_arrow()
            self._replace(statement.name, self._leases.create(statement.name[-1], rows))
        return _nothing()

    def _may_create(self, name: tuple[str, ...], existing: Existing) -> bool:
        if existing is Existing.REPLACE or name not in self.catalog:
            return True
        if existing is Existing.KEEP:
            return False
        raise InvalidQuery(
            f"there is a table or view {'.'.join(name)!r} already", hint="write CREATE OR REPLACE, or DROP it first"
        )

    def _drop(self, name: tuple[str, ...], missing: Missing, kind: type[View] | None) -> Result:
        if missing is Missing.IGNORE and name not in self.catalog:
            return _nothing()
        # A table whose files are gone can be dropped too.
        entry = self.catalog.peek(name)
        if isinstance(entry, View) != (kind is View):
            what, other = ("view", "TABLE") if isinstance(entry, View) else ("table", "VIEW")
            wrong = "VIEW" if other == "TABLE" else "TABLE"
            raise InvalidQuery(f"{'.'.join(name)!r} is a {what}", hint=f"write DROP {wrong}")
        self._forget(self.catalog.drop(name))
        return _nothing()

    def _replace(self, name: tuple[str, ...], entry: Any) -> None:
        self._forget(self.catalog.register(name, entry))

    def _forget(self, entry: object) -> None:
        if isinstance(entry, MemoryTable):
            self._leases.retire(entry.key)

    def _check_open(self) -> None:
        if self._is_closed:
            raise Cancelled("the session is closed", hint="open another with flightmesh.connect()")


def _nothing() -> Result:
    return Result.of_table(pa.table({}))


def _is_path(source: Any) -> bool:
    if isinstance(source, str | Path | os.PathLike):
        return True
    return isinstance(source, list | tuple) and bool(source) and all(isinstance(part, str | os.PathLike) for part in source)


def _short_name(listing: Listing) -> str:
    """A name as a query can write it: without the default catalog and schema."""
    if (listing.catalog, listing.schema) == (DEFAULT_CATALOG, DEFAULT_SCHEMA):
        return join_name([listing.name])
    return join_name([listing.catalog, listing.schema, listing.name])


def _option(value: Any) -> str:
    """An option as the catalog takes it: text, with true and false, and maps and lists in JSON."""
    if isinstance(value, dict | list | tuple | bool):
        return json.dumps(value)
    return str(value)


def _pairs(options: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted((key, _option(value)) for key, value in options.items()))
