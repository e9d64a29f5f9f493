"""Rule: predicates go down to where their columns come from, into scans at best.

Handed any query without Applies; hands on one where a predicate stands as low as its meaning allows: through projections
(columns replaced by what computes them), into both sides of an inner join, into the side that an outer join keeps, into
groupings and windows by their keys, into every input of a union. Never through a Limit. What always holds: a predicate that a
wider set of rows could make fail (a cast of text) stays above joins and behind the other predicates, so that those guard it.
"""

from __future__ import annotations

from dataclasses import replace

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Column, Expression, Field, columns_of, conjunction, conjuncts, substitute
from flightmesh.expression.properties import is_volatile
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import (
    Aggregate,
    Apply,
    Definition,
    Expand,
    Filter,
    Join,
    JoinKind,
    Limit,
    Project,
    Quantifier,
    Recursion,
    Reference,
    Relation,
    Scan,
    SetKind,
    SetOperation,
    Sort,
    Unnest,
    Values,
    Window,
    With,
    Working,
)
from flightmesh.optimize.context import Context
from flightmesh.optimize.equal_values import tells_equals_apart
from flightmesh.optimize.fragile import is_fragile

Predicates = tuple[Expression, ...]


def push_filters(relation: Relation, context: Context) -> Relation:
    """The query with its predicates pushed down."""
    return _push(relation, ())


def _push(node: Relation, predicates: Predicates) -> Relation:
    """The relation filtered by the predicates (over its columns), inner ones first."""
    match node:
        case Filter(input=child, predicate=predicate):
            return _push(child, (*conjuncts(predicate), *predicates))
        case Scan(filters=filters):
            return _scan(node, filters, predicates)
        case Project():
            return _project(node, predicates)
        case Join():
            return _join(node, predicates)
        case Aggregate():
            return _aggregate(node, predicates)
        case Window():
            return _window(node, predicates)
        case Expand():
            return _expand(node, predicates)
        case Unnest():
            return _unnest(node, predicates)
        case SetOperation():
            return _set_operation(node, predicates)
        case Sort(input=child):
            below = _push(child, predicates)
            return node if below is child else replace(node, input=below)
        case Limit(input=child):
            below = _push(child, ())
            return above(node if below is child else replace(node, input=below), predicates)
        case With(definitions=definitions, body=body):
            made = tuple(Definition(d.id, d.name, _push(d.relation, ())) for d in definitions)
            return With(made, _push(body, predicates))
        case Values() | Reference() | Working():
            return above(node, predicates)
        case Recursion(seed=seed, step=step):
            # What is wanted of the whole does not hold for the rows that others come from.
            return above(replace(node, seed=_push(seed, ()), step=_push(step, ())), predicates)
        case Apply(left=left, right=right):
            return above(replace(node, left=_push(left, ()), right=_push(right, ())), predicates)


def above(node: Relation, predicates: Predicates) -> Relation:
    """The relation under a Filter, if there is anything to filter by; fragile predicates last."""
    if not predicates:
        return node
    return Filter(node, conjunction(guarded(predicates)) or predicates[0])


def guarded(predicates: Predicates) -> Predicates:
    """The predicates with the fragile ones last, repetitions dropped."""
    unique: list[Expression] = []
    for part in predicates:
        if part not in unique:
            unique.append(part)
    return (*(p for p in unique if not is_fragile(p)), *(p for p in unique if is_fragile(p)))


def _scan(node: Scan, filters: Predicates, predicates: Predicates) -> Relation:
    if not predicates:
        return node
    if node.limit is not None:
        return above(node, predicates)
    taken = tuple(p for p in predicates if columns_of(p))
    rest = tuple(p for p in predicates if not columns_of(p))
    return above(replace(node, filters=guarded((*filters, *taken))), rest)


def _project(node: Project, predicates: Predicates) -> Relation:
    computed = {item.field.id: item.expression for item in node.items}
    down: list[Expression] = []
    stay: list[Expression] = []
    for part in predicates:
        reads_volatile = any(is_volatile(computed[c]) for c in columns_of(part))
        (stay if reads_volatile else down).append(part)
    below = _push(node.input, tuple(substitute(p, computed) for p in down))
    return above(node if below is node.input else replace(node, input=below), tuple(stay))


def _aggregate(node: Aggregate, predicates: Predicates) -> Relation:
    """Below it, what reads keys only: whole groups go. Of grouping sets, those keys that are in every set."""
    sets = node.input if isinstance(node.input, Expand) else None
    keys = {item.field.id: item.expression for item in node.groups}
    if sets is not None:
        # What is in some sets only is filtered above: an Expand is read by the Aggregate right above it.
        below_sets = _in_every_set(sets)
        keys = {id_: substitute(e, below_sets) for id_, e in keys.items()}
        made = {f.id for f in sets.made}
        keys = {id_: e for id_, e in keys.items() if not columns_of(e) & made and sets.present is None}
    down: list[Expression] = []
    stay: list[Expression] = []
    for part in predicates:
        read = columns_of(part)
        moves = read and read <= keys.keys() and not is_volatile(part) and not tells_equals_apart(part)
        (down if moves else stay).append(part)
    moved = tuple(substitute(p, keys) for p in down)
    if sets is None:
        below = _push(node.input, moved)
    else:
        rows = _push(sets.input, moved)
        below = sets if rows is sets.input else replace(sets, input=rows)
    return above(node if below is node.input else replace(node, input=below), tuple(stay))


def _in_every_set(sets: Expand) -> dict[ColumnId, Expression]:
    """Keys that no set leaves out, and what they are below."""
    every = [item for place, item in enumerate(sets.keys) if all(place in kept for kept in sets.sets)]
    return {item.field.id: item.expression for item in every}


def _window(node: Window, predicates: Predicates) -> Relation:
    """Only what drops partitions whole goes below: any other row may count for those that stay."""
    keys = frozenset(part.id for part in node.partition if isinstance(part, Column))
    down: list[Expression] = []
    stay: list[Expression] = []
    for part in predicates:
        read = columns_of(part)
        moves = read and read <= keys and not (is_volatile(part) or is_fragile(part) or tells_equals_apart(part))
        (down if moves else stay).append(part)
    below = _push(node.input, tuple(down))
    return above(node if below is node.input else replace(node, input=below), tuple(stay))


def _expand(node: Expand, predicates: Predicates) -> Relation:
    """Below it, what reads the input only: such a column is in every set. Not past rows that the input does not have."""
    below = {f.id for f in node.input.fields} if node.present is None else set()
    down = tuple(p for p in predicates if columns_of(p) and columns_of(p) <= below and not is_volatile(p))
    stay = tuple(p for p in predicates if p not in down)
    child = _push(node.input, down)
    return above(node if child is node.input else replace(node, input=child), stay)


def _unnest(node: Unnest, predicates: Predicates) -> Relation:
    """Below it, what reads the input only; what may fail is left to the rows that have elements."""
    below = {f.id for f in node.input.fields}
    down: list[Expression] = []
    stay: list[Expression] = []
    for part in predicates:
        moves = columns_of(part) and columns_of(part) <= below and not is_volatile(part) and not is_fragile(part)
        (down if moves else stay).append(part)
    child = _push(node.input, tuple(down))
    return above(node if child is node.input else replace(node, input=child), tuple(stay))


def _set_operation(node: SetOperation, predicates: Predicates) -> Relation:
    merges = node.kind is not SetKind.UNION or node.quantifier is not Quantifier.ALL
    stay = tuple(p for p in predicates if is_volatile(p) or (merges and tells_equals_apart(p)))
    down = tuple(p for p in predicates if p not in stay)
    parts = []
    for part in node.inputs:
        # INTERSECT and EXCEPT too: equal rows satisfy the same predicates.
        names: dict[ColumnId, Expression] = {f.id: source.column() for f, source in zip(node.fields, part.fields, strict=True)}
        parts.append(_push(part, tuple(substitute(p, names) for p in down)))
    return above(replace(node, inputs=tuple(parts)), stay)


@dataclass(slots=True)
class _Split:
    """Where predicates over a join go."""

    left: list[Expression]
    right: list[Expression]
    on: list[Expression]
    stay: list[Expression]


def _join(node: Join, predicates: Predicates) -> Relation:
    split = _Split([], [], [], [])
    left, right = _ids(node.left.fields), _ids(node.right.fields)
    _place_condition(node.kind, conjuncts(node.condition), left, right, split)
    _place_above(node.kind, predicates, left, right, split)
    made_left = _push(node.left, tuple(split.left))
    made_right = _push(node.right, tuple(split.right))
    condition = conjunction(guarded(tuple(split.on)))
    if made_left is not node.left or made_right is not node.right or condition != node.condition:
        node = replace(node, left=made_left, right=made_right, condition=condition)
    return above(node, tuple(split.stay))


def _ids(fields: tuple[Field, ...]) -> frozenset[ColumnId]:
    return frozenset(f.id for f in fields)


def _place_above(
    kind: JoinKind, predicates: Predicates, left: frozenset[ColumnId], right: frozenset[ColumnId], split: _Split
) -> None:
    """Predicates over the join's output: down into a side whose rows it keeps or drops whole."""
    into_left = kind not in (JoinKind.RIGHT, JoinKind.FULL)
    into_right = kind in (JoinKind.INNER, JoinKind.RIGHT)
    for part in predicates:
        read = columns_of(part)
        if not read or is_volatile(part) or is_fragile(part):
            split.stay.append(part)
        elif into_left and read <= left:
            split.left.append(part)
        elif into_right and read <= right:
            split.right.append(part)
        elif kind is JoinKind.INNER:
            split.on.append(part)
        else:
            split.stay.append(part)


def _place_condition(
    kind: JoinKind, parts: Predicates, left: frozenset[ColumnId], right: frozenset[ColumnId], split: _Split
) -> None:
    """Conjuncts of the join's own condition: down into a side whose unmatched rows do not show."""
    into_left = kind in (JoinKind.INNER, JoinKind.SEMI, JoinKind.RIGHT)
    into_right = kind in (JoinKind.INNER, JoinKind.LEFT, JoinKind.SEMI, JoinKind.ANTI, JoinKind.SINGLE)
    for part in parts:
        read = columns_of(part)
        if not read or is_volatile(part) or is_fragile(part):
            split.on.append(part)
        elif into_left and read <= left:
            split.left.append(part)
        elif into_right and read <= right:
            split.right.append(part)
        else:
            split.on.append(part)


def filtered_down(node: Relation, predicates: Predicates) -> Relation:
    """The relation filtered by the predicates, pushed as far down as they go."""
    return _push(node, predicates) if predicates else node
