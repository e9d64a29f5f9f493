"""The windows of a SELECT: those its WINDOW clause names, and the Windows that compute its window functions.

Handed a SELECT, and the functions once all clauses are bound; hands on relations. What always holds: functions over one window,
or windows of one partitioning of which one continues the order of the other, are one Window: one exchange, one sort. Windows of
one partitioning stand next to each other, so that the rows are exchanged once.
"""

from __future__ import annotations

from dataclasses import field, replace

from sqlglot import exp

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Expression, SortKey
from flightmesh.frontend.sql.clause import Windows
from flightmesh.frontend.sql.context import Context
from flightmesh.frontend.sql.grouping import Grouping
from flightmesh.logical.relations import Relation, Window, WindowItem


def named_windows(node: exp.Expr, context: Context) -> dict[str, exp.Expr]:
    """The windows of the WINDOW clause by their names in lower case, in the order in which they are written."""
    named: dict[str, exp.Expr] = {}
    for window in node.args.get("windows") or ():
        name = window.this.name
        if name.casefold() in named:
            raise context.source.error(f"there are two windows {name!r}", window.this)
        named[name.casefold()] = window
    return named


@dataclass(slots=True)
class _Shared:
    """Functions that one sort serves."""

    partition: tuple[Expression, ...]
    order: tuple[SortKey, ...]
    items: list[WindowItem] = field(default_factory=list)

    def takes(self, partition: tuple[Expression, ...], order: tuple[SortKey, ...]) -> bool:
        """Whether this order begins with that one, or the other way round."""
        both = min(len(order), len(self.order))
        return self.partition == partition and self.order[:both] == order[:both]


def over_windows(relation: Relation, windows: Windows, grouping: Grouping | None) -> Relation:
    """The relation with the results of the window functions beside its columns."""
    if not windows.items:
        return relation
    site = windows.site
    relation = (site if grouping is None else grouping.over_site(site, windows.items[0].node)).attach(relation)
    made: list[_Shared] = []
    for item in windows.items:

        def over(expression: Expression, node: exp.Expr = item.node) -> Expression:
            return expression if grouping is None else grouping.over(expression, node)

        partition = tuple(over(part) for part in item.partition)
        order = tuple(replace(key, expression=over(key.expression)) for key in item.order)
        call = item.call.with_parts(over(part) for part in item.call.parts)
        shared = next((each for each in made if each.takes(partition, order)), None)
        if shared is None:
            shared = _Shared(partition, order)
            made.append(shared)
        shared.order = max(shared.order, order, key=len)
        shared.items.append(WindowItem(item.field, call, len(order)))
    partitions = [each.partition for each in made]
    for each in sorted(made, key=lambda each: partitions.index(each.partition)):
        relation = Window(relation, each.partition, each.order, tuple(each.items))
    return relation
