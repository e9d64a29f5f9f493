"""Typed, resolved expressions: a closed union of frozen dataclasses.

Handed on by the binder, rewritten by the optimizer, lowered to array programs by `expression.lower`. What always holds: every
node knows its Arrow type, columns are named by id, and argument types are exactly those that the function's kernel takes
(the binder has put in the casts).
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from dataclasses import field, replace
from typing import TypeAlias

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.errors import InternalError, Position
from flightmesh.expression.exactness import float_signs
from flightmesh.ids import ColumnId


@dataclass(frozen=True, slots=True)
class Field:
    """One output column of a relation: its id, the name a person sees, its Arrow type."""

    id: ColumnId
    name: str
    type: pa.DataType
    nullable: bool = True

    def column(self) -> Column:
        """The expression that reads this field."""
        return Column(self.id, self.name, self.type, self.nullable)

    @property
    def key(self) -> str:
        """The name of this column in record batches while a query runs: unique, unlike `name`."""
        return f"c{self.id}"


@dataclass(frozen=True, slots=True)
class Column:
    """A reference to a field by id; the name is carried for people only."""

    id: ColumnId
    name: str = field(compare=False)
    type: pa.DataType
    nullable: bool = field(default=True, compare=False)

    @property
    def key(self) -> str:
        """The name of this column in record batches while a query runs."""
        return f"c{self.id}"


@dataclass(frozen=True, slots=True)
class Literal:
    """A constant, as an Arrow scalar (`value.type` is the type; an invalid scalar is a typed NULL). Literals are equal where
    their values are the same: 0.0 is not -0.0."""

    value: pa.Scalar

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Literal):
            return NotImplemented
        if self.value is other.value:  # a NaN, which Arrow does not take for equal to itself
            return True
        return bool(self.value == other.value) and float_signs(self.value) == float_signs(other.value)

    def __hash__(self) -> int:
        return hash(self.value)

    @property
    def type(self) -> pa.DataType:
        """The Arrow type."""
        return self.value.type

    @property
    def is_null(self) -> bool:
        """Whether this is NULL."""
        return not self.value.is_valid


@dataclass(frozen=True, slots=True)
class Call:
    """A scalar function of the registry, operators included (`add`, `equal`, `and`, `not`, `is_null`, `like`, ...)."""

    function: str
    args: tuple[Expression, ...]
    type: pa.DataType
    at: Position | None = field(default=None, compare=False)


class CastMode(enum.Enum):
    """What happens to a value that does not fit: STRICT fails the query, TRY gives NULL."""

    STRICT = "strict"
    TRY = "try"


@dataclass(frozen=True, slots=True)
class Cast:
    """A conversion to `type`."""

    operand: Expression
    type: pa.DataType
    mode: CastMode = CastMode.STRICT
    at: Position | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class When:
    """One arm of a CASE: taken when `condition` is true (not when NULL)."""

    condition: Expression
    value: Expression


@dataclass(frozen=True, slots=True)
class Case:
    """A searched CASE. Arms are evaluated only for the rows that reach them; without `otherwise` the rest is NULL."""

    whens: tuple[When, ...]
    otherwise: Expression | None
    type: pa.DataType


@dataclass(frozen=True, slots=True)
class InList:
    """`operand IN (options)` with constant options of the operand's type, three-valued as SQL has it."""

    operand: Expression
    options: tuple[Literal, ...]
    type: pa.DataType = field(default_factory=pa.bool_)


Expression: TypeAlias = Column | Literal | Call | Cast | Case | InList


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """An aggregate of the registry over the rows of a group. `filter` keeps only rows where it is true.

    `count_star` takes no argument; `count`, `sum`, `avg`, `min`, `max`, ... take one. `order`: the order in which the rows of a
    group come, for aggregates that see it.
    """

    function: str
    args: tuple[Expression, ...]
    type: pa.DataType
    distinct: bool = False
    filter: Expression | None = None
    at: Position | None = field(default=None, compare=False)
    order: tuple[SortKey, ...] = ()


@dataclass(frozen=True, slots=True)
class SortKey:
    """One key of an ordering."""

    expression: Expression
    descending: bool = False
    nulls_first: bool = False


def children(node: Expression) -> tuple[Expression, ...]:
    """The direct sub-expressions, in order."""
    match node:
        case Column() | Literal():
            return ()
        case Call(args=args):
            return args
        case Cast(operand=operand):
            return (operand,)
        case InList(operand=operand):
            return (operand,)
        case Case(whens=whens, otherwise=otherwise):
            arms = tuple(part for arm in whens for part in (arm.condition, arm.value))
            return arms if otherwise is None else (*arms, otherwise)


def with_children(node: Expression, parts: tuple[Expression, ...]) -> Expression:
    """The same node over other sub-expressions, given as `children` lists them."""
    match node:
        case Column() | Literal():
            return node
        case Call():
            return replace(node, args=parts)
        case Cast():
            return replace(node, operand=parts[0])
        case InList():
            return replace(node, operand=parts[0])
        case Case(whens=whens, otherwise=otherwise):
            arms = tuple(When(parts[2 * i], parts[2 * i + 1]) for i in range(len(whens)))
            return replace(node, whens=arms, otherwise=None if otherwise is None else parts[-1])


def rewrite(node: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """`change` applied to every node, children first; untouched sub-trees stay the same objects."""
    old = children(node)
    if old:
        new = tuple(rewrite(part, change) for part in old)
        if any(a is not b for a, b in zip(old, new, strict=True)):
            node = with_children(node, new)
    return change(node)


def walk(node: Expression) -> Iterator[Expression]:
    """Every node, parents first. However deep the tree: tasks walk it on stacks of the usual size."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting.extend(reversed(children(node)))


def columns_of(node: Expression) -> frozenset[ColumnId]:
    """The ids of the columns that an expression reads."""
    return frozenset(part.id for part in walk(node) if isinstance(part, Column))


def substitute(node: Expression, mapping: dict[ColumnId, Expression]) -> Expression:
    """The expression with each mapped column replaced."""

    def change(part: Expression) -> Expression:
        return mapping.get(part.id, part) if isinstance(part, Column) else part

    return rewrite(node, change)


def conjuncts(node: Expression | None) -> tuple[Expression, ...]:
    """The operands of nested ANDs, flattened; nothing for None."""
    if node is None:
        return ()
    if isinstance(node, Call) and node.function == "and":
        return tuple(leaf for part in node.args for leaf in conjuncts(part))
    return (node,)


def conjunction(parts: tuple[Expression, ...]) -> Expression | None:
    """One expression that is true where all are, or None for no parts."""
    if len(parts) < 2:
        return parts[0] if parts else None
    return Call("and", parts, pa.bool_())


def require_boolean(node: Expression, what: str) -> None:
    """Refuses a predicate that is not boolean; relations call this in their constructors."""
    if not pa.types.is_boolean(node.type):
        raise InternalError(f"{what} must be boolean, not {node.type}")
