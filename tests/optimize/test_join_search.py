"""The join order: dynamic programming finds the cheapest tree, greedy search finds some tree, both use every predicate."""

from __future__ import annotations

import random
import time

import pyarrow as pa
import pytest

from flightmesh.expression.nodes import Call, Column, columns_of, conjuncts
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import Filter, Join, JoinKind, Relation, Scan
from flightmesh.logical.traversal import walk
from flightmesh.optimize.column_estimate import ColumnEstimate
from flightmesh.optimize.join_graph import JoinGraph, Membership, Predicate, bits
from flightmesh.optimize.join_search import BUILD, OUTPUT, PAIR, PROBE, Sized, Tree, _Search, search
from flightmesh.optimize.order_joins import order_joins
from tests.optimize.building import call, col, context, lit, scan


def graph_of(leaves: int, edges: list[tuple[int, int]], sizes: list[float]) -> tuple[JoinGraph, list[Sized]]:
    """A graph of leaves with one column for each edge, whose values are all different in the smaller leaf."""
    ids = ColumnIds()
    graph = JoinGraph(leaves=[scan("t", ids) for _ in range(leaves)])
    columns: list[dict[object, ColumnEstimate]] = [{} for _ in range(leaves)]
    for a, b in edges:
        pair = [Column(ids.fresh(), "c", pa.int64()) for _ in range(2)]
        graph.classes.append([(a, pair[0]), (b, pair[1])])
        for leaf, column in zip((a, b), pair, strict=True):
            columns[leaf][column.id] = ColumnEstimate(sizes[leaf])
    return graph, [Sized(rows, found) for rows, found in zip(sizes, columns, strict=True)]  # type: ignore[arg-type]


def cheapest(finder: _Search, leaves: int) -> float:
    """The least cost over all trees without cross products, by trying them all."""
    if leaves & (leaves - 1) == 0:
        return 0.0
    best = float("inf")
    part = (leaves - 1) & leaves
    while part:
        other = leaves ^ part
        if part in finder.trees and other in finder.trees and finder.graph.between(part, other):
            left, right = finder.trees[part].size.rows, finder.trees[other].size.rows
            big, small = max(left, right), min(left, right)
            own = PROBE * big + BUILD * small + OUTPUT * finder.trees[leaves].size.rows
            best = min(best, own + cheapest(finder, part) + cheapest(finder, other))
        part = (part - 1) & leaves
    return best


@pytest.mark.parametrize("seed", range(20))
def test_dynamic_programming_finds_the_cheapest_tree(seed: int) -> None:
    chance = random.Random(seed)
    leaves = chance.randint(2, 6)
    edges = [(i, chance.randrange(i)) for i in range(1, leaves)]
    edges += [(a, b) for a in range(leaves) for b in range(a) if chance.random() < 0.2 and (a, b) not in edges]
    graph, sizes = graph_of(leaves, edges, [float(chance.choice([1, 10, 1000, 50_000, 1_000_000])) for _ in range(leaves)])
    finder = _Search(graph, sizes, False)
    found = finder.run(10)
    assert found.leaves == (1 << leaves) - 1
    assert found.cost == pytest.approx(cheapest(finder, found.leaves))


@pytest.mark.parametrize("may_build_larger", [False, True])
@pytest.mark.parametrize("keys", [300_000.0, 150_000.0])
def test_the_larger_side_is_built_where_keys_of_the_smaller_repeat(keys: float, may_build_larger: bool) -> None:
    graph, sizes = graph_of(2, [(0, 1)], [300_000.0, 400_000.0])
    sizes[0].columns[graph.classes[0][0][1].id] = ColumnEstimate(keys)
    tree = search(graph, sizes, 10, may_build_larger)
    assert tree.right is not None
    assert tree.right.leaves == (0b10 if may_build_larger and keys < 300_000 else 0b01)


def leaves_of(tree: Tree) -> list[int]:
    if tree.left is None or tree.right is None:
        return bits(tree.leaves)
    return [*leaves_of(tree.left), *leaves_of(tree.right)]


@pytest.mark.parametrize("most", [0, 10])
def test_a_membership_leaf_is_joined_only_to_what_it_needs(most: int) -> None:
    graph, sizes = graph_of(3, [(0, 1), (1, 2)], [100.0, 10_000.0, 1_000.0])
    inner = scan("u", ColumnIds(500))
    graph.leaves.append(inner)
    asked = graph.classes[1][0][1]
    graph.memberships[3] = Membership(JoinKind.SEMI, Call("equal", (asked, col(inner, "k")), pa.bool_()), 1 << 1)
    sizes.append(Sized(5.0, {col(inner, "k").id: ColumnEstimate(5.0)}))
    tree = search(graph, sizes, most, False)
    assert sorted(leaves_of(tree)) == [0, 1, 2, 3]

    def check(node: Tree) -> None:
        if node.left is None or node.right is None:
            return
        assert node.left.leaves != 1 << 3
        if node.right.leaves == 1 << 3:
            assert node.left.leaves >> 1 & 1
        check(node.left)
        check(node.right)

    check(tree)


def test_unconnected_leaves_are_multiplied_last() -> None:
    graph, sizes = graph_of(3, [(0, 1)], [1_000.0, 1_000.0, 7.0])
    tree = search(graph, sizes, 10, False)
    assert tree.left is not None and tree.right is not None
    assert {tree.left.leaves, tree.right.leaves} == {0b011, 0b100}


def test_a_predicate_over_three_leaves_is_applied_when_all_are_there() -> None:
    graph, _ = graph_of(3, [(0, 1), (1, 2)], [10.0, 10.0, 10.0])
    a, b, c = (graph.classes[i][j][1] for i, j in ((0, 0), (0, 1), (1, 1)))
    three = call("less", call("add", a, b), c)
    graph.predicates.append(Predicate(three, 0b111))
    assert three not in graph.between(0b001, 0b010)
    assert three in graph.between(0b011, 0b100)
    assert three in graph.between(0b001, 0b110)


def test_twenty_tables_are_ordered_at_once() -> None:
    ids = ColumnIds()
    joined: Relation = scan("t", ids)
    last = joined
    for _ in range(19):
        following = scan("u", ids)
        joined = Join(joined, following, JoinKind.INNER, call("equal", col(last, "k"), col(following, "k")))
        last = following
    started = time.perf_counter()
    ordered = order_joins(joined, context())
    assert time.perf_counter() - started < 1.0
    assert sum(isinstance(n, Scan) for n in walk(ordered)) == 20
    assert all(n.condition is not None for n in walk(ordered) if isinstance(n, Join))


def test_two_columns_of_one_table_that_must_be_equal_filter_it() -> None:
    ids = ColumnIds()
    t, u = scan("t", ids), scan("u", ids)
    both = call("and", call("equal", col(t, "k"), col(u, "k")), call("equal", col(t, "x"), col(u, "k")))
    ordered = order_joins(Join(t, u, JoinKind.INNER, both), context())
    found = next(n for n in walk(ordered) if isinstance(n, Scan) and n.table.name == "t")
    (within,) = found.filters
    assert columns_of(within) == {col(t, "k").id, col(t, "x").id}
    (join,) = (n for n in walk(ordered) if isinstance(n, Join))
    assert len(conjuncts(join.condition)) == 1


def test_the_smaller_side_is_built() -> None:
    ids = ColumnIds()
    t, u = scan("t", ids), scan("u", ids)
    few = Filter(t, call("equal", col(t, "x"), lit(10)))
    ordered = order_joins(Join(few, u, JoinKind.INNER, call("equal", col(t, "k"), col(u, "k"))), context())
    (join,) = (n for n in walk(ordered) if isinstance(n, Join))
    assert join.right is few


def test_pairs_cost_more_than_keys() -> None:
    assert 0 < PAIR < PROBE + BUILD
