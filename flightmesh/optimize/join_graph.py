"""A region of inner, semi and anti joins as a graph: leaves, the predicates between them, and columns known to be equal.

Handed the root of such a region; hands on a `JoinGraph` whose leaves may be joined in any order. What always holds: leaves
are numbered by bits; a membership leaf (the right side of a SEMI or ANTI join) is joined only as a right side, to something
that has all the leaves it needs; two columns of one equality class within a joined set have been compared by then.
"""

from __future__ import annotations

from dataclasses import field

import pyarrow as pa

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Call, Column, Expression, columns_of, conjuncts
from flightmesh.expression.properties import is_volatile
from flightmesh.ids import ColumnId
from flightmesh.logical.expressions import is_pass
from flightmesh.logical.relations import Join, JoinKind, Project, Relation
from flightmesh.optimize.fragile import is_fragile

MEMBERSHIP = (JoinKind.SEMI, JoinKind.ANTI)


@dataclass(frozen=True, slots=True)
class Membership:
    """How a SEMI or ANTI leaf is joined: the condition, and the leaves whose columns it reads."""

    kind: JoinKind
    condition: Expression
    needs: int


@dataclass(frozen=True, slots=True)
class Predicate:
    """A conjunct over two leaves or more that is no plain equality of columns."""

    expression: Expression
    leaves: int


@dataclass(slots=True)
class JoinGraph:
    """`classes`: sets of equal columns by leaf. `above`: conjuncts to be applied when all is joined. `conjuncts`: those of all
    inner joins, as they are written."""

    leaves: list[Relation] = field(default_factory=list)
    memberships: dict[int, Membership] = field(default_factory=dict)
    classes: list[list[tuple[int, Column]]] = field(default_factory=list)
    predicates: list[Predicate] = field(default_factory=list)
    above: list[Expression] = field(default_factory=list)
    local: dict[int, list[Expression]] = field(default_factory=dict)
    conjuncts: tuple[Expression, ...] = ()

    def neighbours(self) -> list[int]:
        """For each leaf, the leaves that some predicate ties it to."""
        found = [0] * len(self.leaves)
        groups = [0] * len(self.classes)
        for place, members in enumerate(self.classes):
            for leaf, _ in members:
                groups[place] |= 1 << leaf
        groups.extend(p.leaves for p in self.predicates)
        groups.extend(m.needs | 1 << leaf for leaf, m in self.memberships.items())
        for group in groups:
            for leaf in bits(group):
                found[leaf] |= group & ~(1 << leaf)
        return found

    def between(self, left: int, right: int) -> list[Expression]:
        """The conjuncts to join two disjoint sets on: one equality a class, and predicates covered only now."""
        found: list[Expression] = []
        for members in self.classes:
            a = b = None
            for leaf, column in members:
                place = 1 << leaf
                if left & place:
                    a = a or column
                elif right & place:
                    b = b or column
            if a is not None and b is not None:
                found.append(Call("equal", (a, b), pa.bool_()))
        both = left | right
        for predicate in self.predicates:
            needed = predicate.leaves
            if needed & ~both == 0 and needed & ~left and needed & ~right:
                found.append(predicate.expression)
        return found


def bits(mask: int) -> list[int]:
    """The positions of the set bits, rising."""
    found = []
    while mask:
        low = mask & -mask
        found.append(low.bit_length() - 1)
        mask ^= low
    return found


def is_region(node: Relation) -> bool:
    """Whether this join may be reordered with those below it."""
    return isinstance(node, Join) and (node.kind is JoinKind.INNER or _is_membership(node))


def _is_membership(node: Join) -> bool:
    if node.kind not in MEMBERSHIP or node.condition is None:
        return False
    left = frozenset(f.id for f in node.left.fields)
    return bool(columns_of(node.condition) & left)


def leaves(node: Relation) -> list[Relation]:
    """The leaves of the region that starts here; of any other relation, itself."""
    if isinstance(node, Project) and is_region(node.input) and all(is_pass(item) for item in node.items):
        node = node.input
    if not isinstance(node, Join) or not is_region(node):
        return [node]
    return [*leaves(node.left), *(leaves(node.right) if node.kind is JoinKind.INNER else [node.right])]


def join_graph(root: Relation) -> JoinGraph:
    """The graph of the region that starts here."""
    graph = JoinGraph()
    parts: list[Expression] = []
    members: list[tuple[int, Join]] = []
    _collect(root, graph, parts, members)
    owner = {f.id: leaf for leaf, relation in enumerate(graph.leaves) for f in relation.fields}
    for leaf, join in members:
        if join.condition is not None:
            inside = frozenset(f.id for f in graph.leaves[leaf].fields)
            needs = _mask(columns_of(join.condition) - inside, owner)
            graph.memberships[leaf] = Membership(join.kind, join.condition, needs)
    graph.conjuncts = tuple(parts)
    _place(parts, owner, graph)
    return graph


def _collect(node: Relation, graph: JoinGraph, parts: list[Expression], members: list[tuple[int, Join]]) -> None:
    if isinstance(node, Project) and is_region(node.input) and all(is_pass(item) for item in node.items):
        node = node.input
    if not isinstance(node, Join) or not is_region(node):
        graph.leaves.append(node)
        return
    _collect(node.left, graph, parts, members)
    if node.kind is JoinKind.INNER:
        _collect(node.right, graph, parts, members)
        parts.extend(conjuncts(node.condition))
    else:
        graph.leaves.append(node.right)
        members.append((len(graph.leaves) - 1, node))


def _mask(columns: frozenset[ColumnId], owner: dict[ColumnId, int]) -> int:
    mask = 0
    for column in columns:
        mask |= 1 << owner[column]
    return mask


def _place(parts: list[Expression], owner: dict[ColumnId, int], graph: JoinGraph) -> None:
    for part in parts:
        mask = _mask(columns_of(part), owner)
        if mask & (mask - 1) == 0 or is_fragile(part) or is_volatile(part):
            graph.above.append(part)
        elif isinstance(part, Call) and part.function == "equal" and all(isinstance(a, Column) for a in part.args):
            _equate(part, owner, graph)
        else:
            graph.predicates.append(Predicate(part, mask))
    for members in graph.classes:
        _equalities_within(members, graph)


def _equate(part: Call, owner: dict[ColumnId, int], graph: JoinGraph) -> None:
    """Merges the classes of the two columns."""
    sides = [(owner[a.id], a) for a in part.args if isinstance(a, Column)]
    touched = [m for m in graph.classes if any(c.id == side.id for _, c in m for _, side in sides)]
    merged = [pair for members in touched for pair in members]
    for leaf, column in sides:
        if all(column.id != known.id for _, known in merged):
            merged.append((leaf, column))
    graph.classes = [m for m in graph.classes if m not in touched] + [merged]


def _equalities_within(members: list[tuple[int, Column]], graph: JoinGraph) -> None:
    """Two columns of one leaf in a class: the leaf itself is to be filtered by their equality."""
    first: dict[int, Column] = {}
    for leaf, column in members:
        if leaf in first:
            equality = Call("equal", (first[leaf], column), pa.bool_())
            graph.local.setdefault(leaf, []).append(equality)
        else:
            first[leaf] = column
