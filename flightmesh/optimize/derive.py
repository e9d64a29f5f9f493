"""Rule: predicates that follow from others, put where they cut rows early.

Handed a query whose filters are pushed down; hands on one with redundant filters below joins: what holds for a column holds
for every column that a join equates it with (`a = b and a < 5` gives `b < 5`), and an OR whose every branch says something
of one side gives that side the OR of what is said ((n1 = 'FRANCE' and n2 = 'GERMANY') or ...). The next push-down moves
them into scans.
"""

from __future__ import annotations

from flightmesh.expression.nodes import Call, Column, Expression, Literal, columns_of, conjuncts, substitute, walk
from flightmesh.expression.properties import is_volatile
from flightmesh.ids import ColumnId
from flightmesh.logical.relations import Aggregate, Filter, Join, JoinKind, Limit, Project, Relation, Scan, Sort, Unnest, Window
from flightmesh.logical.traversal import inputs, with_inputs
from flightmesh.optimize.booleans import disjuncts, joined, simplify_or_parts
from flightmesh.optimize.context import Context
from flightmesh.optimize.equal_values import tells_equals_of
from flightmesh.optimize.fragile import is_fragile
from flightmesh.optimize.push_filters import above

Known = list[tuple[Column, Expression]]
"""Predicates that hold for every row and read one column only."""

LEFT_TO_RIGHT = (JoinKind.INNER, JoinKind.SEMI, JoinKind.LEFT, JoinKind.ANTI, JoinKind.SINGLE)
RIGHT_TO_LEFT = (JoinKind.INNER, JoinKind.SEMI, JoinKind.RIGHT)


def derive_predicates(relation: Relation, context: Context) -> Relation:
    """The query with derived filters."""
    return _derive(relation)[0]


def _derive(node: Relation) -> tuple[Relation, Known]:
    """(the relation with derived filters, what holds for its rows)."""
    match node:
        case Scan(filters=filters, fields=fields):
            shown = {f.id for f in fields}
            return node, [k for k in _single(filters) if k[0].id in shown]
        case Filter(input=child, predicate=predicate):
            below, known = _derive(child)
            return node if below is child else Filter(below, predicate), [*known, *_single(conjuncts(predicate))]
        case Project(input=child, items=items):
            below, known = _derive(child)
            renames = {i.expression.id: i.field.column() for i in items if isinstance(i.expression, Column)}
            return node if below is child else Project(below, items), _renamed(known, renames)
        case Sort(input=child) | Limit(input=child) | Window(input=child) | Unnest(input=child):
            below, known = _derive(child)
            return (node if below is child else with_inputs(node, (below,))), known
        case Aggregate(input=child, groups=groups):
            below, known = _derive(child)
            renames = {g.expression.id: g.field.column() for g in groups if isinstance(g.expression, Column)}
            return (node if below is child else with_inputs(node, (below,))), _renamed(known, renames)
        case Join():
            return _join(node)
        case _:
            parts = tuple(_derive(part)[0] for part in inputs(node))
            changed = any(a is not b for a, b in zip(inputs(node), parts, strict=True))
            return (with_inputs(node, parts) if changed else node), []


def _single(parts: tuple[Expression, ...]) -> Known:
    found: Known = []
    for part in parts:
        read = {c.id: c for c in walk(part) if isinstance(c, Column)}
        if len(read) == 1 and not is_volatile(part) and not is_fragile(part):
            found.append((next(iter(read.values())), part))
    return found


def _renamed(known: Known, names: dict[ColumnId, Column]) -> Known:
    return [(names[c.id], substitute(p, {c.id: names[c.id]})) for c, p in known if c.id in names]


def _join(node: Join) -> tuple[Relation, Known]:
    left, of_left = _derive(node.left)
    right, of_right = _derive(node.right)
    parts = conjuncts(node.condition)
    into_left: list[Expression] = []
    into_right: list[Expression] = []
    left_ids = frozenset(f.id for f in node.left.fields)
    for part in parts:
        pair = _equated(part, left_ids)
        if pair is not None:
            if node.kind in LEFT_TO_RIGHT:
                _carry(of_left, pair[0], pair[1], of_right, into_right)
            if node.kind in RIGHT_TO_LEFT:
                _carry(of_right, pair[1], pair[0], of_left, into_left)
        elif node.kind is JoinKind.INNER:
            _split_or(part, left_ids, into_left, into_right)
    left, right = above(left, tuple(into_left)), above(right, tuple(into_right))
    known: Known = []
    if node.kind not in (JoinKind.RIGHT, JoinKind.FULL):
        known += of_left
    if node.kind in (JoinKind.INNER, JoinKind.RIGHT):
        known += of_right
    if node.kind is JoinKind.INNER:
        known += _single(parts)
    return (with_inputs(node, (left, right)) if left is not node.left or right is not node.right else node), known


def _equated(part: Expression, left: frozenset[ColumnId]) -> tuple[Column, Column] | None:
    if not isinstance(part, Call) or part.function != "equal":
        return None
    a, b = part.args
    if not isinstance(a, Column) or not isinstance(b, Column):
        return None
    if a.id in left and b.id not in left:
        return a, b
    return (b, a) if b.id in left and a.id not in left else None


def _carry(source: Known, column: Column, other: Column, target: Known, made: list[Expression]) -> None:
    """What is known of `column` said of `other`, where it is not known already."""
    for known, part in source:
        if known.id != column.id or _only_not_null(part) or tells_equals_of(part, column):
            continue
        moved = substitute(part, {column.id: other})
        if all(moved != present for _, present in target):
            target.append((other, moved))
            made.append(moved)


def _only_not_null(part: Expression) -> bool:
    """An equality drops NULLs by itself."""
    return isinstance(part, Call) and part.function == "is_not_null"


def _split_or(part: Expression, left: frozenset[ColumnId], into_left: list[Expression], into_right: list[Expression]) -> None:
    branches = disjuncts(part)
    if len(branches) < 2 or is_volatile(part) or is_fragile(part):
        return
    for inside, made in ((True, into_left), (False, into_right)):
        said: list[Expression] = []
        for branch in branches:
            own = [c for c in conjuncts(branch) if columns_of(c) and all((i in left) is inside for i in columns_of(c))]
            if not own:
                break
            said.append(joined("and", own))
        else:
            derived = simplify_or_parts(said) if len(said) > 1 else said[0]
            if not isinstance(derived, Literal):
                made.append(derived)
