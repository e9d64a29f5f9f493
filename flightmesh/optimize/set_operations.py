"""Rule: set operations in terms of unions, joins and groupings.

Handed any query without Applies; hands on one whose only set operation is UNION ALL, flattened. UNION DISTINCT groups by
all columns; INTERSECT and EXCEPT are SEMI and ANTI joins that take NULL as equal to NULL; their ALL forms count each row on
both sides and repeat it as often as the counts say (`repeated`).
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flightmesh.expression.nodes import AggregateCall, Call, Column, Expression, Field, Literal, conjunction
from flightmesh.logical.relations import (
    Aggregate,
    AggregateItem,
    Filter,
    Item,
    Join,
    JoinKind,
    Project,
    Quantifier,
    Relation,
    SetKind,
    SetOperation,
    passes,
)
from flightmesh.logical.traversal import rewrite_up
from flightmesh.optimize.context import Context
from flightmesh.optimize.repeat import repeated


def rewrite_set_operations(relation: Relation, context: Context) -> Relation:
    """The query with UNION ALL as its only set operation."""
    return rewrite_up(relation, lambda node: _node(node, context) if isinstance(node, SetOperation) else node)


def _node(node: SetOperation, context: Context) -> Relation:
    if node.kind is SetKind.UNION:
        union = _flat(node)
        return union if node.quantifier is Quantifier.ALL else distinct(union)
    if node.quantifier is Quantifier.ALL:
        return _counted(node, context)
    left, right = node.inputs
    kind = JoinKind.SEMI if node.kind is SetKind.INTERSECT else JoinKind.ANTI
    pairs = tuple(_same(a, b) for a, b in zip(left.fields, right.fields, strict=True))
    joined = Join(left, right, kind, conjunction(pairs))
    return Aggregate(joined, tuple(Item(f, a.column()) for f, a in zip(node.fields, left.fields, strict=True)), ())


def _same(a: Field, b: Field) -> Expression:
    return Call("is_not_distinct_from", (a.column(), b.column()), pa.bool_())


def distinct(relation: Relation) -> Aggregate:
    """Each row once."""
    return Aggregate(relation, tuple(passes(f.column()) for f in relation.fields), ())


def _flat(node: SetOperation) -> SetOperation:
    """UNION ALL with unions below taken in; UNION DISTINCT takes in distinct ones too, since it removes repetitions itself."""
    parts: list[Relation] = []
    for part in node.inputs:
        inner = part
        if node.quantifier is Quantifier.DISTINCT and isinstance(part, Aggregate) and not part.aggregates:
            below = part.input
            if isinstance(below, SetOperation) and [g.field.id for g in part.groups] == [f.id for f in below.fields]:
                inner = below
        if isinstance(inner, SetOperation) and inner.kind is SetKind.UNION and inner.quantifier is Quantifier.ALL:
            parts.extend(inner.inputs)
        else:
            parts.append(part)
    return replace(node, quantifier=Quantifier.ALL, inputs=tuple(parts))


def _counted(node: SetOperation, context: Context) -> Relation:
    """INTERSECT ALL keeps min(left, right) copies of a row, EXCEPT ALL left - right."""
    fresh = context.ids.fresh
    seen = [Field(fresh(), name, pa.int64()) for name in ("in_left", "in_right")]
    parts = []
    for side, part in enumerate(node.inputs):
        flags = (
            Item(Field(fresh(), flag.name, flag.type), Literal(pa.scalar(1 if place == side else None, flag.type)))
            for place, flag in enumerate(seen)
        )
        parts.append(Project(part, (*(passes(f.column()) for f in part.fields), *flags)))
    columns = tuple(Field(fresh(), f.name, f.type) for f in node.fields)
    union = SetOperation(SetKind.UNION, Quantifier.ALL, tuple(parts), (*columns, *seen))
    counts = [Field(fresh(), name, pa.int64(), False) for name in ("lefts", "rights")]
    counted = Aggregate(
        union,
        tuple(Item(f, c.column()) for f, c in zip(node.fields, columns, strict=True)),
        tuple(
            AggregateItem(count, AggregateCall("count", (flag.column(),), pa.int64()))
            for count, flag in zip(counts, seen, strict=True)
        ),
    )
    copies = Field(fresh(), "copies", pa.int64(), False)
    items = (*(passes(f.column()) for f in node.fields), Item(copies, _copies(node.kind, *(c.column() for c in counts))))
    positive = Call("greater", (copies.column(), Literal(pa.scalar(0, pa.int64()))), pa.bool_())
    return repeated(Filter(Project(counted, items), positive), copies.column(), node.fields, context)


def _copies(kind: SetKind, left: Column, right: Column) -> Expression:
    return Call("least" if kind is SetKind.INTERSECT else "subtract", (left, right), pa.int64())
