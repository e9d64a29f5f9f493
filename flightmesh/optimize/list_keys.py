"""Rule: what compares, groups or orders lists does so by their keys.

Handed any query without Applies; hands on one in which no list is compared, grouped, sorted or partitioned by: the bytes of its
key (`list_key`) are. What always holds: a grouping by a list gives the list still, as any of its group, since all are equal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from flightmesh.expression.nodes import AggregateCall, Call, Expression, Field, InList, Literal, SortKey, rewrite
from flightmesh.expression.registry import COMPARISONS, as_key
from flightmesh.expression.types import Family, family
from flightmesh.expression.windows import WindowCall
from flightmesh.logical.expressions import is_pass, renamed, with_expressions
from flightmesh.logical.relations import Aggregate, AggregateItem, Item, Project, Relation, Sort, Window, passes
from flightmesh.logical.traversal import rewrite_up
from flightmesh.optimize.context import Context

AnyCall = TypeVar("AnyCall", AggregateCall, WindowCall)

_EXTREMES = {"min": "arg_min", "max": "arg_max"}


def key_lists(relation: Relation, context: Context) -> Relation:
    """The query with keys in the place of lists that are compared."""
    return rewrite_up(relation, lambda node: _node(node, context))


def _node(node: Relation, context: Context) -> Relation:
    node = with_expressions(node, lambda expression: rewrite(expression, _compared))
    match node:
        case Sort(keys=keys) if any(_is_list(key.expression) for key in keys):
            return replace(node, keys=_sort_keys(keys))
        case Window():
            return _windowed(node)
        case Aggregate():
            return _grouped(_over_keys(node), context)
    return node


def _windowed(node: Window) -> Window:
    items = tuple(replace(item, call=_call(item.call)) for item in node.items)
    partition, order = tuple(map(as_key, node.partition)), _sort_keys(node.order)
    same = (items, partition, order) == (node.items, node.partition, node.order)
    return node if same else replace(node, partition=partition, order=order, items=items)


def _is_list(expression: Expression) -> bool:
    return family(expression.type) is Family.LIST


def _sort_keys(keys: tuple[SortKey, ...]) -> tuple[SortKey, ...]:
    return tuple(replace(key, expression=as_key(key.expression)) for key in keys)


def _compared(part: Expression) -> Expression:
    match part:
        case Call(function=name, args=args) if name in COMPARISONS and any(map(_is_list, args)):
            return replace(part, args=tuple(map(as_key, args)))
        case InList(operand=operand, options=options) if _is_list(operand):
            keys = tuple(key for key in map(as_key, options) if isinstance(key, Literal))
            return InList(as_key(operand), keys)
    return part


def _over_keys(node: Aggregate) -> Aggregate:
    items = tuple(AggregateItem(item.field, _call(item.call)) for item in node.aggregates)
    return node if items == node.aggregates else replace(node, aggregates=items)


def _call(call: AnyCall) -> AnyCall:
    """The aggregate with keys where it compares lists: what it counts once, what it is an extreme of, what it is ordered by."""
    if any(_is_list(key.expression) for key in call.order):
        call = replace(call, order=_sort_keys(call.order))
    if not any(map(_is_list, call.args)):
        return call
    if call.function in _EXTREMES:
        return replace(call, function=_EXTREMES[call.function], args=(call.args[0], as_key(call.args[0])), distinct=False)
    if call.function.startswith("arg_"):
        return replace(call, args=(call.args[0], as_key(call.args[1])))
    counted = call.function in ("entropy", "approx_count_distinct") or (call.function == "count" and call.distinct)
    return replace(call, args=tuple(map(as_key, call.args))) if counted else call


def _grouped(node: Aggregate, context: Context) -> Relation:
    """The grouping by the lists' keys, with the lists beside them."""
    if not any(_is_list(group.expression) for group in node.groups):
        return node
    names = {g.field.id: context.ids.fresh() for g in node.groups if _is_list(g.expression) and is_pass(g)}
    below = renamed(node, names)
    assert isinstance(below, Aggregate)
    groups: list[Item] = []
    lists: list[AggregateItem] = []
    keys: list[Item] = []
    for shown, group in zip(node.groups, below.groups, strict=True):
        if not _is_list(group.expression):
            groups.append(group)
            continue
        key = as_key(group.expression)
        made = Field(context.ids.fresh(), f"key of {shown.field.name}", key.type)
        keys.append(Item(made, key))
        groups.append(passes(made.column()))
        lists.append(AggregateItem(shown.field, AggregateCall("any_value", (group.expression,), group.expression.type)))
    rows = Project(below.input, (*(passes(f.column()) for f in below.input.fields), *keys))
    grouped = Aggregate(rows, tuple(groups), (*below.aggregates, *lists))
    return Project(grouped, tuple(passes(f.column()) for f in node.fields))
