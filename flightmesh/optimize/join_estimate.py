"""How many rows a join gives, from the values of its keys.

Handed the conjuncts of a join and what is expected of both sides; hands on rows, or the share of left rows with a match, and
what is left of the keys. An equality keeps one pair of so many as there are values to draw from: keys that conditions on other
columns, or other joins, have thinned out still meet by chance, so it is the `domain` that counts, not the distinct values left.
Several equalities between two tables are one composite key, which has no more distinct values than the smaller table has rows
(so a foreign key of two columns is not taken for two independent ones).
"""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from math import prod

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Call, Cast, Column, Expression
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import JoinKind
from flightmesh.optimize.column_estimate import ColumnEstimate
from flightmesh.optimize.selectivity import Columns, selectivity

LEAST_ANTI = 0.05
"""Share of the rows that an ANTI join is expected to leave, at least."""


@dataclass(frozen=True, slots=True)
class Meeting:
    """Two columns that are compared. `left`, `right`: distinct values in the range that both have; `domain`: what those are
    drawn from; `left_share`, `right_share`: rows in that range."""

    a: ColumnEstimate
    b: ColumnEstimate
    ids: tuple[ColumnId, ColumnId]
    left: float
    right: float
    domain: float
    left_share: float
    right_share: float

    @property
    def common(self) -> float:
        """Values that both sides are expected to have."""
        return max(1.0, min(self.left, self.right, self.left * self.right / self.domain))

    def kept(self, side: ColumnEstimate) -> ColumnEstimate:
        """One of the columns after the join."""
        low, high = _range(self.a, self.b)
        few = self.a if self.a.distinct * self.b.domain <= self.b.distinct * self.a.domain else self.b
        return replace(
            side,
            distinct=self.common,
            domain=self.domain,
            minimum=low,
            maximum=high,
            null_fraction=0.0,
            within=few.within,
            equal_to=self.a.origins | self.b.origins,
        )


def joined(parts: tuple[Expression, ...], left: float, lefts: Columns, right: float, rights: Columns) -> tuple[float, Columns]:
    """(rows of the inner join, the key columns after it)."""
    met, rest = _meetings(parts, lefts, rights)
    rows = left * right
    columns: Columns = {}
    if met:
        rows /= max(1.0, key_domain(met))
        for one in met:
            rows *= one.left_share * one.right_share * (1.0 - one.a.null_fraction) * (1.0 - one.b.null_fraction)
    if rest:
        both = lefts | rights
        for part in rest:
            rows *= selectivity(part, both)
    for one in met:
        for id_, side in zip(one.ids, (one.a, one.b), strict=True):
            kept = one.kept(side)
            columns[id_] = kept if kept.distinct <= max(rows, 1.0) else replace(kept, distinct=max(rows, 1.0))
    return rows, columns


def key_domain(met: list[Meeting]) -> float:
    """Values that the composite key may have.

    Columns of one table that meet columns of one other are one key, of which neither table has more than rows; pairs of
    different tables (a customer's dates with two calendars) are independent of each other. A column that was joined with a
    table's counts as the table's: a part and a supplier that both met partsupp are one key of it.
    """
    left = list(met)
    total = 1.0
    while len(left) > 1:
        pairs: dict[tuple[tuple[int, float], tuple[int, float]], list[Meeting]] = {}
        for one in left:
            for pair in product(one.a.origins, one.b.origins):
                pairs.setdefault(pair, []).append(one)
        tables, members = max(pairs.items(), key=_together, default=((), []))
        if len(members) < 2:
            break
        each = [one.domain for one in members]
        total *= min([prod(each), *(max(max(each), rows) for _, rows in tables)])
        left = [one for one in left if one not in members]
    return total * prod(one.domain for one in left)


def _together(found: tuple[tuple[tuple[int, float], ...], list[Meeting]]) -> tuple[int, float]:
    """The larger, the better a pair of tables and the columns that meet between them make one key."""
    tables, members = found
    return len(members), -min(rows for _, rows in tables)


def matched_share(parts: tuple[Expression, ...], lefts: Columns, rights: Columns) -> float:
    """The share of left rows with at least one partner."""
    return _share(*_meetings(parts, lefts, rights))


def _share(met: list[Meeting], rest: list[Expression]) -> float:
    if not met:
        return 1.0 if not rest else 0.5
    share = min(one.left_share * min(1.0, one.right / one.domain) for one in met)
    return share if not rest else share * 0.8


def semi_joined(
    kind: JoinKind, parts: tuple[Expression, ...], left: float, lefts: Columns, rights: Columns
) -> tuple[float, Columns]:
    """(rows of a SEMI or ANTI join, the columns after it)."""
    met, rest = _meetings(parts, lefts, rights)
    share = _share(met, rest)
    rows = left * (share if kind is JoinKind.SEMI else max(LEAST_ANTI, 1.0 - share))
    columns = {id_: c.sampled(left, rows) for id_, c in lefts.items()}
    if kind is JoinKind.SEMI:
        columns.update((one.ids[0], one.kept(one.a)) for one in met)
    return rows, columns


def _meetings(parts: tuple[Expression, ...], lefts: Columns, rights: Columns) -> tuple[list[Meeting], list[Expression]]:
    met: list[Meeting] = []
    rest: list[Expression] = []
    for part in parts:
        one = _meeting(part, lefts, rights)
        if one is None:
            rest.append(part)
        else:
            met.append(one)
    return met, rest


def _meeting(part: Expression, lefts: Columns, rights: Columns) -> Meeting | None:
    if not isinstance(part, Call) or part.function not in ("equal", "is_not_distinct_from"):
        return None
    a, b = _bare(part.args[0]), _bare(part.args[1])
    if a is None or b is None:
        return None
    if a.id in lefts and b.id in rights:
        return _met(a, b, lefts[a.id], rights[b.id])
    if b.id in lefts and a.id in rights:
        return _met(b, a, lefts[b.id], rights[a.id])
    return None


def _met(left: Column, right: Column, a: ColumnEstimate, b: ColumnEstimate) -> Meeting:
    if _is_text(left.type) != _is_text(right.type):  # two axes: their ranges say nothing of each other
        a, b = (replace(side, minimum=None, maximum=None) for side in (a, b))
    mine, my_domain, my_share = _inside(a, b)
    other, other_domain, other_share = _inside(b, a)
    related = a.within is not None and a.within == b.within
    domain = max(mine, other) if related else max(mine, other, my_domain, other_domain)
    return Meeting(a, b, (left.id, right.id), mine, other, max(1.0, domain), my_share, other_share)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _inside(one: ColumnEstimate, other: ColumnEstimate) -> tuple[float, float, float]:
    """(distinct values, domain, share of the rows) of a column within the range of the other.

    Few values are taken to lie in that range, as the days of one year lie among those with sales though the calendar has two
    centuries: who asks for values asks for some that there are.
    """
    share = _overlap(one, other)
    domain = max(one.domain, one.distinct)
    if share >= 1.0:
        return one.distinct, domain, 1.0
    inside = max(1.0, domain * share)
    distinct = one.distinct if one.distinct <= inside else max(1.0, one.distinct * share)
    return distinct, inside, distinct / max(one.distinct, 1.0)


def _overlap(one: ColumnEstimate, other: ColumnEstimate) -> float:
    """The share of a column's range that the other's takes up."""
    low, high = _range(one, other)
    if low is None or high is None or one.minimum is None or one.maximum is None or one.maximum <= one.minimum:
        return 1.0
    return max(0.0, min(1.0, (high - low) / (one.maximum - one.minimum)))


def _range(one: ColumnEstimate, other: ColumnEstimate) -> tuple[float | None, float | None]:
    if one.minimum is None or one.maximum is None or other.minimum is None or other.maximum is None:
        return None, None
    return max(one.minimum, other.minimum), min(one.maximum, other.maximum)


def _bare(node: Expression) -> Column | None:
    while isinstance(node, Cast):
        node = node.operand
    return node if isinstance(node, Column) else None
