"""The one text form of logical relations, for people: explain, logs and golden tests share it.

Handed a relation; hands on an indented tree, one relation a line, inputs below their reader by two spaces. What always
holds: a column is written `name#id`, so that two columns of one name are told apart, and equal relations have equal texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from flightmesh.expression.nodes import Field, conjuncts
from flightmesh.expression.text import format_aggregate, format_all, format_expression, format_sort_key
from flightmesh.expression.textcasts import to_text
from flightmesh.expression.windows import format_window_call
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
    Values,
    Window,
    WindowItem,
    With,
    Working,
)
from flightmesh.logical.traversal import inputs

INDENT = "  "
SHOWN_ROWS = 3
"""Rows of a Values that are written out; the rest is a count."""


def format_relation(relation: Relation) -> str:
    """The relation and its inputs as an indented tree without a final newline."""
    return "\n".join(_lines(relation, ""))


def _lines(relation: Relation, indent: str) -> Iterator[str]:
    if isinstance(relation, With):
        for definition in relation.definitions:
            yield f"{indent}Shared {definition.name}@{definition.id}"
            yield from _lines(definition.relation, indent + INDENT)
        yield from _lines(relation.body, indent)
        return
    yield indent + format_node(relation)
    for part in inputs(relation):
        yield from _lines(part, indent + INDENT)


def format_node(relation: Relation) -> str:
    """The one line of a relation, without its inputs."""
    match relation:
        case Scan():
            return _scan(relation)
        case Values(fields=fields):
            return f"Values {_fields(fields)} {_rows(relation)}"
        case Filter(predicate=predicate):
            return f"Filter {format_all(conjuncts(predicate))}"
        case Project(items=items):
            return f"Project {_items(items)}"
        case Join():
            return _join("Join", relation)
        case Apply():
            return _join("Apply", relation)
        case Aggregate():
            return _aggregate(relation)
        case Window():
            return _window(relation)
        case Expand():
            return _expand(relation)
        case Unnest():
            return _unnest(relation)
        case Sort(keys=keys):
            return f"Sort by {', '.join(format_sort_key(key) for key in keys)}"
        case Limit(count=count, offset=offset):
            return f"Limit {'all' if count is None else count}" + (f" offset {offset}" if offset else "")
        case SetOperation(kind=kind, quantifier=quantifier, fields=fields):
            return f"{kind.value.capitalize()} {quantifier.value} {_fields(fields)}"
        case Reference(fields=fields, sources=sources):
            pairs = (f"{f.name}#{f.id} = #{source}" for f, source in zip(fields, sources, strict=True))
            return f"Reference {relation.name}@{relation.shared} [{', '.join(pairs)}]"
        case Recursion(quantifier=quantifier, fields=fields):
            return f"Recursion {relation.name}@{relation.id} union {quantifier.value} {_fields(fields)}"
        case Working(fields=fields):
            return f"Working {relation.name}@{relation.id} {_fields(fields)}"
        case With():
            return f"With {', '.join(f'{d.name}@{d.id}' for d in relation.definitions)}"


def _unnest(node: Unnest) -> str:
    lists = ", ".join(f"{i.field.name}#{i.field.id} = {format_expression(i.expression)}" for i in node.lists)
    ordinal = "" if node.ordinal is None else f" numbered {node.ordinal.name}#{node.ordinal.id}"
    return f"Unnest {node.kind.value} [{lists}]{ordinal}"


def _scan(scan: Scan) -> str:
    parts = [f"Scan {scan.table.name} {_fields(scan.fields)}"]
    if scan.filter_only:
        parts.append(f"reading {_fields(scan.filter_only)}")
    if scan.filters:
        parts.append(f"where {format_all(scan.filters)}")
    if scan.limit is not None:
        parts.append(f"limit {scan.limit}")
    return " ".join(parts)


def _rows(values: Values) -> str:
    count = values.rows.num_rows
    if not values.fields or count == 0:
        return f"{count} row{'' if count == 1 else 's'}"
    shown = (
        "(" + ", ".join(_value(column[row]) for column in values.rows.columns) + ")" for row in range(min(count, SHOWN_ROWS))
    )
    rest = f", and {count - SHOWN_ROWS} more" if count > SHOWN_ROWS else ""
    return ", ".join(shown) + rest


def _value(scalar: pa.Scalar) -> str:
    if not scalar.is_valid:
        return "null"
    if pa.types.is_temporal(scalar.type):  # also those that Python has none for
        return str(to_text(pa.array([scalar], scalar.type))[0].as_py())
    value = scalar.as_py()
    return repr(value) if isinstance(value, str) else str(value)


def _join(word: str, join: Join | Apply) -> str:
    mark = "" if join.mark is None else f" {join.mark.name}#{join.mark.id}"
    condition = "" if join.condition is None else f" on {format_all(conjuncts(join.condition))}"
    return f"{word} {join.kind.value}{mark}{condition}"


def _aggregate(aggregate: Aggregate) -> str:
    groups = f" by {_items(aggregate.groups)}" if aggregate.groups else ""
    made = ", ".join(_aggregate_item(item) for item in aggregate.aggregates)
    return f"Aggregate{groups}" + (f" [{made}]" if made else "")


def _expand(node: Expand) -> str:
    names = [item.field.name for item in node.keys]
    sets = ", ".join(f"({', '.join(names[place] for place in kept)})" for kept in node.sets)
    extra = "" if node.present is None else f" {_fields((node.present,))}"
    return f"Expand {_items(node.keys)} {_fields((node.number,))}{extra} over {sets}"


def _aggregate_item(item: AggregateItem) -> str:
    return f"{item.field.name}#{item.field.id} = {format_aggregate(item.call)}"


def _window(window: Window) -> str:
    partition = f" by {', '.join(format_expression(part) for part in window.partition)}" if window.partition else ""
    order = f" order {', '.join(format_sort_key(key) for key in window.order)}" if window.order else ""
    return f"Window{partition}{order} [{', '.join(_window_item(item, len(window.order)) for item in window.items)}]"


def _window_item(item: WindowItem, keys: int) -> str:
    fewer = "" if item.keys == keys else f" by {item.keys} keys"
    return f"{item.field.name}#{item.field.id} = {format_window_call(item.call)}{fewer}"


def _items(items: Iterable[Item]) -> str:
    return f"[{', '.join(_item(item) for item in items)}]"


def _item(item: Item) -> str:
    shown = format_expression(item.expression)
    label = f"{item.field.name}#{item.field.id}"
    return label if shown == label else f"{label} = {shown}"


def _fields(fields: Iterable[Field]) -> str:
    return f"[{', '.join(f'{f.name}#{f.id}' for f in fields)}]"
