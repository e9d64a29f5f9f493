"""Physical operators: how a query runs. Frozen dataclasses in a closed union; `fragment` runs each of them.

What always holds: record batches between operators have the columns of `fields`, in order, named by `Field.key` (`c<id>`);
group keys, join keys and sort keys are plain columns (the planner has projected expressions first); an operator streams unless
its docstring says that it collects.
"""

from __future__ import annotations

import enum
from dataclasses import field, replace
from typing import TypeAlias

import pyarrow as pa

from flightmesh.catalog.promise import Promise
from flightmesh.catalog.table import Table
from flightmesh.dataclass import dataclass
from flightmesh.errors import Position
from flightmesh.expression.frames import Frame
from flightmesh.expression.nodes import Column, Expression, Field, Literal
from flightmesh.ids import EdgeId, RecursionId
from flightmesh.logical.relations import Item, JoinKind, Quantifier, UnnestItem
from flightmesh.physical.partitioning import Partitioning


@dataclass(frozen=True, slots=True)
class DynamicFilter:
    """The keys of a join's build side in one column, which are known only while the query runs: rows of its probe side whose
    value in that column is no key need not be read.

    `number` is the plan's own. Where the keys come from, `column` is theirs, of the build side; where they are used, it is the
    column that is compared. `share`: the part of the probe side's rows that is expected to have a partner. `wait`: seconds that
    a task waits at most for keys from another stage before it reads; it is right without them.
    """

    number: int
    column: Column
    share: float
    wait: float = 0.0


@dataclass(frozen=True, slots=True)
class TableScan:
    """Reads splits of a table as the driver hands them out; applies `filters` (over `columns`), then keeps `fields`.

    `source` numbers the scans of a stage: a task asks for splits by (task, source). `limit`: a task may stop after so many
    rows. `dynamic`: filters over `columns` that it applies as far as their keys are known to it; to apply none is as right.
    `first`: a TopRows above wants the first rows in this order (of one of `columns`), so splits are tried in the order in which
    they promise them, and what comes too late need not be read.
    """

    table: Table
    source: int
    columns: tuple[Field, ...]
    filters: tuple[Expression, ...]
    fields: tuple[Field, ...]
    limit: int | None = None
    estimate: float | None = None
    dynamic: tuple[DynamicFilter, ...] = ()
    first: ColumnOrder | None = None

    @property
    def promise(self) -> Promise | None:
        """`first`, by the table's name of the column."""
        if self.first is None:
            return None
        name = next(field.name for field in self.columns if field.id == self.first.column.id)
        return Promise(name, self.first.descending, self.first.nulls_first)


@dataclass(frozen=True, slots=True)
class ValuesRows:
    """Constant rows, given by task 0 only. `rows` columns are in the order of `fields`."""

    fields: tuple[Field, ...]
    rows: pa.RecordBatch


@dataclass(frozen=True, slots=True)
class ReadExchange:
    """Reads this task's buckets of an edge: in order of `order` when given (a merge of the sorted producers), else as they
    come."""

    edge: EdgeId
    fields: tuple[Field, ...]
    order: tuple[ColumnOrder, ...] = ()
    estimate: float | None = None


@dataclass(frozen=True, slots=True)
class FilterRows:
    """Rows where `predicate` is true."""

    input: Operator
    predicate: Expression
    estimate: float | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the input."""
        return self.input.fields


@dataclass(frozen=True, slots=True)
class ProjectColumns:
    """Computed columns."""

    input: Operator
    items: tuple[Item, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """One an item."""
        return tuple(item.field for item in self.items)


@dataclass(frozen=True, slots=True)
class Measure:
    """One primitive aggregate of a GroupBy.

    `function`: in PARTIAL and FINAL: sum (int and decimal -> decimal128(38, s), overflow is an error; float -> double), count
    (int64, non-null
    arguments), count_star (no argument), sum_count (adds partial counts, int64), min, max, any_value, bool_and, bool_or,
    bit_and,
    bit_or, bit_xor, product, arg_min and arg_max (`more`: the key), mean, squares (sum of squared distances from the mean) and
    products (of the distances of two columns, `more`: the second); merge_mean, merge_squares, merge_products bring these
    together. The planner makes avg, variances and the like of these. `partners`: the measures of the same GroupBy whose columns
    are the `more` of the measure that merges this one. `constant`: a
    fraction or a separator. `order`: the order in which the rows of a group are seen. `where`: only rows where this column
    is true count. `distinct`: over the distinct arguments of a group. Only in a FINAL over raw rows (no PARTIAL below): any
    other aggregate of the registry (first, last, ...), and distinct measures.
    """

    field: Field
    function: str
    argument: Column | None
    distinct: bool = False
    more: tuple[Column, ...] = ()
    partners: tuple[Column, ...] = ()
    where: Column | None = None
    constant: Literal | None = None
    order: tuple[ColumnOrder, ...] = ()

    @property
    def columns(self) -> tuple[Column, ...]:
        """Every column that is read, the arguments first."""
        first = () if self.argument is None else (self.argument,)
        where = () if self.where is None else (self.where,)
        return (*first, *self.more, *where, *(key.column for key in self.order))


class GroupPhase(enum.Enum):
    """PARTIAL may emit a group more than once (it flushes when its memory share is full); FINAL emits each group once."""

    PARTIAL = "partial"
    FINAL = "final"


@dataclass(frozen=True, slots=True)
class GroupBy:
    """One row a group of this task's input; without keys one row (PARTIAL and FINAL alike, also over no rows). Collects."""

    input: Operator
    phase: GroupPhase
    keys: tuple[Field, ...]
    measures: tuple[Measure, ...]
    estimate: float | None = None

    @property
    def fields(self) -> tuple[Field, ...]:
        """Keys, then measures."""
        return (*self.keys, *(m.field for m in self.measures))


class BuildSide(enum.Enum):
    """SHARED: the build input is a broadcast edge and one build per worker serves all tasks of the stage. OWN: each task builds
    from its own share (the inputs are co-partitioned by the keys)."""

    SHARED = "shared"
    OWN = "own"


@dataclass(frozen=True, slots=True)
class KeyPair:
    """One equality of a join: `probe` = `build`, of the same type; `null_safe`: NULL equals NULL (IS NOT DISTINCT FROM)."""

    probe: Column
    build: Column
    null_safe: bool = False


@dataclass(frozen=True, slots=True)
class HashJoin:
    """Streams `probe` past a table of `build`. Collects the build.

    `kind` is as seen with probe on the left: INNER, LEFT (keeps probe rows), SEMI, ANTI, SINGLE, MARK; RIGHT and FULL (keep
    build
    rows) only with BuildSide.OWN. `residual` is a further condition on matched pairs, over both sides' columns; it decides
    matching for every kind. No keys: every pair is compared (nested loop).
    MARK gives true where a pair matches, else NULL where the residual of some key-matched pair is NULL, else false.
    `null_aware` (MARK only, with exactly one key, not null-safe, and no residual): as `IN` does it, the mark of a probe row
    without
    a match is NULL when its key is NULL and the build has any row, or when the build has a NULL key. Else NULL keys just
    never match.
    `fields`: any subset of what the kind gives (probe's, build's, mark's), in any order.
    `dynamic`: filters that scans below the probe side apply and that its build makes, before it reads the probe side.
    `at`: where the text has the subquery of SINGLE.
    """

    probe: Operator
    build: Operator
    kind: JoinKind
    keys: tuple[KeyPair, ...]
    residual: Expression | None
    side: BuildSide
    fields: tuple[Field, ...]
    mark: Field | None = None
    null_aware: bool = False
    estimate: float | None = None
    dynamic: tuple[DynamicFilter, ...] = ()
    at: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class ColumnOrder:
    """One sort key that is a plain column."""

    column: Column
    descending: bool = False
    nulls_first: bool = False


@dataclass(frozen=True, slots=True)
class ExpandSets:
    """The input's rows once for each grouping set, numbered from 0 by `number` (int64).

    `keys` are columns of the input under new names; in the copy for a set they are NULL but for those at the places that it
    lists. Each task ends with a row for each set in `whole` that is NULL in all but `number`. `present` is true for the
    input's rows and NULL for those. `fields`: any subset of the input's, the keys', the number and `present`, in any order.
    """

    input: Operator
    keys: tuple[Item, ...]
    sets: tuple[tuple[int, ...], ...]
    whole: tuple[int, ...]
    number: Field
    present: Field | None
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class UnnestRows:
    """The input's rows once for each element of `lists`, as the logical Unnest says. `fields`: any subset of the input's, the
    elements' and the ordinal, in any order."""

    input: Operator
    lists: tuple[UnnestItem, ...]
    kind: JoinKind
    ordinal: Field | None
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class SortRows:
    """This task's rows in order. Collects."""

    input: Operator
    keys: tuple[ColumnOrder, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the input."""
        return self.input.fields


@dataclass(frozen=True, slots=True)
class WindowFunction:
    """One function of WindowRows: one of `expression.windows`, or a primitive aggregate as a Measure has it, over
    `arguments`. Rows that agree in the first `keys` of the order are peers.

    `bounds`: what the frame's bounds read. `where`, `distinct`, `constant` and `order` are as in a Measure; `skips_nulls`: rows
    without a value do not count.
    """

    field: Field
    function: str
    arguments: tuple[Column, ...]
    frame: Frame
    keys: int
    bounds: tuple[Column, ...] = ()
    where: Column | None = None
    distinct: bool = False
    constant: Literal | None = None
    order: tuple[ColumnOrder, ...] = ()
    skips_nulls: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        """All that it reads."""
        where = () if self.where is None else (self.where,)
        return (*self.arguments, *self.bounds, *where, *(key.column for key in self.order))


@dataclass(frozen=True, slots=True)
class WindowRows:
    """This task's rows with the results of window functions beside them. Rows of one partition are in one task. Collects."""

    input: Operator
    partition: tuple[Column, ...]
    order: tuple[ColumnOrder, ...]
    functions: tuple[WindowFunction, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the input, then one a function."""
        return (*self.input.fields, *(f.field for f in self.functions))


@dataclass(frozen=True, slots=True)
class TopRows:
    """The first `count` rows of this task in order of `keys`. Holds about `count` rows."""

    input: Operator
    keys: tuple[ColumnOrder, ...]
    count: int

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the input."""
        return self.input.fields


@dataclass(frozen=True, slots=True)
class TopOfGroups:
    """The rows of this task whose `ranking` (row_number, rank or dense_rank), by `keys` within the rows that agree in
    `groups`, is at most `count`; possibly some more. Stands below a WindowRows whose rows beyond that rank are dropped. Holds
    about what it gives.
    """

    input: Operator
    groups: tuple[Column, ...]
    keys: tuple[ColumnOrder, ...]
    ranking: str
    count: int

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the input."""
        return self.input.fields


@dataclass(frozen=True, slots=True)
class LimitRows:
    """`count` rows of this task (None: all) after skipping `offset`; stops its input when it has them."""

    input: Operator
    count: int | None
    offset: int = 0

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the input."""
        return self.input.fields


@dataclass(frozen=True, slots=True)
class UnionRows:
    """All rows of all inputs, matched by position; a task runs its share of each input in turn."""

    inputs: tuple[Operator, ...]
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class IterateRows:
    """The rows of `seed`, then those of `step` over the rows that came last (its `WorkingRows` of this `id`), until there come
    none; DISTINCT drops rows that came before. One task; columns are matched by position.

    `step` is run anew each turn, in this task: below it stand no exchanges but for what does not depend on the turn, which is
    read once and kept. More than `turns` turns are an error. Holds what came last, and with DISTINCT all that came.
    """

    seed: Operator
    step: Operator
    id: RecursionId
    name: str
    quantifier: Quantifier
    fields: tuple[Field, ...]
    turns: int
    estimate: float | None = None


@dataclass(frozen=True, slots=True)
class WorkingRows:
    """The rows that came last in the IterateRows around with this `id`: its columns at `places`."""

    id: RecursionId
    name: str
    fields: tuple[Field, ...]
    places: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Exchange:
    """Where a stage ends: the input's rows dealt by `partitioning`. Exists in physical plans only; `stage` cuts here.

    `shared`: exchanges over the same shared relation carry its number and become edges of one producer stage. `order`: the
    producers' rows are sorted so, and the reader merges them. `filters`: dynamic filters whose keys its rows have, and which
    scans of other stages apply. `one_task`: the input was planned as what one task does, and is only right so.
    """

    input: Operator
    partitioning: Partitioning
    order: tuple[ColumnOrder, ...] = ()
    shared: int | None = None
    fields: tuple[Field, ...] = ()
    estimate: float | None = None
    filters: tuple[DynamicFilter, ...] = ()
    one_task: bool = False


Operator: TypeAlias = (
    TableScan
    | ValuesRows
    | ReadExchange
    | FilterRows
    | ProjectColumns
    | GroupBy
    | ExpandSets
    | UnnestRows
    | HashJoin
    | SortRows
    | WindowRows
    | TopRows
    | TopOfGroups
    | LimitRows
    | UnionRows
    | IterateRows
    | WorkingRows
    | Exchange
)


def operator_inputs(node: Operator) -> tuple[Operator, ...]:
    """The direct inputs, in order; a HashJoin's are probe, build; an IterateRows' seed, step."""
    match node:
        case TableScan() | ValuesRows() | ReadExchange() | WorkingRows():
            return ()
        case IterateRows(seed=seed, step=step):
            return (seed, step)
        case HashJoin(probe=probe, build=build):
            return (probe, build)
        case UnionRows(inputs=parts):
            return parts
        case (
            FilterRows(input=child)
            | ProjectColumns(input=child)
            | GroupBy(input=child)
            | ExpandSets(input=child)
            | UnnestRows(input=child)
            | SortRows(input=child)
            | WindowRows(input=child)
            | TopRows(input=child)
            | TopOfGroups(input=child)
            | LimitRows(input=child)
            | Exchange(input=child)
        ):
            return (child,)


def with_operator_inputs(node: Operator, parts: tuple[Operator, ...]) -> Operator:
    """The same operator over other inputs, given as `operator_inputs` lists them."""
    match node:
        case TableScan() | ValuesRows() | ReadExchange() | WorkingRows():
            return node
        case IterateRows():
            return replace(node, seed=parts[0], step=parts[1])
        case HashJoin():
            return replace(node, probe=parts[0], build=parts[1])
        case UnionRows():
            return replace(node, inputs=parts)
        case (
            FilterRows()
            | ProjectColumns()
            | GroupBy()
            | ExpandSets()
            | SortRows()
            | WindowRows()
            | TopRows()
            | TopOfGroups()
            | UnnestRows()
            | LimitRows()
            | Exchange()
        ):
            return replace(node, input=parts[0])
