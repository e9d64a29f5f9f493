"""What the statements of one session are planned against and what they change: its names, over an engine.

Handed texts and values; hands on what is to be run, or rows that are there already. What always holds: a mistake is raised at
once, with its place; CREATE and DROP have taken effect when this returns; any thread may call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

import pyarrow as pa

from flightmesh.catalog.catalog import Catalog, Entry, View
from flightmesh.catalog.table import MemoryTable
from flightmesh.config import Config
from flightmesh.driver.events import IN_PROCESS, JobOptions
from flightmesh.errors import InvalidQuery
from flightmesh.frontend.sql.parse import parameter_names
from flightmesh.frontend.sql.plan import plan_statement
from flightmesh.frontend.sql.statements import (
    Analyze,
    CreateTableAs,
    CreateView,
    DropTable,
    DropView,
    Existing,
    Explain,
    Lifetime,
    Missing,
    Query,
)
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import Relation
from flightmesh.optimize.context import Context
from flightmesh.session.engine import Engine, Job
from flightmesh.session.explain import Level, explain_plan
from flightmesh.session.plan import QueryPlan, plan_query
from flightmesh.session.result import Result

if TYPE_CHECKING:
    from flightmesh.frontend.yaml.plan import PlanFile, Target

Params: TypeAlias = Mapping[str, Any] | Sequence[Any]
NOTHING = pa.table({})
EXPLAINED = pa.schema([("plan", pa.string())])


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query that can be run, with the files that its rows are to go to, if any."""

    plan: QueryPlan
    write: Target | None = None


class Workspace:
    """The names of a session and the engine behind it. `dialect`, `partitions`: the session's own, where it has them."""

    def __init__(self, engine: Engine, catalog: Catalog, dialect: str | None = None, partitions: int | None = None) -> None:
        self.engine = engine
        self.catalog = catalog
        self._dialect = dialect
        self._partitions = partitions

    def statement(self, text: str, dialect: str | None = None, params: Params | None = None) -> Prepared | pa.Table:
        """One SQL statement: a query to be run, or the rows of what has been done."""
        ids = ColumnIds()
        statement = plan_statement(text, catalog=self.catalog, dialect=self._speech(dialect), params=params, ids=ids)
        match statement:
            case Query(relation=relation, names=names):
                return Prepared(self._plan(relation, names, ids, self.config))
            case Explain(query=query, analyze=analyze):
                level = Level.ANALYZE if analyze is Analyze.YES else Level.OPTIMIZED
                text = self._explain(self._plan(query.relation, query.names, ids, self.config), level, text)
                return pa.table([pa.array(text.splitlines(), pa.string())], schema=EXPLAINED)
            case CreateView():
                return self._create_view(statement)
            case CreateTableAs():
                return self._create_table(statement, ids, text)
            case DropTable(name=name, missing=missing) | DropView(name=name, missing=missing):
                return self._drop(name, missing, View if isinstance(statement, DropView) else None)
            case _:
                assert_never(statement)

    def plan(
        self, plan: PlanFile, params: Mapping[str, Any] | None = None, uploads: Mapping[str, str] | None = None
    ) -> Prepared:
        """A YAML plan, to be run. `uploads`: tables that stand for some of its inputs."""
        # Only those who run plans wait for the models that check them to load.
        from flightmesh.frontend.yaml.plan import plan_file

        ids = ColumnIds()
        planned = plan_file(plan, catalog=self.catalog, params=params, ids=ids, uploads=uploads)
        config = replace(self.config, partitions=planned.settings.partitions or self.config.partitions)
        return Prepared(self._plan(planned.relation, planned.names, ids, config), planned.write)

    def schema(self, text: str, dialect: str | None = None, params: Params | None = None) -> pa.Schema:
        """The columns that a statement would give. Nothing is run, created or dropped."""
        ids = ColumnIds()
        statement = plan_statement(text, catalog=self.catalog, dialect=self._speech(dialect), params=params, ids=ids)
        match statement:
            case Query(relation=relation, names=names):
                return self._plan(relation, names, ids, self.config).schema
            case Explain():
                return EXPLAINED
            case CreateView() | CreateTableAs() | DropTable() | DropView():
                return NOTHING.schema
            case _:
                assert_never(statement)

    def parameters(self, text: str, dialect: str | None = None) -> tuple[str, ...]:
        """The names of a statement's parameters, in the order of the text; those of `?` are numbers."""
        return parameter_names(text, self._speech(dialect))

    def explain(self, text: str, level: Level, dialect: str | None = None, params: Params | None = None) -> str:
        """The plan of a query as text."""
        ids = ColumnIds()
        statement = plan_statement(text, catalog=self.catalog, dialect=self._speech(dialect), params=params, ids=ids)
        if isinstance(statement, Explain | CreateView | CreateTableAs):
            statement = statement.query
        if not isinstance(statement, Query):
            raise InvalidQuery("only a query has a plan")
        return self._explain(self._plan(statement.relation, statement.names, ids, self.config), level, text)

    def result(self, plan: QueryPlan, options: JobOptions = IN_PROCESS, keeper: object = None) -> Result:
        """The rows of a plan, run when they are first asked for. It keeps the tables in memory that the plan reads, and
        `keeper`."""

        def submit(_: object = keeper) -> Job:
            return self.engine.submit(plan.graph, options)

        result = Result(plan.schema, submit)
        self.engine.hold(result, plan.memory_keys)
        return result

    def require_free(self, name: Sequence[str], lifetime: Lifetime) -> None:
        """Raises InvalidQuery for a name that `register` would refuse."""
        self._home(lifetime).require_free(name)

    def register(self, name: Sequence[str], entry: Entry, lifetime: Lifetime = Lifetime.MESH) -> None:
        """Gives a table or view a name; what had the name before is dropped."""
        self._forget(self._home(lifetime).register(name, entry))

    def drop(self, name: Sequence[str]) -> None:
        """Drops a table or a view. Raises InvalidQuery for an unknown name."""
        self._forget(self.catalog.drop(name))

    @property
    def config(self) -> Config:
        """The engine's configuration, with the session's partitions."""
        config = self.engine.config
        return config if self._partitions is None else replace(config, partitions=self._partitions)

    def _speech(self, dialect: str | None) -> str:
        return dialect or self._dialect or self.engine.config.dialect

    def _plan(self, relation: Relation, names: tuple[str, ...], ids: ColumnIds, config: Config) -> QueryPlan:
        return plan_query(relation, names, Context(ids, self.engine.statistics, config), config)

    def _explain(self, plan: QueryPlan, level: Level, text: str) -> str:
        return explain_plan(plan, level, lambda: self.engine.submit(plan.graph, JobOptions(text=text)))

    def _create_view(self, statement: CreateView) -> pa.Table:
        if self._may_create(self.catalog, statement.name, statement.existing):
            view = View(statement.name[-1], statement.text, statement.dialect)
            self.register(statement.name, view, Lifetime.SESSION)
        return NOTHING

    def _create_table(self, statement: CreateTableAs, ids: ColumnIds, text: str) -> pa.Table:
        if self._may_create(self._home(statement.lifetime), statement.name, statement.existing):
            plan = self._plan(statement.query.relation, statement.query.names, ids, self.config)
            rows = self.result(plan, JobOptions(text=text))
            self.register(statement.name, self.engine.create_table(statement.name[-1], rows), statement.lifetime)
        return NOTHING

    def _home(self, lifetime: Lifetime) -> Catalog:
        return self.catalog if lifetime is Lifetime.SESSION else self.catalog.shared

    def _may_create(self, home: Catalog, name: tuple[str, ...], existing: Existing) -> bool:
        owned = home.owns(name)
        if existing is Existing.KEEP and owned:
            return False
        home.require_free(name)
        if existing is Existing.REPLACE or not owned:
            return True
        raise InvalidQuery(
            f"there is a table or view {'.'.join(name)!r} already", hint="write CREATE OR REPLACE, or DROP it first"
        )

    def _drop(self, name: tuple[str, ...], missing: Missing, kind: type[View] | None) -> pa.Table:
        if missing is Missing.IGNORE and name not in self.catalog:
            return NOTHING
        # A table whose files are gone can be dropped too.
        entry = self.catalog.peek(name)
        if isinstance(entry, View) != (kind is View):
            what, other = ("view", "TABLE") if isinstance(entry, View) else ("table", "VIEW")
            wrong = "VIEW" if other == "TABLE" else "TABLE"
            raise InvalidQuery(f"{'.'.join(name)!r} is a {what}", hint=f"write DROP {wrong}")
        self.drop(name)
        return NOTHING

    def _forget(self, entry: object) -> None:
        if isinstance(entry, MemoryTable):
            self.engine.drop_table(entry.key)
