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
from flightmesh.expression.aggregates import canonical
from flightmesh.expression.nodes import Expression, Literal, SortKey, columns_of
from flightmesh.expression.windows import DEFAULT_FRAME, WINDOW_AGGREGATES, Frame, FrameUnit, bind_window
from flightmesh.frontend.sql import aggregate_calls, functions_map
from flightmesh.frontend.sql.clause import Windows
from flightmesh.frontend.sql.refusals import refuse_clauses, refuse_expression
from flightmesh.frontend.sql.scope import nearest
from flightmesh.frontend.sql.titles import title

if TYPE_CHECKING:
    from flightmesh.frontend.sql.expressions import ExpressionBinder

INSIDE = "a window function"
"""The name of the clause that a window function's parts are."""

_PARTS = ("partition_by", "order", "spec")


def window(binder: ExpressionBinder, node: exp.Expr) -> Expression:
    """The column of a window function."""
    source, clause = binder.context.source, binder.clause
    windows = clause.windows
    if windows is None:
        hints = {"WHERE": "use QUALIFY", INSIDE: "compute the inner one in a subquery", "HAVING": "use QUALIFY"}
        raise source.error(f"a window function cannot stand in {clause.name}", node, hints.get(clause.name))
    refuse_clauses(node, ("this", "alias", "over", *_PARTS), source)
    function, name = _function(binder, node.this)
    partition, order, spec = _described(binder, node, windows)
    inside = binder.within(dataclasses.replace(clause, name=INSIDE, site=windows.site, windows=None))
    args = [_bound(inside, part, windows) for part in aggregate_calls.arguments(function, binder.context)[0]]
    keys = tuple(dict.fromkeys(_bound(inside, part, windows) for part in partition))
    orders = tuple(key for part in order for key in _sort_key(inside, part, windows))
    call = bind_window(name, args, _frame(binder, spec, node), binder.at(function))
    return windows.add(tuple(k for k in keys if not isinstance(k, Literal)), orders, call, title(node), node)


def without_over(binder: ExpressionBinder, node: exp.Expr) -> InvalidQuery:
    """The error for a window function that has no window."""
    name = functions_map.window_name(node)
    return binder.context.source.error(f"{name} is a window function", node, f"write {name}(...) OVER (ORDER BY ...)")


def _function(binder: ExpressionBinder, node: exp.Expr) -> tuple[exp.Expr, str]:
    """The call without what is written around it, and the name of its function."""
    source = binder.context.source
    if isinstance(node, exp.RespectNulls):
        node = node.this
    if isinstance(node, exp.IgnoreNulls) and not isinstance(node.this, exp.AnyValue):
        raise source.unsupported("IGNORE NULLS", node)
    if isinstance(node, exp.Filter):
        raise source.unsupported("FILTER in a window function", node, "write a CASE in its argument")
    node = node.this if isinstance(node, exp.IgnoreNulls) else node
    name = functions_map.window_name(node)
    if name is not None:
        return node, name
    written = functions_map.aggregate_name(node)
    if written is None:
        refuse_expression(node, source)
        word = source.word(node) or node.key
        raise source.error(f"{word.lower()} is neither an aggregate nor a window function", node, "write it without OVER")
    if any(isinstance(part, exp.Distinct) for part in functions_map.arguments(node)):
        raise source.unsupported("DISTINCT in a window function", node)
    name = canonical(written.lower()) or written
    if name not in WINDOW_AGGREGATES:
        raise source.unsupported(f"the aggregate {name} as a window function", node)
    return node, name


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


def _frame(binder: ExpressionBinder, spec: exp.Expr | None, node: exp.Expr) -> Frame:
    if spec is None:
        return DEFAULT_FRAME
    source = binder.context.source
    place = spec if source.position(spec) is not None else node
    if spec.args.get("exclude"):
        raise source.unsupported("EXCLUDE in a frame", place)
    kind = str(spec.args.get("kind") or "ROWS").upper()
    if kind not in ("ROWS", "RANGE"):
        raise source.unsupported(f"{kind} frames", place)
    start = _offset(binder, spec, "start", place)
    end = _offset(binder, spec, "end", place) if spec.args.get("end") is not None else 0
    if kind == "RANGE" and (start or end):
        raise source.unsupported("RANGE with an offset", place)
    if start is not None and end is not None and start > end and (start > 0 >= end or start == 0 > end):
        raise source.error("the frame ends before it starts", place)
    return Frame(FrameUnit[kind], start, end)


def _offset(binder: ExpressionBinder, spec: exp.Expr, bound: str, place: exp.Expr) -> int | None:
    """The distance of a frame's bound from the row; None for an unbounded one."""
    source = binder.context.source
    value, side = spec.args.get(bound), str(spec.args.get(f"{bound}_side") or "").upper()
    if isinstance(value, str):
        if value.upper() == "CURRENT ROW":
            return 0
        if (side == "FOLLOWING") == (bound == "start"):
            raise source.error(f"the frame's {bound} cannot be UNBOUNDED {side}", place)
        return None
    assert isinstance(value, exp.Expr)
    given = binder.within(dataclasses.replace(binder.clause, name="a frame", aggregates=None, windows=None)).bind(value)
    if not isinstance(given, Literal):
        raise source.unsupported("a frame whose bounds are not plain numbers", value)
    number = given.value.as_py()
    if number is None or isinstance(number, bool | str) or number != int(number) or number < 0:
        raise source.error(f"a frame counts rows, it cannot reach {number} of them", value, "write a whole number from 0 up")
    return int(number) if side == "FOLLOWING" else -int(number)
