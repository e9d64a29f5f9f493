"""A logical relation without Applies, written as SQL for DuckDB: what it means, run by an engine that is not ours.

Columns are named `c<id>`.
"""

from __future__ import annotations

import pyarrow as pa

from flightmesh.expression.frames import DEFAULT_FRAME
from flightmesh.expression.nodes import AggregateCall, Call, Case, Cast, CastMode, Column, Expression, InList, Literal, SortKey
from flightmesh.expression.text import format_literal
from flightmesh.expression.types import sql_type_name
from flightmesh.logical.relations import (
    Aggregate,
    Apply,
    Filter,
    Join,
    JoinKind,
    Limit,
    Project,
    Quantifier,
    Reference,
    Relation,
    Scan,
    SetOperation,
    Sort,
    Values,
    Window,
    With,
)

BINARY = {
    **{"equal": "=", "not_equal": "<>", "less": "<", "less_equal": "<=", "greater": ">", "greater_equal": ">="},
    **{"is_distinct_from": "is distinct from", "is_not_distinct_from": "is not distinct from", "and": "and", "or": "or"},
    **{"add": "+", "subtract": "-", "multiply": "*", "divide": "/", "int_divide": "//", "modulo": "%", "concat_operator": "||"},
    **{"like": "like", "ilike": "ilike", "not_like": "not like", "not_ilike": "not ilike"},
}
POSTFIX = {
    **{"is_null": "is null", "is_not_null": "is not null", "is_true": "is true", "is_not_true": "is not true"},
    **{"is_false": "is false", "is_not_false": "is not false"},
}


def as_sql(relation: Relation) -> str:
    """The query; its columns come in the order of `fields`."""
    if isinstance(relation, With):
        shared = ", ".join(f"shared_{d.id} as materialized ({_select(d.relation)})" for d in relation.definitions)
        return f"with {shared} {_ordered(relation.body)}"
    return _ordered(relation)


def _ordered(body: Relation) -> str:
    if isinstance(body, Sort | Limit):
        return _select(body)
    return f"select {_names(body)} from ({_select(body)})"


def _names(relation: Relation) -> str:
    return ", ".join(f.key for f in relation.fields) or "true as nothing"


def _select(node: Relation) -> str:
    match node:
        case Scan():
            return _scan(node)
        case Values():
            return _values(node)
        case Filter(input=child, predicate=predicate):
            return f"select * from ({_select(child)}) where {sql(predicate)}"
        case Project(input=child, items=items):
            made = ", ".join(f"{sql(i.expression)} as {i.field.key}" for i in items) or "true as nothing"
            return f"select {made} from ({_select(child)})"
        case Join():
            return _join(node)
        case Aggregate():
            return _aggregate(node)
        case Window():
            return _window(node)
        case Sort(input=child, keys=keys):
            return f"select * from ({_select(child)}) order by {', '.join(_key(k) for k in keys)}"
        case Limit(input=child, count=count, offset=offset):
            inner = _select(child) if isinstance(child, Sort) else f"select * from ({_select(child)})"
            return f"{inner} {'' if count is None else f'limit {count}'} offset {offset}"
        case SetOperation(kind=kind, quantifier=quantifier, inputs=parts, fields=fields):
            word = f" {kind.value} all " if quantifier is Quantifier.ALL else f" {kind.value} "
            first, *rest = parts
            renamed = ", ".join(f"{s.key} as {f.key}" for f, s in zip(fields, first.fields, strict=True))
            queries = [f"select {renamed} from ({_select(first)})", *(f"select {_names(p)} from ({_select(p)})" for p in rest)]
            return word.join(f"({q})" for q in queries)
        case Reference(shared=shared, fields=fields, sources=sources):
            made = ", ".join(f"c{s} as {f.key}" for f, s in zip(fields, sources, strict=True)) or "true as nothing"
            return f"select {made} from shared_{shared}"
        case With() | Apply():
            raise AssertionError(f"a {type(node).__name__} has no SQL here")


def _scan(node: Scan) -> str:
    every = (*node.fields, *node.filter_only)
    read = ", ".join(f'"{f.name}" as {f.key}' for f in every) or "true as nothing"
    where = " and ".join(f"({sql(p)})" for p in node.filters) or "true"
    # A scan's limit only allows it to stop early.
    return f"select {_names(node)} from (select {read} from {node.table.name}) where {where}"


def _values(node: Values) -> str:
    if not node.fields:
        return f"select true as nothing from range({node.rows.num_rows})"
    if node.rows.num_rows == 0:
        typed = ", ".join(f"null::{sql_type_name(f.type)} as {f.key}" for f in node.fields)
        return f"select {typed} where false"
    rows = []
    for row in range(node.rows.num_rows):
        cells = (f"{format_literal(c[row])}::{sql_type_name(c.type)}" for c in node.rows.columns)
        rows.append(f"({', '.join(cells)})")
    return f"select * from (values {', '.join(rows)}) v({', '.join(f.key for f in node.fields)})"


def _join(node: Join) -> str:
    left, right = f"({_select(node.left)})", f"({_select(node.right)})"
    on = "true" if node.condition is None else sql(node.condition)
    match node.kind:
        case JoinKind.SEMI:
            return f"select * from {left} semi join {right} on {on}"
        case JoinKind.ANTI:
            return f"select * from {left} anti join {right} on {on}"
        case JoinKind.MARK:
            assert node.mark is not None
            numbered = f"(select *, row_number() over () as rn from {left})"
            pairs = f"select rn as found, bool_or({on}) as hit from {numbered} join {right} on ({on}) is not false group by rn"
            mark = "case when found is null then false when hit then true end"
            kept = ", ".join(f.key for f in node.left.fields) or "true as nothing"
            return (
                f"with numbered as materialized {numbered}, pairs as ({pairs.replace(numbered, 'numbered')}) "
                f"select {kept}, {mark} as {node.mark.key} from numbered left join pairs on rn = found"
            )
        case JoinKind.INNER:
            return f"select * from {left} join {right} on {on}"
        case JoinKind.LEFT | JoinKind.SINGLE:
            return f"select * from {left} left join {right} on {on}"
        case JoinKind.RIGHT | JoinKind.FULL:
            return f"select * from {left} {node.kind.value} join {right} on {on}"


def _aggregate(node: Aggregate) -> str:
    made = [f"{sql(g.expression)} as {g.field.key}" for g in node.groups]
    made += [f"{_call(a.call)}::{sql_type_name(a.field.type)} as {a.field.key}" for a in node.aggregates]
    by = f" group by {', '.join(str(i + 1) for i in range(len(node.groups)))}" if node.groups else ""
    return f"select {', '.join(made)} from ({_select(node.input)}){by}"


def _window(node: Window) -> str:
    made = []
    for item in node.items:
        call, frame = item.call, item.call.frame
        name = "count" if call.function == "count_star" else call.function
        arguments = "*" if call.function == "count_star" else ", ".join(sql(a) for a in call.args)
        partition = f"partition by {', '.join(sql(p) for p in node.partition)}" if node.partition else ""
        order = f"order by {', '.join(_key(k) for k in node.order[: item.keys])}" if item.keys else ""
        assert frame == DEFAULT_FRAME
        kept = "" if call.filter is None else f" filter (where {sql(call.filter)})"
        made.append(
            f"({name}({arguments}){kept} over ({partition} {order}))::{sql_type_name(item.field.type)} as {item.field.key}"
        )
    return f"select *, {', '.join(made)} from ({_select(node.input)})"


def _call(call: AggregateCall) -> str:
    inner = "*" if call.function == "count_star" else ", ".join(sql(a) for a in call.args)
    name = "count" if call.function == "count_star" else call.function
    kept = "" if call.filter is None else f" filter (where {sql(call.filter)})"
    return f"{name}({'distinct ' if call.distinct else ''}{inner}){kept}"


def _key(key: SortKey) -> str:
    order = "desc" if key.descending else "asc"
    return f"{sql(key.expression)} {order} nulls {'first' if key.nulls_first else 'last'}"


def sql(node: Expression) -> str:
    """An expression as DuckDB writes it."""
    match node:
        case Column():
            return node.key
        case Literal(value=value):
            return f"cast({format_literal(value)} as {sql_type_name(value.type)})" if _typed(node) else format_literal(value)
        case Cast(operand=operand, type=kind, mode=mode):
            return f"{'cast' if mode is CastMode.STRICT else 'try_cast'}({sql(operand)} as {sql_type_name(kind)})"
        case InList(operand=operand, options=options):
            return f"({sql(operand)} in ({', '.join(sql(o) for o in options)}))"
        case Case(whens=whens, otherwise=otherwise):
            arms = " ".join(f"when {sql(w.condition)} then {sql(w.value)}" for w in whens)
            return f"case {arms}{'' if otherwise is None else f' else {sql(otherwise)}'} end"
        case Call(function="not", args=(operand,)):
            return f"(not {sql(operand)})"
        case Call(function="negate", args=(operand,)):
            return f"(-{sql(operand)})"
        case Call(function="list_key", args=(operand,)):
            return f"create_sort_key({sql(operand)}, 'ASC NULLS LAST')"
        case Call(function=name, args=args):
            if name in BINARY:
                return "(" + f" {BINARY[name]} ".join(sql(a) for a in args) + ")"
            if name in POSTFIX:
                return f"({sql(args[0])} {POSTFIX[name]})"
            return f"{name}({', '.join(sql(a) for a in args)})"


def _typed(node: Literal) -> bool:
    return not pa.types.is_boolean(node.type)
