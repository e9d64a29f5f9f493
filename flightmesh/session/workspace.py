"""What the statements of one session are planned against and what they change: its names, over an engine.

Handed texts and values; hands on what is to be run, or rows that are there already. What always holds: a mistake is raised at
once, with its place; CREATE and DROP have taken effect when this returns; any thread may call.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeAlias, assert_never

import pyarrow as pa

from flightmesh.catalog.catalog import Catalog, Entry, View
from flightmesh.catalog.lookups import Lookups
from flightmesh.catalog.table import MemoryTable
from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.driver.events import JobOptions
from flightmesh.driver.record import Planning
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
from flightmesh.session.level import Level
from flightmesh.session.plan import QueryPlan, plan_query
from flightmesh.session.plan_cache import KeptPlan
from flightmesh.session.plan_key import plan_key
from flightmesh.session.result import Result

if TYPE_CHECKING:
    from flightmesh.frontend.yaml.plan import PlanFile, Target

Params: TypeAlias = Mapping[str, Any] | Sequence[Any]
NOTHING = pa.table({})
EXPLAINED = pa.schema([("plan", pa.string())])


@dataclass(frozen=True, slots=True)
class Prepared:
    """A query that can be run, with the files that its rows are to go to, if any, and how it came by its plan."""

    plan: QueryPlan
    write: Target | None = None
    planning: Planning | None = None


@dataclass(frozen=True, slots=True)
class _Planned:
    """A statement that has a plan: a query, or EXPLAIN of one."""

    plan: QueryPlan
    analyze: Analyze | None
    planning: Planning


Definition: TypeAlias = CreateView | CreateTableAs | DropTable | DropView


@dataclass(frozen=True, slots=True)
class BoundStatement:
    """A statement that changes names; the query in it, if there is one, is not planned yet. `source`: see `QueryPlan`."""

    statement: Definition
    ids: ColumnIds
    begun: float
    source: str


class Workspace:
    """The names of a session and the engine behind it. `dialect`, `partitions`: the session's own, where it has them."""

    def __init__(self, engine: Engine, catalog: Catalog, dialect: str | None = None, partitions: int | None = None) -> None:
        self.engine = engine
        self.catalog = catalog
        self._dialect = dialect
        self._partitions = partitions

    def statement(self, text: str, dialect: str | None = None, params: Params | None = None) -> Prepared | pa.Table:
        """One SQL statement: a query to be run, or the rows of what has been done."""
        read = self._read(text, dialect, params)
        if isinstance(read, _Planned):
            prepared = Prepared(read.plan, planning=read.planning)
            if read.analyze is None:
                return prepared
            level = Level.ANALYZE if read.analyze is Analyze.YES else Level.OPTIMIZED
            text = self._explain(prepared, level, text)
            return pa.table([pa.array(text.splitlines(), pa.string())], schema=EXPLAINED)
        match read.statement:
            case CreateView():
                return self._create_view(read.statement)
            case CreateTableAs():
                return self._create_table(read.statement, read, text)
            case DropTable(name=name, missing=missing):
                return self._drop(name, missing, None)
            case DropView(name=name, missing=missing):
                return self._drop(name, missing, View)
            case _:
                assert_never(read.statement)

    def plan(
        self, plan: PlanFile, params: Mapping[str, Any] | None = None, uploads: Mapping[str, str] | None = None
    ) -> Prepared:
        """A YAML plan, to be run. `uploads`: tables that stand for some of its inputs."""
        # Only those who run plans wait for the models that check them to load.
        from flightmesh.frontend.yaml.plan import plan_file

        begun = time.perf_counter()
        ids = ColumnIds()
        planned = plan_file(plan, catalog=self.catalog, params=params, ids=ids, uploads=uploads)
        config = replace(self.config, partitions=planned.settings.partitions or self.config.partitions)
        made = self._plan(planned.relation, planned.names, ids, config)
        return Prepared(made, planned.write, _since(begun))

    def schema(self, text: str, dialect: str | None = None, params: Params | None = None) -> pa.Schema:
        """The columns that a statement would give. Nothing is run, created or dropped."""
        read = self._read(text, dialect, params)
        if isinstance(read, BoundStatement):
            return NOTHING.schema
        return read.plan.schema if read.analyze is None else EXPLAINED

    def parameters(self, text: str, dialect: str | None = None) -> tuple[str, ...]:
        """The names of a statement's parameters, in the order of the text; those of `?` are numbers."""
        return parameter_names(text, self._speech(dialect))

    def explain(self, text: str, level: Level, dialect: str | None = None, params: Params | None = None) -> str:
        """The plan of a query as text."""
        read = self._read(text, dialect, params)
        if isinstance(read, _Planned):
            return self._explain(Prepared(read.plan, planning=read.planning), level, text)
        if isinstance(read.statement, DropTable | DropView):
            raise InvalidQuery("only a query has a plan")
        query = read.statement.query
        plan = self._plan(query.relation, query.names, read.ids, self.config, read.source)
        return self._explain(Prepared(plan, planning=_since(read.begun)), level, text)

    def result(self, prepared: Prepared, text: str = "", keeper: object = None) -> Result:
        """The rows of a plan, run when they are first asked for. It keeps the tables in memory that the plan reads, and
        `keeper`. `text`: what people see of the job."""
        plan = prepared.plan
        options = JobOptions(text=text, planning=prepared.planning, source=plan.source)

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

    def _read(self, text: str, dialect: str | None, params: Params | None) -> _Planned | BoundStatement:
        """A statement with its plan, the one that is kept where planning anew would see nothing new."""
        begun = time.perf_counter()
        speech, config, now = self._speech(dialect), self.config, Lookups(self.catalog)
        key = plan_key(text, speech, params)
        found = None if key is None else self.engine.plans.find(key, config, now)
        if found is not None:
            return _Planned(found.plan, found.analyze, replace(_since(begun), kept=True))
        ids = ColumnIds()
        statement = plan_statement(text, catalog=now, dialect=speech, params=params, ids=ids)
        source = "" if now.has_views else text
        if not isinstance(statement, Query | Explain):
            return BoundStatement(statement, ids, begun, source)
        query, analyze = (statement.query, statement.analyze) if isinstance(statement, Explain) else (statement, None)
        plan = self._plan(query.relation, query.names, ids, config, source)
        if key is not None and not query.reads_clock:
            self.engine.plans.keep(key, KeptPlan(plan, analyze, config, now.seen()))
        return _Planned(plan, analyze, _since(begun))

    def _plan(self, relation: Relation, names: tuple[str, ...], ids: ColumnIds, config: Config, source: str = "") -> QueryPlan:
        return replace(
            plan_query(relation, names, Context(ids, self.engine.statistics, config, self.engine.is_unique), config),
            source=source,
        )

    def _explain(self, prepared: Prepared, level: Level, text: str) -> str:
        from flightmesh.session.explain import explain_plan  # few queries ask for the texts of plans

        options = JobOptions(text=text, planning=prepared.planning, source=prepared.plan.source)
        return explain_plan(prepared.plan, level, lambda: self.engine.submit(prepared.plan.graph, options))

    def _create_view(self, statement: CreateView) -> pa.Table:
        if self._may_create(self.catalog, statement.name, statement.existing):
            view = View(statement.name[-1], statement.text, statement.dialect)
            self.register(statement.name, view, Lifetime.SESSION)
        return NOTHING

    def _create_table(self, statement: CreateTableAs, read: BoundStatement, text: str) -> pa.Table:
        if self._may_create(self._home(statement.lifetime), statement.name, statement.existing):
            plan = self._plan(statement.query.relation, statement.query.names, read.ids, self.config, read.source)
            rows = self.result(Prepared(plan), text)
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


def _since(begun: float) -> Planning:
    return Planning(time.perf_counter() - begun, kept=False)
