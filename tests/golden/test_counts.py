"""A ratchet: no plan gets one more cross join, shuffle or read of a table than counts.txt says, none is to read, handle or move
more than costs.txt says; both are lowered with them.

`pytest tests/golden --update-goldens` lowers it; `python -m tests.golden --accept-growth` is the only way up.
"""

from __future__ import annotations

import pytest

from flightmesh.physical.operators import HashJoin
from flightmesh.physical.text import outline
from tests.golden.costs import COSTS
from tests.golden.counts import COUNTS, counts
from tests.golden.plans import NAMES, Name, Place, Planner
from tests.golden.ratchet import Table

CROSS = {Name("tpch", 7), Name("tpcds", 77)}
"""Q7 has two nations that only an OR of both joins, each filtered to two rows before; Q77's text multiplies two call centers'
totals that it does not join."""


RATCHETS = {"counts": COUNTS, "costs": COSTS}


@pytest.fixture(scope="module")
def tables(plans: Planner) -> dict[str, Table]:
    return {name: ratchet.counted(plans) for name, ratchet in RATCHETS.items()}


@pytest.fixture
def now(tables: dict[str, Table]) -> Table:
    return tables["counts"]


@pytest.mark.parametrize("name", RATCHETS)
def test_nothing_grew(name: str, tables: dict[str, Table], update_goldens: bool) -> None:
    ratchet = RATCHETS[name]
    grew, fell = ratchet.changes(ratchet.stored(), tables[name])
    assert grew == [], "read the plans; if they have to be so: python -m tests.golden --accept-growth"
    if update_goldens:
        ratchet.path.write_text(ratchet.written(ratchet.lowered(ratchet.stored(), tables[name])))
    else:
        assert fell == [], "good: lower the table with pytest tests/golden --update-goldens"


@pytest.mark.parametrize("name", RATCHETS)
def test_the_table_is_read_as_it_was_written(name: str, tables: dict[str, Table]) -> None:
    ratchet = RATCHETS[name]
    assert ratchet.read(ratchet.written(tables[name])) == tables[name]
    assert {query for query, _ in tables[name]} == set(NAMES)


def test_no_cross_join_need_not_be(now: Table) -> None:
    assert {name for (name, _), found in now.items() if found["cross"]} == CROSS


def test_what_grew_and_fell_is_said(now: Table) -> None:
    key = Name("tpcds", 77), Place.MESH
    more = {**now, key: {**now[key], "cross": 3, "scans": 1}}
    said = f"{key[0]} mesh: cross {now[key]['cross']} -> 3"
    assert COUNTS.changes(now, more) == ([said], [f"{key[0]} mesh: scans {now[key]['scans']} -> 1"])
    assert COUNTS.changes({}, now)[0]


def test_every_join_without_keys_is_counted(plans: Planner) -> None:
    graph = plans.plan(Name("tpcds", 9), Place.EMBEDDED).graph
    keyless = [
        node for stage in graph.stages for _, node in outline(stage.root) if isinstance(node, HashJoin) and not node.keys
    ]
    found = counts(graph)
    assert (found["cross"], found["single"]) == (0, len(keyless)) != (0, 0)


def test_a_cost_has_grown_when_it_is_by_more_than_the_slack(tables: dict[str, Table]) -> None:
    key = Name("tpch", 3), Place.EMBEDDED
    was = tables["costs"]
    little = {**was, key: {**was[key], "rows": round(was[key]["rows"] * 1.005)}}
    much = {**was, key: {**was[key], "rows": was[key]["rows"] * 2, "moved_rows": 0}}
    assert COSTS.changes(was, little) == ([], [])
    assert COSTS.lowered(was, little) == was
    grew, fell = COSTS.changes(was, much)
    assert [len(grew), len(fell)] == [1, 1]
    assert "tpch q03 embedded: rows" in grew[0]


def test_bytes_to_read_are_those_of_the_columns(plans: Planner) -> None:
    """Q6 of TPC-H reads four columns of lineitem, Q1 seven."""
    read = {n: COSTS.figures(plans.plan(Name("tpch", n), Place.EMBEDDED).graph, Place.EMBEDDED)["read_kib"] for n in (1, 6)}
    assert 0 < read[6] < read[1]
