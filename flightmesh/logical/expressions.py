"""Changing the expressions and the column ids of relations, so that every rule does it the same way.

Handed a relation; hands on an equal-shaped one. What always holds: a relation whose expressions do not change stays the
same object.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from flightmesh.expression.nodes import AggregateCall, Column, Expression, Field, SortKey, rewrite, substitute, walk
from flightmesh.ids import ColumnId, ColumnIds
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Apply,
    Expand,
    Filter,
    Item,
    Join,
    Limit,
    Project,
    Recursion,
    Reference,
    Relation,
    Scan,
    SetOperation,
    Sort,
    Unnest,
    UnnestItem,
    Values,
    Window,
    WindowItem,
    With,
    Working,
)
from flightmesh.logical.traversal import expressions, inputs, rewrite_up, with_inputs
from flightmesh.logical.traversal import walk as walk_relations


def with_expressions(node: Relation, change: Callable[[Expression], Expression]) -> Relation:
    """The relation with each of its own expressions changed (not those of its inputs)."""
    old = expressions(node)
    new = [change(part) for part in old]
    if all(a is b for a, b in zip(old, new, strict=True)):
        return node
    match node:
        case Scan():
            return replace(node, filters=tuple(new))
        case Filter():
            return replace(node, predicate=new[0])
        case Project(items=items):
            return replace(node, items=tuple(Item(i.field, e) for i, e in zip(items, new, strict=True)))
        case Expand(keys=made):
            return replace(node, keys=tuple(Item(i.field, e) for i, e in zip(made, new, strict=True)))
        case Unnest(lists=lists):
            return replace(node, lists=tuple(UnnestItem(i.field, e) for i, e in zip(lists, new, strict=True)))
        case Join() | Apply():
            return replace(node, condition=new[0])
        case Aggregate():
            return _with_aggregate_expressions(node, new)
        case Window():
            return _with_window_expressions(node, new)
        case Sort(keys=keys):
            return replace(node, keys=tuple(SortKey(e, k.descending, k.nulls_first) for k, e in zip(keys, new, strict=True)))
        case Values() | Limit() | SetOperation() | Reference() | Recursion() | Working() | With():
            return node


def _with_aggregate_expressions(node: Aggregate, new: list[Expression]) -> Aggregate:
    """Reads `new` in the order in which `expressions` lists an Aggregate's parts."""
    rest = iter(new)
    groups = tuple(Item(item.field, next(rest)) for item in node.groups)
    made = []
    for item in node.aggregates:
        args = tuple(next(rest) for _ in item.call.args)
        kept = None if item.call.filter is None else next(rest)
        order = tuple(replace(key, expression=next(rest)) for key in item.call.order)
        made.append(AggregateItem(item.field, replace(item.call, args=args, filter=kept, order=order)))
    return replace(node, groups=groups, aggregates=tuple(made))


def _with_window_expressions(node: Window, new: list[Expression]) -> Window:
    """Reads `new` in the order in which `expressions` lists a Window's parts."""
    rest = iter(new)
    partition = tuple(next(rest) for _ in node.partition)
    order = tuple(replace(key, expression=next(rest)) for key in node.order)
    items = tuple(replace(item, call=item.call.with_parts(rest)) for item in node.items)
    return replace(node, partition=partition, order=order, items=items)


def substitute_columns(relation: Relation, mapping: dict[ColumnId, Expression]) -> Relation:
    """The relation with columns replaced in every expression below; for outer columns of a dependent right side."""
    return rewrite_up(relation, lambda node: with_expressions(node, lambda e: substitute(e, mapping)))


def produced(node: Relation) -> tuple[Field, ...]:
    """The fields that this relation itself brings into being (not those it passes on)."""
    match node:
        case Scan(fields=fields, filter_only=extra):
            known = {f.id for f in fields}
            return (*fields, *(f for f in extra if f.id not in known))
        case Values(fields=fields) | SetOperation(fields=fields) | Reference(fields=fields):
            return fields
        case Recursion(fields=fields) | Working(fields=fields):
            return fields
        case Project(items=items):
            return tuple(item.field for item in items if not is_pass(item))
        case Join(mark=mark) | Apply(mark=mark):
            return () if mark is None else (mark,)
        case Aggregate(groups=groups, aggregates=aggregates):
            made = tuple(item.field for item in groups if not is_pass(item))
            return (*made, *(item.field for item in aggregates))
        case Window(items=windows):
            return tuple(item.field for item in windows)
        case Expand() | Unnest():
            return node.made
        case Filter() | Sort() | Limit() | With():
            return ()


def is_pass(item: Item) -> bool:
    """Whether an item hands a column on under its own id."""
    return isinstance(item.expression, Column) and item.expression.id == item.field.id


def free_columns(relation: Relation) -> frozenset[ColumnId]:
    """Columns that are read somewhere below but made outside: the correlation of a dependent right side."""
    made: set[ColumnId] = set()
    read: set[ColumnId] = set()
    for node in walk_relations(relation):
        made.update(f.id for f in produced(node))
        for expression in expressions(node):
            read.update(part.id for part in walk(expression) if isinstance(part, Column))
    return frozenset(read - made)


def renamed(node: Relation, names: dict[ColumnId, ColumnId]) -> Relation:
    """The relation with column ids replaced throughout, where they are made and where they are read."""
    if not names:
        return node

    def field(old: Field) -> Field:
        return Field(names[old.id], old.name, old.type, old.nullable) if old.id in names else old

    def fields(old: tuple[Field, ...]) -> tuple[Field, ...]:
        return tuple(field(f) for f in old)

    def column(part: Expression) -> Expression:
        if isinstance(part, Column) and part.id in names:
            return Column(names[part.id], part.name, part.type, part.nullable)
        return part

    def change(part: Expression) -> Expression:
        return rewrite(part, column)

    parts = tuple(renamed(part, names) for part in inputs(node))
    if isinstance(node, Recursion):
        seed, step = (tuple(names.get(c, c) for c in ids) for ids in (node.seed_columns, node.step_columns))
        return Recursion(parts[0], parts[1], node.id, node.name, node.quantifier, fields(node.fields), seed, step)
    node = with_expressions(with_inputs(node, parts) if parts else node, change)
    match node:
        case Scan():
            return replace(node, fields=fields(node.fields), filter_only=fields(node.filter_only))
        case Values() | SetOperation() | Reference() | Working():
            return replace(node, fields=fields(node.fields))
        case Project(items=items):
            return replace(node, items=tuple(Item(field(i.field), i.expression) for i in items))
        case Join(mark=mark) | Apply(mark=mark) if mark is not None:
            return replace(node, mark=field(mark))
        case Aggregate(groups=groups, aggregates=aggregates):
            return replace(
                node,
                groups=tuple(Item(field(i.field), i.expression) for i in groups),
                aggregates=tuple(AggregateItem(field(i.field), i.call) for i in aggregates),
            )
        case Window(items=windows):
            return replace(node, items=tuple(WindowItem(field(i.field), i.call, i.keys) for i in windows))
        case Expand(keys=made, number=number, present=present):
            return replace(
                node,
                keys=tuple(Item(field(i.field), i.expression) for i in made),
                number=field(number),
                present=None if present is None else field(present),
            )
        case Unnest(lists=lists, ordinal=ordinal):
            return replace(
                node,
                lists=tuple(UnnestItem(field(i.field), i.expression) for i in lists),
                ordinal=None if ordinal is None else field(ordinal),
            )
        case _:
            return node


def with_fresh_ids(relation: Relation, ids: ColumnIds) -> tuple[Relation, dict[ColumnId, ColumnId]]:
    """A copy that may stand in the same query, and which new id each old one became."""
    names = {f.id: ids.fresh() for node in walk_relations(relation) for f in produced(node)}
    return renamed(relation, names), names


def call_expressions(call: AggregateCall) -> tuple[Expression, ...]:
    """What an aggregate reads: its arguments, its filter and the keys of its order."""
    kept = () if call.filter is None else (call.filter,)
    return (*call.args, *kept, *(key.expression for key in call.order))
