"""Which rows of a Window a condition above it keeps by their rank alone: the first so many of each partition.

Handed a Window and the predicate of the Filter right above it; hands on the rank up to which rows matter. What always holds:
rows beyond it change no function of the Window for the rows that the predicate keeps.
"""

from __future__ import annotations

from flightmesh.dataclass import dataclass
from flightmesh.expression.frames import FrameUnit, Side
from flightmesh.expression.nodes import Call, Column, Expression, InList, Literal, conjuncts
from flightmesh.expression.types import Family, family
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Window, WindowItem

RANKINGS = ("row_number", "rank", "dense_rank")
MOST = 1 << 20
"""Beyond so many rows a partition nothing is dropped early."""


@dataclass(frozen=True, slots=True)
class FirstRanks:
    """Only rows whose `ranking` is at most `count` matter."""

    ranking: str
    count: int


def first_ranks(window: Window, predicate: Expression) -> FirstRanks | None:
    """The tightest rank that the predicate sets an upper bound to; None where rows beyond it matter."""
    rankings = {
        item.field.id: item.call.function
        for item in window.items
        if item.call.function in RANKINGS and item.keys == len(window.order)
    }
    found: list[FirstRanks] = []
    for part in conjuncts(predicate):
        bound = _bound(part)
        if bound is not None and bound[0] in rankings and 1 <= bound[1] <= MOST:
            found.append(FirstRanks(rankings[bound[0]], bound[1]))
    if not found:
        return None
    best = min(found, key=lambda first: (first.count, RANKINGS.index(first.ranking)))
    with_peers = best.ranking != "row_number"
    return best if all(_looks_back(item, len(window.order), with_peers) for item in window.items) else None


def _looks_back(item: WindowItem, keys: int, with_peers: bool) -> bool:
    """Whether the function sees nothing that comes after its row, or after its row's peers where those are kept with it."""
    call = item.call
    if item.keys != keys:
        return False
    if call.function in RANKINGS:
        return True
    if call.function in ("percent_rank", "cume_dist", "ntile", "lag", "lead"):
        return False
    if call.frame.end.side is Side.CURRENT:
        return call.frame.unit is FrameUnit.ROWS or with_peers
    return call.frame.end.side is Side.PRECEDING and (call.frame.end.distance or 0) > 0


def _bound(part: Expression) -> tuple[ColumnId, int] | None:
    """The column that a comparison bounds from above, and the greatest whole number that it lets through."""
    if isinstance(part, InList) and isinstance(part.operand, Column):
        numbers = [_whole(option) for option in part.options]
        known = [number for number in numbers if number is not None]
        return (part.operand.id, max(known)) if known and len(known) == len(numbers) else None
    if not isinstance(part, Call) or len(part.args) != 2:
        return None
    function, (left, right) = part.function, part.args
    if isinstance(right, Column):
        turned = {"greater": "less", "greater_equal": "less_equal", "equal": "equal"}
        function, left, right = turned.get(function, ""), right, left
    number = _whole(right)
    if not isinstance(left, Column) or number is None:
        return None
    if function in ("less_equal", "equal"):
        return left.id, number
    return (left.id, number - 1) if function == "less" else None


def _whole(part: Expression) -> int | None:
    if not isinstance(part, Literal) or part.is_null or family(part.type) is not Family.INTEGER:
        return None
    return int(part.value.as_py())
