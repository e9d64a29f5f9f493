"""What the planner knows of an operator it has made, and the small constructions that every part of the planner shares."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field, replace

import pyarrow as pa

from flightmesh.config import Config
from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError
from flightmesh.expression.nodes import Column, Expression, Field, Literal
from flightmesh.ids import ColumnId, SharedId
from flightmesh.logical.relations import Item, Relation, passes
from flightmesh.optimize.context import Context
from flightmesh.optimize.estimate import Estimate, estimate
from flightmesh.physical.one_task import is_few
from flightmesh.physical.operators import (
    BuildSide,
    ColumnOrder,
    Exchange,
    FilterRows,
    HashJoin,
    Operator,
    ProjectColumns,
    TableScan,
    UnnestRows,
    ValuesRows,
)
from flightmesh.physical.partitioning import Broadcast, Hash, Partitioning, RoundRobin, Single
from flightmesh.physical.placement import Needs, Places, are_together, chosen, places_by
from flightmesh.physical.redealing import is_reader, redealt

ENOUGH_GROUPS = 8
"""Groups a task, from which on rows are dealt by a part of the keys, or at once where they have to be moved anyway."""


@dataclass(frozen=True, slots=True)
class Planned:
    """An operator and where its rows are.

    `single`: all in one task. `hashed`: how the rows were dealt to the tasks of their stage (None: not known, or not by hash).
    `rows`: the estimate.
    """

    operator: Operator
    single: bool
    hashed: Places | None
    rows: float | None

    def placed_by(self, keys: Iterable[ColumnId]) -> bool:
        """Whether rows equal in `keys` are certainly in one task."""
        return self.single or are_together(self.hashed, keys)


@dataclass(slots=True)
class Planning:
    """One run of the planner: the optimizer's context, the configuration, what shared relations became, and how many dynamic
    filters were made."""

    context: Context
    config: Config
    shared: dict[SharedId, Planned] = field(default_factory=dict)
    reread: int = 0
    filters: int = 0
    wanted: Needs = ()
    """What the readers of the relation that is planned next need together: who has to deal rows anyway deals them so."""

    def take_wanted(self) -> Needs:
        """The wanted values, asked once: what is planned after is for other readers."""
        taken, self.wanted = self.wanted, ()
        return taken

    def estimate(self, relation: Relation) -> Estimate:
        """Rows and bytes that a relation is expected to give."""
        return estimate(relation, self.context)

    def fresh(self, name: str, kind: pa.DataType, nullable: bool = True) -> Field:
        """A field with an id that the query has not used."""
        return Field(self.context.ids.fresh(), name, kind, nullable)

    def fresh_shared(self) -> int:
        """A number for an operator that two stages read; the query's own shared relations count from 0 up."""
        self.reread -= 1
        return self.reread

    def buckets(self) -> int:
        """Buckets of a hash edge."""
        return self.config.tasks * self.config.planner.buckets_per_task

    def least_groups(self) -> float:
        """So many groups give every task some of them, and none most."""
        return float(ENOUGH_GROUPS * self.config.tasks)

    def dealt_by(self, keys: tuple[Column, ...], wanted: Needs, relation: Relation) -> tuple[Column, ...]:
        """Those of the keys by which rows like the relation's are dealt."""
        if not wanted:
            return keys
        return chosen(wanted, {key.id: key for key in keys}, self.estimate(relation).columns, self.least_groups())


def pass_item(field_: Field) -> Item:
    """The item that hands a field on unchanged."""
    return passes(field_.column())


def narrow(operator: Operator, keep: tuple[Field, ...], planning: Planning) -> Operator:
    """The operator with exactly the columns `keep`, in order; with none, one constant column stands in for the row count."""
    if not keep:
        marker = planning.fresh("row", pa.bool_(), nullable=False)
        return ProjectColumns(operator, (Item(marker, Literal(pa.scalar(True))),))
    if [f.id for f in operator.fields] == [f.id for f in keep]:
        return operator
    present = {f.id for f in operator.fields}
    missing = [f for f in keep if f.id not in present]
    if missing:
        raise InternalError(f"the plan lost column {missing[0].name}#{missing[0].id}")
    return ProjectColumns(operator, tuple(pass_item(f) for f in keep))


def exchange(planned: Planned, partitioning: Partitioning, planning: Planning, order: tuple[ColumnOrder, ...] = ()) -> Planned:
    """The rows dealt anew. Sends the operator's columns as they are: narrow first."""
    operator = planned.operator if planned.operator.fields else narrow(planned.operator, (), planning)
    direct = None if order else redealt(operator, partitioning, planning.config.planner.share_builds)
    made = direct or Exchange(
        operator, partitioning, order=order, fields=operator.fields, estimate=planned.rows, one_task=planned.single
    )
    match partitioning:
        case Single():
            return Planned(made, True, None, planned.rows)
        case Hash(keys=keys):
            return Planned(made, False, places_by(keys), planned.rows)
        case RoundRobin() | Broadcast():
            return Planned(made, False, None, planned.rows)


def reads_shared(planned: Planned) -> bool:
    """Whether the rows come straight from a shared relation, so that dealing them by columns costs no further move."""
    return is_reader(planned.operator)


def gather(planned: Planned, planning: Planning, order: tuple[ColumnOrder, ...] = ()) -> Planned:
    """All rows in one task."""
    return planned if planned.single else exchange(planned, Single(), planning, order)


def spread(planned: Planned, planning: Planning) -> Planned:
    """Rows of a one-task operator made readable by a stage of several tasks: by that stage itself, where its tasks can share
    the work."""
    if not planned.single:
        return planned
    if _is_divisible(planned.operator):
        return replace(planned, single=False)
    return exchange(planned, RoundRobin(planning.config.tasks), planning)


def _is_divisible(operator: Operator) -> bool:
    """Whether several tasks, each with a share of what a scan gives, give the same rows together."""
    match operator:
        case TableScan() | ValuesRows():
            return True
        case FilterRows(input=below) | ProjectColumns(input=below) | UnnestRows(input=below):
            return _is_divisible(below)
        case HashJoin(side=BuildSide.SHARED, probe=below):
            return _is_divisible(below)
        case _:
            return False


def place_by(planned: Planned, keys: tuple[Column, ...], planning: Planning) -> Planned:
    """Rows with equal keys brought into one task; few rows simply into the one."""
    if planned.placed_by(k.id for k in keys):
        return planned
    if not keys or is_few(planned.rows, planning.config):
        return gather(planned, planning)
    return exchange(planned, Hash(keys, planning.buckets()), planning)


def as_columns(
    operator: Operator, expressions: tuple[Expression, ...], names: tuple[str, ...], keep: tuple[Field, ...], planning: Planning
) -> tuple[Operator, tuple[Column, ...]]:
    """Makes each expression a plain column: (operator with `keep` and the new columns, the columns). Equal expressions share
    one."""
    known: dict[Expression, Column] = {}
    extra: list[Item] = []
    columns: list[Column] = []
    for expression, name in zip(expressions, names, strict=True):
        if isinstance(expression, Column):
            columns.append(expression)
            continue
        if expression not in known:
            field_ = planning.fresh(name, expression.type)
            extra.append(Item(field_, expression))
            known[expression] = field_.column()
        columns.append(known[expression])
    if not extra:
        return operator, tuple(columns)
    kept = {f.id for f in keep}
    plain = [c for c in columns if c.id not in kept and c not in known.values()]
    passed = [*(pass_item(f) for f in keep), *(passes(c) for c in dict.fromkeys(plain))]
    return ProjectColumns(operator, (*passed, *extra)), tuple(columns)
