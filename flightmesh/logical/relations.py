"""Logical relations: what a query means, before anything is said of how it runs.

Handed on by the front ends, rewritten by the optimizer, read by the physical planner. A closed union of frozen dataclasses
whose constructors refuse ill-formed plans. What always holds: every relation's `fields` have ids unique in the query, and an
expression reads only fields of its relation's inputs (or, under an `Apply`, of the enclosing left side).
"""

from __future__ import annotations

import enum
from dataclasses import field
from typing import TypeAlias

import pyarrow as pa

from flightmesh.catalog.table import Table
from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError, Position
from flightmesh.expression.nodes import AggregateCall, Column, Expression, Field, SortKey, require_boolean
from flightmesh.expression.windows import WindowCall
from flightmesh.ids import ColumnId, RecursionId, SharedId


def _same_shape(fields: tuple[Field, ...], other: tuple[Field, ...], what: str) -> None:
    if [f.type for f in fields] != [f.type for f in other]:
        raise InternalError(f"{what}: types {[str(f.type) for f in other]} where {[str(f.type) for f in fields]} must be")


@dataclass(frozen=True, slots=True)
class Scan:
    """The rows of a table. `fields` are the columns read (possibly none), named as in the table.

    `filters` are conjuncts over `fields`, or over `filter_only` columns that are read for them and dropped; `limit` lets the
    scan stop after so many rows (per task; an exact Limit stands above).
    """

    table: Table
    fields: tuple[Field, ...]
    filters: tuple[Expression, ...] = ()
    filter_only: tuple[Field, ...] = ()
    limit: int | None = None

    def __post_init__(self) -> None:
        for predicate in self.filters:
            require_boolean(predicate, "a scan's filter")


@dataclass(frozen=True, slots=True)
class Values:
    """Constant rows. `rows` holds one Arrow batch whose columns are `fields` in order; no fields and one row is SELECT's
    FROM-less input."""

    fields: tuple[Field, ...]
    rows: pa.RecordBatch

    def __post_init__(self) -> None:
        if [f.type for f in self.fields] != self.rows.schema.types:
            raise InternalError("Values: the batch does not have the types of the fields")


@dataclass(frozen=True, slots=True)
class Filter:
    """The input's rows where `predicate` is true."""

    input: Relation
    predicate: Expression

    def __post_init__(self) -> None:
        require_boolean(self.predicate, "a filter")

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the input."""
        return self.input.fields


@dataclass(frozen=True, slots=True)
class Item:
    """One computed column: `field` names the result of `expression`."""

    field: Field
    expression: Expression

    def __post_init__(self) -> None:
        if self.field.type != self.expression.type:
            raise InternalError(f"column {self.field.name} is {self.field.type}, its expression {self.expression.type}")


@dataclass(frozen=True, slots=True)
class Project:
    """Computed columns. An item that only passes a column on keeps its id (its field's id is the column's)."""

    input: Relation
    items: tuple[Item, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """One a item."""
        return tuple(item.field for item in self.items)


class JoinKind(enum.Enum):
    """SEMI and ANTI keep left rows; SINGLE is LEFT that fails when a left row has two matches; MARK adds a boolean column
    that says whether a left row has a match, NULL when only an unknown comparison stands between (`IN`'s three values)."""

    INNER = "inner"
    LEFT = "left"
    RIGHT = "right"
    FULL = "full"
    SEMI = "semi"
    ANTI = "anti"
    SINGLE = "single"
    MARK = "mark"


@dataclass(frozen=True, slots=True)
class Join:
    """A join. No condition means every pair (INNER without a condition is the cross join). MARK has `mark`, the others not.
    `at`: where the text has the subquery of a SINGLE join."""

    left: Relation
    right: Relation
    kind: JoinKind
    condition: Expression | None = None
    mark: Field | None = None
    at: Position | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if (self.mark is not None) != (self.kind is JoinKind.MARK):
            raise InternalError("a join has a mark column exactly when its kind is MARK")
        if self.condition is not None:
            require_boolean(self.condition, "a join condition")

    @property
    def fields(self) -> tuple[Field, ...]:
        """Left then right; only left for SEMI and ANTI; left and the mark for MARK. Outer sides become nullable."""
        return join_fields(self.left, self.right, self.kind, self.mark)


@dataclass(frozen=True, slots=True)
class Apply:
    """A dependent join: `right` is computed for each row of `left` and may read left's columns (as plain Columns).

    The binder makes these for subqueries and LATERAL: SINGLE (a scalar subquery), MARK (EXISTS has no condition; IN has the
    comparison as condition), SEMI, ANTI, INNER, LEFT. Decorrelation removes every one of them. `at`: as for Join.
    """

    left: Relation
    right: Relation
    kind: JoinKind
    condition: Expression | None = None
    mark: Field | None = None
    at: Position | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.kind in (JoinKind.RIGHT, JoinKind.FULL):
            raise InternalError(f"a dependent join cannot be {self.kind.value}")
        if (self.mark is not None) != (self.kind is JoinKind.MARK):
            raise InternalError("a dependent join has a mark column exactly when its kind is MARK")

    @property
    def fields(self) -> tuple[Field, ...]:
        """As for Join."""
        return join_fields(self.left, self.right, self.kind, self.mark)


def join_fields(left: Relation, right: Relation, kind: JoinKind, mark: Field | None) -> tuple[Field, ...]:
    """The output columns of a join of this kind."""
    match kind:
        case JoinKind.SEMI | JoinKind.ANTI:
            return left.fields
        case JoinKind.MARK:
            if mark is None:
                raise InternalError("a MARK join without a mark column")
            return (*left.fields, mark)
        case JoinKind.INNER:
            return (*left.fields, *right.fields)
        case JoinKind.LEFT | JoinKind.SINGLE:
            return (*left.fields, *_nullable(right.fields))
        case JoinKind.RIGHT:
            return (*_nullable(left.fields), *right.fields)
        case JoinKind.FULL:
            return (*_nullable(left.fields), *_nullable(right.fields))


def _nullable(fields: tuple[Field, ...]) -> tuple[Field, ...]:
    return tuple(Field(f.id, f.name, f.type, True) for f in fields)


@dataclass(frozen=True, slots=True)
class AggregateItem:
    """One aggregate of an Aggregate: `field` names its result."""

    field: Field
    call: AggregateCall


@dataclass(frozen=True, slots=True)
class Aggregate:
    """One row a group; without groups exactly one row; without aggregates DISTINCT. NULLs group together."""

    input: Relation
    groups: tuple[Item, ...]
    aggregates: tuple[AggregateItem, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Groups, then aggregates."""
        return (*(g.field for g in self.groups), *(a.field for a in self.aggregates))


@dataclass(frozen=True, slots=True)
class WindowItem:
    """One window function of a Window: `field` names its result. It sees the first `keys` of the Window's order, no more."""

    field: Field
    call: WindowCall
    keys: int


@dataclass(frozen=True, slots=True)
class Window:
    """Every row of the input with the results of window functions beside it: each over the rows that agree in `partition`
    (NULL agreeing with NULL), in the order of `order`."""

    input: Relation
    partition: tuple[Expression, ...]
    order: tuple[SortKey, ...]
    items: tuple[WindowItem, ...]

    def __post_init__(self) -> None:
        if not self.items:
            raise InternalError("a window without functions")
        for item in self.items:
            if not 0 <= item.keys <= len(self.order):
                raise InternalError(f"{item.field.name} is ordered by {item.keys} keys where there are {len(self.order)}")
            if item.field.type != item.call.type:
                raise InternalError(f"column {item.field.name} is {item.field.type}, its window function {item.call.type}")

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the input, then one an item."""
        return (*self.input.fields, *(item.field for item in self.items))


@dataclass(frozen=True, slots=True)
class Expand:
    """The input's rows once for each grouping set, for an Aggregate above that groups by `keys` and `number`.

    `keys` name columns of the input anew; in the copy for a set they are NULL but for those at the places that the set
    lists. `number` says which set a copy is for, so that a NULL of the data and one of a set stay apart. With `present`,
    each set that lists nothing has further rows (one a task) that are NULL in all but `number`: its group is there though
    no row is. `present` is true for rows of the input and NULL for those, which every aggregate above leaves out by it.
    """

    input: Relation
    keys: tuple[Item, ...]
    sets: tuple[tuple[int, ...], ...]
    number: Field
    present: Field | None = None

    def __post_init__(self) -> None:
        if any(place >= len(self.keys) for kept in self.sets for place in kept):
            raise InternalError("a grouping set keeps a key that is not there")

    @property
    def fields(self) -> tuple[Field, ...]:
        """The input's, the keys', the number, and `present` where there is one. Further rows make the input's nullable."""
        below = self.input.fields if self.present is None else _nullable(self.input.fields)
        return (*below, *self.made)

    @property
    def made(self) -> tuple[Field, ...]:
        """The columns that are not the input's."""
        return (*(item.field for item in self.keys), self.number, *(() if self.present is None else (self.present,)))


@dataclass(frozen=True, slots=True)
class UnnestItem:
    """The elements of a list as a column: `field` names them."""

    field: Field
    expression: Expression

    def __post_init__(self) -> None:
        kind = self.expression.type
        if not pa.types.is_list(kind) or kind.value_type != self.field.type:
            raise InternalError(f"column {self.field.name} is {self.field.type}, its list {kind}")


@dataclass(frozen=True, slots=True)
class Unnest:
    """The input's rows once for each element of their lists: with several lists as often as the longest has elements, the
    others giving NULL past their ends. `kind`: INNER, or LEFT, which keeps a row without elements once, with NULLs. `ordinal`
    numbers the elements of a row from 1."""

    input: Relation
    lists: tuple[UnnestItem, ...]
    kind: JoinKind = JoinKind.INNER
    ordinal: Field | None = None

    def __post_init__(self) -> None:
        if self.kind not in (JoinKind.INNER, JoinKind.LEFT) or not self.lists:
            raise InternalError("an Unnest is of lists, and inner or left")

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the input, then the elements', then the ordinal."""
        return (*self.input.fields, *self.made)

    @property
    def made(self) -> tuple[Field, ...]:
        """The columns that are not the input's."""
        return (*(item.field for item in self.lists), *(() if self.ordinal is None else (self.ordinal,)))


@dataclass(frozen=True, slots=True)
class Sort:
    """The input in order of `keys`."""

    input: Relation
    keys: tuple[SortKey, ...]

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the input."""
        return self.input.fields


@dataclass(frozen=True, slots=True)
class Limit:
    """`count` rows (None: all) after skipping `offset`; in order when the input is a Sort."""

    input: Relation
    count: int | None
    offset: int = 0

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the input."""
        return self.input.fields


class SetKind(enum.Enum):
    """UNION ALL is UNION with Quantifier.ALL, and so on."""

    UNION = "union"
    INTERSECT = "intersect"
    EXCEPT = "except"


class Quantifier(enum.Enum):
    """Whether duplicates count."""

    ALL = "all"
    DISTINCT = "distinct"


@dataclass(frozen=True, slots=True)
class SetOperation:
    """UNION, INTERSECT, EXCEPT of inputs with the types of `fields`, matched by position. INTERSECT and EXCEPT take two
    inputs."""

    kind: SetKind
    quantifier: Quantifier
    inputs: tuple[Relation, ...]
    fields: tuple[Field, ...]

    def __post_init__(self) -> None:
        for part in self.inputs:
            _same_shape(self.fields, part.fields, f"{self.kind.value} input")


@dataclass(frozen=True, slots=True)
class Reference:
    """Reads a relation that is computed once (see `With`): `fields` are fresh ids for `sources`, fields of the shared
    relation."""

    shared: SharedId
    name: str
    fields: tuple[Field, ...]
    sources: tuple[ColumnId, ...]


@dataclass(frozen=True, slots=True)
class Definition:
    """One shared relation of a `With`."""

    id: SharedId
    name: str
    relation: Relation


@dataclass(frozen=True, slots=True)
class With:
    """`body` over shared relations, each computed once and read by `Reference`s. Stands only at the root of a query; a
    definition may refer to those before it."""

    definitions: tuple[Definition, ...]
    body: Relation

    @property
    def fields(self) -> tuple[Field, ...]:
        """Those of the body."""
        return self.body.fields


@dataclass(frozen=True, slots=True)
class Recursion:
    """WITH RECURSIVE: the rows of `seed`, then those of `step` over the rows that came last, until there come none.

    What came last is the working table that `Working`s of the same `id` below `step` read. DISTINCT keeps of each turn only
    rows that no turn before has given. `seed_columns` and `step_columns` say which columns of the two are `fields`, in order.
    """

    seed: Relation
    step: Relation
    id: RecursionId
    name: str
    quantifier: Quantifier
    fields: tuple[Field, ...]
    seed_columns: tuple[ColumnId, ...]
    step_columns: tuple[ColumnId, ...]

    def __post_init__(self) -> None:
        for part, columns, what in ((self.seed, self.seed_columns, "first"), (self.step, self.step_columns, "recursive")):
            types = {f.id: f.type for f in part.fields}
            if [types.get(c) for c in columns] != [f.type for f in self.fields]:
                raise InternalError(f"the {what} part of {self.name} has not the columns of the whole")


@dataclass(frozen=True, slots=True)
class Working:
    """Reads the working table of the `Recursion` with this `id` around: `fields` are fresh ids for its columns at `places`."""

    id: RecursionId
    name: str
    fields: tuple[Field, ...]
    places: tuple[int, ...]


Relation: TypeAlias = (
    Scan
    | Values
    | Filter
    | Project
    | Join
    | Apply
    | Aggregate
    | Expand
    | Unnest
    | Window
    | Sort
    | Limit
    | SetOperation
    | Reference
    | Recursion
    | Working
    | With
)


def passes(column: Column) -> Item:
    """The project item that hands a column on unchanged."""
    return Item(Field(column.id, column.name, column.type, column.nullable), column)
