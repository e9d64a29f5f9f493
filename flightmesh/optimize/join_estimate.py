"""How many rows a join gives, from the distinct values of its keys.

Handed the conjuncts of a join and what is expected of both sides; hands on rows, or the share of left rows with a match. An
equality keeps 1 / max(distinct left, distinct right) of the pairs; several equalities between two tables are one composite
key, which has no more distinct values than the smaller table has rows (so a foreign key of two columns is not taken for two
independent ones).
"""

from __future__ import annotations

from math import prod

from flightmesh.expression.nodes import Call, Cast, Column, Expression
from flightmesh.optimize.column_estimate import ColumnEstimate
from flightmesh.optimize.selectivity import Columns, selectivity

Pair = tuple[ColumnEstimate, ColumnEstimate]


def joined_rows(parts: tuple[Expression, ...], left: float, lefts: Columns, right: float, rights: Columns) -> float:
    """Rows of the inner join."""
    pairs, rest = _pairs(parts, lefts, rights)
    rows = left * right
    if pairs:
        rows /= max(1.0, key_distinct(pairs))
        for a, b in pairs:
            rows *= (1.0 - a.null_fraction) * (1.0 - b.null_fraction)
    if rest:
        both = lefts | rights
        for part in rest:
            rows *= selectivity(part, both)
    return rows


def key_distinct(pairs: list[Pair]) -> float:
    """Distinct values of the composite key, taken over both sides.

    Columns of one table that meet columns of one other are one key, of which that table has no more than rows; pairs of
    different tables (a customer's dates with two calendars) are independent of each other.
    """
    groups: dict[tuple[int | None, int | None], list[Pair]] = {}
    for a, b in pairs:
        groups.setdefault((a.origin, b.origin), []).append((a, b))
    total = 1.0
    for (left, right), members in groups.items():
        each = [max(a.distinct, b.distinct, 1.0) for a, b in members]
        product = prod(each)
        if len(members) > 1:
            rows = [side.origin_rows for side, origin in zip(members[0], (left, right), strict=True) if origin is not None]
            product = min([product, *(max(max(each), most) for most in rows)])
        total *= product
    return total


def matched_share(parts: tuple[Expression, ...], left: float, lefts: Columns, right: float, rights: Columns) -> float:
    """The share of left rows with at least one partner."""
    pairs, rest = _pairs(parts, lefts, rights)
    if not pairs:
        return 1.0 if not rest else 0.5
    share = 1.0
    for a, b in pairs:
        share = min(share, b.distinct / max(a.distinct, b.distinct, 1.0))
    return share if not rest else share * 0.8


def _pairs(parts: tuple[Expression, ...], lefts: Columns, rights: Columns) -> tuple[list[Pair], list[Expression]]:
    pairs: list[Pair] = []
    rest: list[Expression] = []
    for part in parts:
        pair = _pair(part, lefts, rights)
        if pair is None:
            rest.append(part)
        else:
            pairs.append(pair)
    return pairs, rest


def _pair(part: Expression, lefts: Columns, rights: Columns) -> Pair | None:
    if not isinstance(part, Call) or part.function not in ("equal", "is_not_distinct_from"):
        return None
    a, b = _bare(part.args[0]), _bare(part.args[1])
    if a is None or b is None:
        return None
    if a.id in lefts and b.id in rights:
        return lefts[a.id], rights[b.id]
    if b.id in lefts and a.id in rights:
        return lefts[b.id], rights[a.id]
    return None


def _bare(node: Expression) -> Column | None:
    while isinstance(node, Cast):
        node = node.operand
    return node if isinstance(node, Column) else None
