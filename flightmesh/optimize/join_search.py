"""The cheapest order of a join graph.

Handed a graph with an estimate for each leaf; hands on a tree of joins over all leaves. Dynamic programming over connected
sets of leaves (bushy trees included), as in Moerkotte & Neumann, "Analysis of Two Existing and One New Dynamic Programming
Algorithm" (VLDB 2006); greedy by the smallest result where there are too many sets. What always holds: the right side of a
join is the smaller one (it is built), and pairs without a predicate are multiplied only when nothing else is left.
"""

from __future__ import annotations

from flightmesh.dataclass import dataclass
from flightmesh.expression.nodes import Call, Expression, columns_of, conjuncts
from flightmesh.optimize.join_estimate import joined, semi_joined
from flightmesh.optimize.join_graph import JoinGraph, bits
from flightmesh.optimize.selectivity import Columns

BUILD = 1.6
REPEATED = 2.5
"""Of a build row whose key others have too: such rows are put in order. The first do not count: with fewer it is worth more"""
MANY = 100_000
"""that the keys of the smaller side filter the scan of the larger one."""
UNIQUE = 0.95
"""Distinct values a row, from which a key is taken not to repeat: they are estimated."""
PROBE = 1.0
OUTPUT = 1.0
PAIR = 0.3
MAX_SPLITS = 24_000
"""Ways to split all connected sets in two, past which the search is greedy."""
MAX_PAIRS = 2_500
"""Pairs of connected sets whose join is costed, past which the search is greedy: a star of ten tables has 2,304."""


@dataclass(frozen=True, slots=True)
class Sized:
    """What is expected of a set of leaves, however it is joined."""

    rows: float
    columns: Columns


@dataclass(frozen=True, slots=True)
class Tree:
    """The best plan found for a set of leaves: a leaf, or two trees joined (right is the build)."""

    leaves: int
    cost: float
    size: Sized
    left: Tree | None = None
    right: Tree | None = None


def search(graph: JoinGraph, sizes: list[Sized], most: int, may_build_larger: bool) -> Tree:
    """The tree to build: dynamic programming for up to `most` leaves, greedy past that.

    `may_build_larger`: where the keys of the smaller side repeat, the larger one may be the build.
    """
    return _Search(graph, sizes, may_build_larger).run(most)


class _Search:
    def __init__(self, graph: JoinGraph, sizes: list[Sized], may_build_larger: bool) -> None:
        self.graph = graph
        self.may_build_larger = may_build_larger
        self.near = graph.neighbours()
        self.trees = {1 << i: Tree(1 << i, 0.0, size) for i, size in enumerate(sizes)}
        self.members = 0
        for leaf in graph.memberships:
            self.members |= 1 << leaf
        self.pairs = 0

    def run(self, most: int) -> Tree:
        trees = [self._component(mask, most) for mask in self._components()]
        trees.sort(key=lambda t: t.size.rows)
        whole = trees[0]
        for tree in trees[1:]:
            whole = self._pair(tree, whole) or self._pair(whole, tree) or whole
        return whole

    def _components(self) -> list[int]:
        rest = (1 << len(self.near)) - 1
        found = []
        while rest:
            mask = rest & -rest
            while True:
                grown = mask
                for leaf in bits(mask):
                    grown |= self.near[leaf]
                if grown == mask:
                    break
                mask = grown
            found.append(mask)
            rest &= ~mask
        return found

    def _component(self, mask: int, most: int) -> Tree:
        count = mask.bit_count()
        if count <= most:
            sets = self._connected(mask)
            if sets is not None:
                for chosen in sets:
                    self._best(chosen)
                    if self.pairs > MAX_PAIRS:
                        break
                found = self.trees.get(mask)
                if found is not None:
                    return found
        return self._greedy(mask)

    def _connected(self, mask: int) -> list[int] | None:
        """Connected sets of two leaves or more, small ones first; None when they are too many to split."""
        seen = {1 << leaf for leaf in bits(mask)}
        layer = list(seen)
        ordered: list[int] = []
        splits = 0
        while layer:
            grown: list[int] = []
            for chosen in layer:
                reach = 0
                for leaf in bits(chosen):
                    reach |= self.near[leaf]
                for leaf in bits(reach & mask & ~chosen):
                    wider = chosen | 1 << leaf
                    if wider not in seen:
                        seen.add(wider)
                        grown.append(wider)
                        splits += 1 << (wider.bit_count() - 1)
            if splits > MAX_SPLITS:
                return None
            ordered.extend(grown)
            layer = grown
        return ordered

    def _best(self, chosen: int) -> None:
        low = chosen & -chosen
        rest = chosen ^ low
        part = rest
        best: Tree | None = None
        while part:
            # `part` runs over the non-empty subsets of `rest`; the other side holds the lowest leaf.
            one, other = self.trees.get(chosen ^ part), self.trees.get(part)
            if one is not None and other is not None:
                self.pairs += 1
                made = self._connect(one, other, best)
                if made is not None:
                    best = made
            part = (part - 1) & rest
        if best is not None:
            self.trees[chosen] = best

    def _connect(self, one: Tree, other: Tree, best: Tree | None) -> Tree | None:
        """The join of two trees if it is allowed, tied by a predicate and cheaper than the best so far."""
        if best is not None and self._least(one, other, best.size) >= best.cost:
            return None
        sides = self._sides(one, other)
        if sides is None:
            return None
        left, right = sides
        on = self._conditions(left.leaves, right.leaves)
        if not on:
            return None
        size = best.size if best is not None else self._size(left, right, on)
        made = self._joined(left, right, on, size)
        return made if best is None or made.cost < best.cost else None

    def _joined(self, left: Tree, right: Tree, on: list[Expression], size: Sized) -> Tree:
        own = self._cost(left, right, on, size)
        if self.may_build_larger and not self._is_member(right) and not self._is_member(left):
            turned = self._cost(right, left, on, size)
            if turned < own:
                left, right, own = right, left, turned
        return Tree(left.leaves | right.leaves, left.cost + right.cost + own, size, left, right)

    def _least(self, one: Tree, other: Tree, size: Sized) -> float:
        """A bound on the cost of the join that needs no look at its predicates."""
        small, big = sorted((one.size.rows, other.size.rows))
        return one.cost + other.cost + big * min(PROBE, PAIR * small) + BUILD * small + OUTPUT * size.rows

    def _pair(self, one: Tree, other: Tree) -> Tree | None:
        """The join of two trees, with or without a predicate."""
        sides = self._sides(one, other)
        if sides is None:
            return None
        left, right = sides
        on = self._conditions(left.leaves, right.leaves)
        return self._joined(left, right, on, self._size(left, right, on))

    def _sides(self, one: Tree, other: Tree) -> tuple[Tree, Tree] | None:
        for left, right in ((one, other), (other, one)):
            if self._is_member(right):
                needs = self.graph.memberships[right.leaves.bit_length() - 1].needs
                return (left, right) if needs & ~left.leaves == 0 and not self._is_member(left) else None
        return (one, other) if one.size.rows >= other.size.rows else (other, one)

    def _is_member(self, tree: Tree) -> bool:
        """Whether it is the other side of a SEMI or ANTI join."""
        return bool(tree.leaves & self.members) and tree.leaves & (tree.leaves - 1) == 0

    def _conditions(self, left: int, right: int) -> list[Expression]:
        if right & self.members and right & (right - 1) == 0:
            return list(conjuncts(self.graph.memberships[right.bit_length() - 1].condition))
        return self.graph.between(left, right)

    def _size(self, left: Tree, right: Tree, on: list[Expression]) -> Sized:
        a, b = left.size, right.size
        if self._is_member(right):
            kind = self.graph.memberships[right.leaves.bit_length() - 1].kind
            rows, columns = semi_joined(kind, tuple(on), a.rows, a.columns, b.columns)
            return Sized(max(rows, 0.01), columns)
        rows, met = joined(tuple(on), a.rows, a.columns, b.rows, b.columns)
        rows = max(rows, 0.01)
        columns = {i: c.sampled(a.rows, rows) for i, c in a.columns.items()}
        columns.update((i, c.sampled(b.rows, rows)) for i, c in b.columns.items())
        columns.update(met)
        return Sized(rows, columns)

    def _cost(self, left: Tree, right: Tree, on: list[Expression], size: Sized) -> float:
        keys = [part for part in on if isinstance(part, Call) and part.function in ("equal", "is_not_distinct_from")]
        if not keys:
            return PAIR * left.size.rows * right.size.rows + BUILD * right.size.rows + OUTPUT * size.rows
        cost = PROBE * left.size.rows + BUILD * right.size.rows + OUTPUT * size.rows
        if self.may_build_larger and right.size.rows > MANY and _repeat(keys, right.size):
            cost += REPEATED * (right.size.rows - MANY)
        return cost

    def _greedy(self, mask: int) -> Tree:
        """Joins the pair with the smallest result until one tree is left; unconnected pairs only when no other is."""
        forest = [self.trees[1 << leaf] for leaf in bits(mask)]
        tied: dict[tuple[int, int], Tree] = {}
        new = forest
        while len(forest) > 1:
            for one in new:
                for other in forest:
                    if one is not other and (other.leaves, one.leaves) not in tied:
                        made = self._connect(one, other, None)
                        if made is not None:
                            tied[one.leaves, other.leaves] = made
            best = min(tied.values(), key=lambda tree: tree.size.rows, default=None) or self._smallest_product(forest)
            if best is None:
                break
            forest = [tree for tree in forest if not tree.leaves & best.leaves] + [best]
            tied = {pair: tree for pair, tree in tied.items() if not tree.leaves & best.leaves}
            new = [best]
        return forest[0]

    def _smallest_product(self, forest: list[Tree]) -> Tree | None:
        made = [self._pair(one, other) for place, one in enumerate(forest) for other in forest[place + 1 :]]
        return min((tree for tree in made if tree is not None), key=lambda tree: tree.size.rows, default=None)


def _repeat(keys: list[Call], side: Sized) -> bool:
    """Whether no key alone tells the rows of a side apart."""
    columns = [side.columns[id_] for key in keys for id_ in columns_of(key) if id_ in side.columns]
    return all(column.distinct < UNIQUE * side.rows for column in columns)
