"""Binds window functions: f(...) OVER (PARTITION BY ... ORDER BY ... frame), or OVER a named window.

Handed a binder and the node of the call with its window; hands on the column that a Window of the query will give. What always
holds: a window function stands only where its clause collects them, and none is computed of another; what of windows is not
done yet is refused by name.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from sqlglot import exp

from flightmesh.errors import InvalidQuery
from flightmesh.expression.frames import Frame
from flightmesh.expression.nodes import AggregateCall, Expression, Literal, SortKey, columns_of
from flightmesh.expression.windows import NULLS_MATTER, WindowCall, bind_window, over_frame
from flightmesh.frontend.sql import aggregate_calls, functions_map
from flightmesh.frontend.sql.clause import Windows
from flightmesh.frontend.sql.refusals import refuse_clauses, refuse_expression
from flightmesh.frontend.sql.scope import nearest
from flightmesh.frontend.sql.titles import title
from flightmesh.frontend.sql.window_frames import Bounds, frame

if TYPE_CHECKING:
    from flightmesh.frontend.sql.expressions import ExpressionBinder

INSIDE = "a window function"
"""The name of the clause that a window function's parts are."""

ORDERED = ("first_value", "last_value", "nth_value")
"""The functions that may see their frame's rows in an order of their own."""

_PARTS = ("partition_by", "order", "spec")


def window(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """The column of a window function."""
    source, clause = binder.context.source, binder.clause
    windows = clause.windows
    if windows is None:
        hints = {"WHERE": "use QUALIFY", INSIDE: "compute the inner one in a subquery", "HAVING": "use QUALIFY"}
        raise source.error(f"a window function cannot stand in {clause.name}", node, hints.get(clause.name))
    refuse_clauses(node, ("this", "alias", "over", *_PARTS), source)
    partition, order, spec = _described(binder, node, windows)
    inside = binder.within(dataclasses.replace(clause, name=INSIDE, site=windows.site, windows=None, unnests=None))
    keys = tuple(dict.fromkeys(_bound(inside, part, windows) for part in partition))
    orders = tuple(key for part in order for key in _sort_key(inside, part, windows))
    over = frame(spec, node, orders, lambda part: _bound(inside, part, windows), source)
    call = _call(binder, node.this, inside, over, windows)
    reads = (*call.args, *keys, *(key.expression for key in orders))
    if clause.unnests is not None and any(map(clause.unnests.is_read_by, reads)):
        raise source.error("a window function cannot read what the same select list unnests", node, "unnest in a subquery")
    return windows.add(tuple(k for k in keys if not isinstance(k, Literal)), orders, call, title(node), node)


def without_over(binder: ExpressionBinder, node: exp.Expr) -> InvalidQuery:
    """The error for a window function that has no window."""
    name = functions_map.window_name(node)
    return binder.context.source.error(f"{name} is a window function", node, f"write {name}(...) OVER (ORDER BY ...)")


def _call(
    binder: ExpressionBinder, node: exp.Expr, inside: ExpressionBinder, over: tuple[Frame, Bounds], windows: Windows
) -> WindowCall:
    """The function over its frames."""
    source, (framed, bounds) = binder.context.source, over
    condition, nulls, bare = _unwrapped(node)
    name = functions_map.window_name(bare)
    if name is None:
        aggregate = _aggregate(binder, bare, inside, condition, windows)
        if nulls is not None:
            raise source.error("an aggregate leaves NULLs out by itself", node, "leave out IGNORE or RESPECT NULLS")
        return over_frame(aggregate, framed, bounds)
    if condition is not None:
        raise source.error(f"FILTER belongs to an aggregate, and {name} is none", node, "filter the rows in a subquery")
    within: tuple[SortKey, ...] = ()
    if name in ORDERED:
        bare, keys = aggregate_calls.without_order(bare)
        within = tuple(key for part in keys for key in _sort_key(inside, part, windows))
    parts = functions_map.arguments(bare)
    for part in parts:
        if isinstance(part, exp.Distinct):
            raise source.error(f"DISTINCT belongs to an aggregate, and {name} is none", node)
        if isinstance(part, exp.Order):
            raise source.unsupported(f"ORDER BY in the arguments of {name}", node, "write it in the window")
    if nulls is not None and name not in NULLS_MATTER:
        raise source.error(f"{name} reads no values that could be NULL", node, "leave out IGNORE or RESPECT NULLS")
    args = [_bound(inside, part, windows) for part in parts]
    return bind_window(name, args, framed, binder.at(node), bounds, isinstance(nulls, exp.IgnoreNulls), within)


def _unwrapped(node: exp.Expr) -> tuple[exp.Expr | None, exp.Expr | None, exp.Expr]:
    """(condition of FILTER, IGNORE or RESPECT NULLS, the call without what is written around it)."""
    condition: exp.Expr | None = None
    nulls: exp.Expr | None = None
    if isinstance(node, exp.Filter):
        condition, node = node.args["expression"].this, node.this
    if isinstance(node, exp.IgnoreNulls | exp.RespectNulls):
        # The parser marks any_value as ignoring NULLs, which it does.
        nulls, node = None if isinstance(node.this, exp.AnyValue) else node, node.this
    elif isinstance(node.this, exp.IgnoreNulls | exp.RespectNulls):
        nulls, node = node.this, node.copy()
        node.set("this", node.this.this)
    return condition, nulls, node


def _aggregate(
    binder: ExpressionBinder, node: exp.Expr, inside: ExpressionBinder, condition: exp.Expr | None, windows: Windows
) -> AggregateCall:
    source = binder.context.source
    if isinstance(node, exp.WithinGroup):
        node = aggregate_calls.over_order(binder, node)
    name = functions_map.aggregate_name(node)
    if name is None:
        refuse_expression(node, source)
        word = source.word(node) or node.key
        raise source.error(f"{word.lower()} is neither an aggregate nor a window function", node, "write it without OVER")
    return aggregate_calls.aggregate_call(binder, node, name, condition, lambda part: _bound(inside, part, windows))


def _described(
    binder: ExpressionBinder, node: exp.Expr, windows: Windows
) -> tuple[list[exp.Expr], list[exp.Expr], exp.Expr | None]:
    """(PARTITION BY, ORDER BY, frame) of a window, with those of the named one that it begins with."""
    source = binder.context.source
    order = node.args.get("order")
    own = (node.args.get("partition_by") or [], [] if order is None else order.expressions, node.args.get("spec"))
    named = node.args.get("alias")
    if named is None:
        return own
    base = windows.named.get(named.name.casefold())
    if base is None or base is node:
        near = nearest(named.name, {name: window.this.name for name, window in windows.named.items()})
        raise source.error(f"there is no window {named.name!r}", named, f"did you mean {near}?" if near else None)
    found = _described(binder, base, Windows(windows.state, _before(base, windows.named)))
    for what, mine, theirs in zip(("PARTITION BY", "ORDER BY", "frame"), own, found, strict=True):
        if theirs and (mine if what != "frame" else any(own)):
            raise source.error(f"the window {named.name!r} has its own {what}", named, "write the window out")
    return found[0] or own[0], found[1] or own[1], found[2] or own[2]


def _before(node: exp.Expr, named: dict[str, exp.Expr]) -> dict[str, exp.Expr]:
    """The named windows that were written before this one: it may begin with one of them."""
    names = list(named)
    return {name: named[name] for name in names[: names.index(node.this.name.casefold())]}


def _bound(inside: ExpressionBinder, node: exp.Expr, windows: Windows) -> Expression:
    bound = inside.bind(node)
    if columns_of(bound) & windows.ids:
        raise inside.context.source.error(
            f"a window function cannot stand in {INSIDE}", node, "compute the inner one in a subquery"
        )
    return bound


def _sort_key(inside: ExpressionBinder, node: exp.Expr, windows: Windows) -> list[SortKey]:
    """The key, unless it is a constant."""
    ordered = node.this if isinstance(node, exp.Ordered) else node
    if node.args.get("with_fill"):
        raise inside.context.source.unsupported("WITH FILL", node)
    bound = _bound(inside, ordered, windows)
    if isinstance(bound, Literal):
        return []
    return [SortKey(bound, bool(node.args.get("desc")), bool(node.args.get("nulls_first")))]
