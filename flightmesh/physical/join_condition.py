"""Takes a join condition apart: the equalities between the two sides, which become hash keys, and what remains."""

from __future__ import annotations

from dataclasses import replace

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Call, Column, Expression, columns_of, conjunction, conjuncts
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Join, JoinKind


@dataclass(frozen=True, slots=True)
class Equality:
    """One conjunct `left = right` of a join condition; `source` is the conjunct itself."""

    left: Expression
    right: Expression
    null_safe: bool
    source: Expression

    @property
    def certain(self) -> bool:
        """Whether comparing is never unknown."""
        return self.null_safe or not (_nullable(self.left) or _nullable(self.right))


@dataclass(frozen=True, slots=True)
class Condition:
    """A join condition taken apart."""

    equalities: tuple[Equality, ...]
    residual: Expression | None
    null_aware: bool = False


def split_condition(join: Join) -> Condition:
    """The equalities between the two sides, and what remains."""
    left = frozenset(f.id for f in join.left.fields)
    right = frozenset(f.id for f in join.right.fields)
    equalities: list[Equality] = []
    rest: list[Expression] = []
    for part in conjuncts(join.condition):
        found = _equality(part, left, right)
        if found is None:
            rest.append(part)
        else:
            equalities.append(found)
    return Condition(tuple(equalities), conjunction(tuple(rest)))


def _equality(part: Expression, left: frozenset[ColumnId], right: frozenset[ColumnId]) -> Equality | None:
    if not isinstance(part, Call) or part.function not in ("equal", "is_not_distinct_from"):
        return None
    first, second = part.args
    if first.type != second.type:
        return None
    null_safe = part.function == "is_not_distinct_from"
    of_first, of_second = columns_of(first), columns_of(second)
    if not of_first or not of_second:
        return None
    if of_first <= left and of_second <= right:
        return Equality(first, second, null_safe, part)
    if of_first <= right and of_second <= left:
        return Equality(second, first, null_safe, part)
    return None


def three_valued(kind: JoinKind, condition: Condition) -> Condition:
    """For MARK: an equality that may be unknown, alone, is the kernel's null-aware key; beside others it joins the residual,
    which a MARK join reads three-valued over the pairs that the certain keys match."""
    unsure = tuple(e for e in condition.equalities if not e.certain)
    if kind is not JoinKind.MARK or not unsure:
        return condition
    if len(condition.equalities) == 1 and condition.residual is None:
        return replace(condition, null_aware=True)
    sure = tuple(e for e in condition.equalities if e.certain)
    return Condition(sure, conjunction((*(e.source for e in unsure), *conjuncts(condition.residual))))


def _nullable(expression: Expression) -> bool:
    return expression.nullable if isinstance(expression, Column) else True
