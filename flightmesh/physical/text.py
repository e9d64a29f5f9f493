"""The text form of physical operators: what `explain` prints, logs carry and golden tests compare."""

from __future__ import annotations

from typing import assert_never

from flightmesh.expression.frames import format_frame
from flightmesh.expression.nodes import Column, Field, conjuncts
from flightmesh.expression.text import format_all, format_expression
from flightmesh.physical.operators import (
    ColumnOrder,
    DynamicFilter,
    Exchange,
    ExpandSets,
    FilterRows,
    GroupBy,
    HashJoin,
    IterateRows,
    LimitRows,
    Measure,
    Operator,
    ProjectColumns,
    ReadExchange,
    SortRows,
    TableScan,
    TopOfGroups,
    TopRows,
    UnionRows,
    UnnestRows,
    ValuesRows,
    WindowFunction,
    WindowRows,
    WorkingRows,
    operator_inputs,
)
from flightmesh.physical.partitioning import Broadcast, Hash, Partitioning, RoundRobin, Single


def format_operator(root: Operator) -> str:
    """The tree, one operator a line, inputs indented below; a join's probe stands before its build."""
    return "\n".join(f"{'  ' * depth}{describe(node)}" for depth, node in outline(root))


def outline(root: Operator, depth: int = 0) -> list[tuple[int, Operator]]:
    """(depth, operator) in pre-order: the order in which a fragment numbers its metrics."""
    lines = [(depth, root)]
    for part in operator_inputs(root):
        lines.extend(outline(part, depth + 1))
    return lines


def describe(node: Operator) -> str:
    """One operator in one line, without its inputs."""
    match node:
        case TableScan():
            return _scan(node)
        case ValuesRows():
            return f"Values {format_fields(node.fields)} rows={node.rows.num_rows}"
        case ReadExchange():
            order = f" merging {format_orders(node.order)}" if node.order else ""
            return f"ReadExchange edge {node.edge} {format_fields(node.fields)}{order}"
        case FilterRows():
            return f"Filter {format_expression(node.predicate)}"
        case ProjectColumns():
            return f"Project {', '.join(_item(i.field, format_expression(i.expression)) for i in node.items)}"
        case GroupBy():
            keys = format_fields(node.keys)
            return f"GroupBy {node.phase.value} {keys} {', '.join(_measure(m) for m in node.measures)}".rstrip()
        case ExpandSets():
            return _expand(node)
        case UnnestRows():
            return _unnest(node)
        case HashJoin():
            return _join(node)
        case SortRows():
            return f"Sort {format_orders(node.keys)}"
        case WindowRows():
            return _window(node)
        case TopOfGroups():
            return _top_of_groups(node)
        case TopRows():
            return f"Top {node.count} {format_orders(node.keys)}"
        case LimitRows():
            offset = f" offset {node.offset}" if node.offset else ""
            return f"Limit {'all' if node.count is None else node.count}{offset}"
        case UnionRows():
            return f"Union {format_fields(node.fields)}"
        case IterateRows():
            return f"Iterate {node.name} union {node.quantifier.value} {format_fields(node.fields)}"
        case WorkingRows():
            return f"Working {node.name} {format_fields(node.fields)}"
        case Exchange():
            shared = f" shared {node.shared}" if node.shared is not None else ""
            order = f" order {format_orders(node.order)}" if node.order else ""
            return f"Exchange {format_partitioning(node.partitioning)}{shared}{order}{format_dynamic('makes', node.filters)}"
        case _:
            assert_never(node)


def format_fields(fields: tuple[Field, ...]) -> str:
    """`[name#id, ...]`."""
    return f"[{', '.join(f'{f.name}#{f.id}' for f in fields)}]"


def format_orders(keys: tuple[ColumnOrder, ...]) -> str:
    """`name#id desc nulls first, ...`; ascending and nulls last are not said."""
    return ", ".join(
        f"{k.column.name}#{k.column.id}{' desc' if k.descending else ''}{' nulls first' if k.nulls_first else ''}" for k in keys
    )


def format_partitioning(partitioning: Partitioning) -> str:
    """`hash(name#id) into 8`, `broadcast`, ..."""
    match partitioning:
        case Hash(keys=keys, buckets=buckets):
            return f"hash({', '.join(f'{k.name}#{k.id}' for k in keys)}) into {buckets}"
        case RoundRobin(buckets=buckets):
            return f"round-robin into {buckets}"
        case Broadcast():
            return "broadcast"
        case Single():
            return "single"
        case _:
            assert_never(partitioning)


def _scan(node: TableScan) -> str:
    where = f" where {format_all(node.filters)}" if node.filters else ""
    limit = f" limit {node.limit}" if node.limit is not None else ""
    first = f", first by {format_orders((node.first,))}" if node.first is not None else ""
    return f"Scan {node.table.name} {format_fields(node.fields)}{where}{limit}{format_dynamic('keys of', node.dynamic)}{first}"


def format_dynamic(verb: str, filters: tuple[DynamicFilter, ...]) -> str:
    """`, keys of f0 in name#id, ...`."""
    return "".join(f", {verb} f{f.number} in {f.column.name}#{f.column.id}" for f in filters)


def _item(field: Field, text: str) -> str:
    own = f"{field.name}#{field.id}"
    return own if text == own else f"{own} := {text}"


def _expand(node: ExpandSets) -> str:
    names = [item.field.name for item in node.keys]
    sets = ", ".join(f"({', '.join(names[place] for place in kept)})" for kept in node.sets)
    keys = ", ".join(_item(i.field, format_expression(i.expression)) for i in node.keys)
    return f"ExpandSets {keys} numbered {node.number.name}#{node.number.id} over {sets}"


def _unnest(node: UnnestRows) -> str:
    lists = ", ".join(_item(i.field, format_expression(i.expression)) for i in node.lists)
    ordinal = "" if node.ordinal is None else f" numbered {node.ordinal.name}#{node.ordinal.id}"
    return f"Unnest {node.kind.value} {lists}{ordinal}"


def _measure(measure: Measure) -> str:
    read = () if measure.argument is None else (measure.argument, *measure.more)
    constant = [] if measure.constant is None else [format_expression(measure.constant)]
    arguments = ", ".join([*(f"{column.name}#{column.id}" for column in read), *constant])
    order = f" order by {format_orders(measure.order)}" if measure.order else ""
    distinct = "distinct " if measure.distinct else ""
    where = f" where {measure.where.name}#{measure.where.id}" if measure.where is not None else ""
    return f"{measure.field.name}#{measure.field.id} := {measure.function}({distinct}{arguments}{order}){where}"


def _window(node: WindowRows) -> str:
    partition = f" by {', '.join(f'{c.name}#{c.id}' for c in node.partition)}" if node.partition else ""
    order = f" order {format_orders(node.order)}" if node.order else ""
    return f"Window{partition}{order} {', '.join(_window_function(f, len(node.order)) for f in node.functions)}"


def _top_of_groups(node: TopOfGroups) -> str:
    groups = f" by {', '.join(_column(c) for c in node.groups)}" if node.groups else ""
    return f"Top{groups} {node.ranking} <= {node.count} {format_orders(node.keys)}".rstrip()


def _window_function(function: WindowFunction, keys: int) -> str:
    constant = [] if function.constant is None else [format_expression(function.constant)]
    arguments = ", ".join([*(_column(c) for c in function.arguments), *constant])
    order = f" order by {format_orders(function.order)}" if function.order else ""
    word = "distinct " if function.distinct else ""
    nulls = " ignore nulls" if function.skips_nulls else ""
    where = "" if function.where is None else f" where {_column(function.where)}"
    fewer = "" if function.keys == keys else f" by {function.keys} keys"
    frame = format_frame(function.frame, [_column(c) for c in function.bounds])
    call = f"{function.function}({word}{arguments}{order}{nulls})"
    return f"{function.field.name}#{function.field.id} := {call}{where}{frame}{fewer}"


def _column(column: Column) -> str:
    return f"{column.name}#{column.id}"


def _join(node: HashJoin) -> str:
    keys = " AND ".join(
        f"{k.probe.name}#{k.probe.id} {'IS NOT DISTINCT FROM' if k.null_safe else '='} {k.build.name}#{k.build.id}"
        for k in node.keys
    )
    on = f" on {keys}" if keys else " on every pair"
    residual = f" and {format_all(conjuncts(node.residual))}" if node.residual is not None else ""
    aware = " null-aware" if node.null_aware else ""
    made = format_dynamic("makes", node.dynamic)
    return f"Join {node.kind.value}{aware} {node.side.value} build{on}{residual} -> {format_fields(node.fields)}{made}"
