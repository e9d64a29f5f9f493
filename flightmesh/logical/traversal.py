"""Reading and rebuilding trees of relations, so that every rule does it the same way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from flightmesh.expression.nodes import Expression
from flightmesh.logical.relations import (
    Aggregate,
    Apply,
    Definition,
    Expand,
    Filter,
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
    With,
    Working,
)


def inputs(node: Relation) -> tuple[Relation, ...]:
    """The direct inputs, in order. Those of a With are its definitions' relations, then its body."""
    match node:
        case Scan() | Values() | Reference() | Working():
            return ()
        case Filter(input=child) | Project(input=child) | Aggregate(input=child) | Sort(input=child) | Limit(input=child):
            return (child,)
        case Window(input=child) | Expand(input=child) | Unnest(input=child):
            return (child,)
        case Join(left=left, right=right) | Apply(left=left, right=right):
            return (left, right)
        case SetOperation(inputs=parts):
            return parts
        case Recursion(seed=seed, step=step):
            return (seed, step)
        case With(definitions=definitions, body=body):
            return (*(d.relation for d in definitions), body)


def rebuilt(node: Relation, parts: tuple[Relation, ...]) -> Relation:
    """The node over these inputs: itself where they are its own."""
    return with_inputs(node, parts) if any(a is not b for a, b in zip(inputs(node), parts, strict=True)) else node


def with_inputs(node: Relation, parts: tuple[Relation, ...]) -> Relation:
    """The same node over other inputs, given as `inputs` lists them."""
    match node:
        case Scan() | Values() | Reference() | Working():
            return node
        case Filter() | Project() | Aggregate() | Expand() | Unnest() | Window() | Sort() | Limit():
            return replace(node, input=parts[0])
        case Join() | Apply():
            return replace(node, left=parts[0], right=parts[1])
        case SetOperation():
            return replace(node, inputs=parts)
        case Recursion():
            return replace(node, seed=parts[0], step=parts[1])
        case With(definitions=definitions):
            named = tuple(Definition(d.id, d.name, p) for d, p in zip(definitions, parts[:-1], strict=True))
            return replace(node, definitions=named, body=parts[-1])


def rewrite_up(node: Relation, change: Callable[[Relation], Relation]) -> Relation:
    """`change` applied to every relation, inputs first; untouched sub-trees stay the same objects."""
    old = inputs(node)
    if old:
        new = tuple(rewrite_up(part, change) for part in old)
        if any(a is not b for a, b in zip(old, new, strict=True)):
            node = with_inputs(node, new)
    return change(node)


def rewrite_down(node: Relation, change: Callable[[Relation], Relation]) -> Relation:
    """`change` applied to every relation, parents first, then to the inputs of what it made."""
    node = change(node)
    old = inputs(node)
    if not old:
        return node
    new = tuple(rewrite_down(part, change) for part in old)
    if any(a is not b for a, b in zip(old, new, strict=True)):
        node = with_inputs(node, new)
    return node


def walk(node: Relation) -> Iterator[Relation]:
    """Every relation, parents first."""
    yield node
    for part in inputs(node):
        yield from walk(part)


def expressions(node: Relation) -> tuple[Expression, ...]:
    """The expressions that stand in this relation itself."""
    match node:
        case Scan(filters=filters):
            return filters
        case Filter(predicate=predicate):
            return (predicate,)
        case Project(items=items):
            return tuple(item.expression for item in items)
        case Expand(keys=made):
            return tuple(item.expression for item in made)
        case Unnest(lists=lists):
            return tuple(item.expression for item in lists)
        case Join(condition=condition) | Apply(condition=condition):
            return () if condition is None else (condition,)
        case Aggregate(groups=groups, aggregates=aggregates):
            found = [g.expression for g in groups]
            for item in aggregates:
                found.extend(item.call.args)
                if item.call.filter is not None:
                    found.append(item.call.filter)
                found.extend(key.expression for key in item.call.order)
            return tuple(found)
        case Window(partition=partition, order=order, items=windows):
            return (*partition, *(key.expression for key in order), *(part for item in windows for part in item.call.parts))
        case Sort(keys=keys):
            return tuple(key.expression for key in keys)
        case Values() | Limit() | SetOperation() | Reference() | Recursion() | Working() | With():
            return ()
