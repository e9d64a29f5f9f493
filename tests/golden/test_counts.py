"""A ratchet: no plan gets one more cross join, shuffle or read of a table than counts.txt says, which is lowered with them.

`pytest tests/golden --update-goldens` lowers it; `python -m tests.golden --accept-growth` is the only way up.
"""

from __future__ import annotations

import pytest

from flightmesh.physical.operators import HashJoin
from flightmesh.physical.text import outline
from tests.golden.counts import TABLE, Table, changes, counted, counts, read, written
from tests.golden.plans import NAMES, Name, Place, Planner

CROSS = {Name("tpch", 7), Name("tpcds", 77)}
"""Q7 has two nations that only an OR of both joins, each filtered to two rows before; Q77's text multiplies two call centers'
totals that it does not join."""


@pytest.fixture(scope="module")
def now(plans: Planner) -> Table:
    return counted(plans)


def test_no_count_grew(now: Table, update_goldens: bool) -> None:
    grew, fell = changes(read(TABLE.read_text()), now)
    assert grew == [], "read the plans; if they have to be so: python -m tests.golden --accept-growth"
    if update_goldens:
        TABLE.write_text(written(now))
    else:
        assert fell == [], "good: lower the table with pytest tests/golden --update-goldens"


def test_the_table_is_read_as_it_was_written(now: Table) -> None:
    assert read(written(now)) == now
    assert {name for name, _ in now} == set(NAMES)


def test_no_cross_join_need_not_be(now: Table) -> None:
    assert {name for (name, _), found in now.items() if found["cross"]} == CROSS


def test_what_grew_and_fell_is_said(now: Table) -> None:
    key = Name("tpcds", 77), Place.MESH
    more = {**now, key: {**now[key], "cross": 3, "scans": 1}}
    said = f"{key[0]} mesh: cross {now[key]['cross']} -> 3"
    assert changes(now, more) == ([said], [f"{key[0]} mesh: scans {now[key]['scans']} -> 1"])
    assert changes({}, now)[0]


def test_every_join_without_keys_is_counted(plans: Planner) -> None:
    graph = plans.plan(Name("tpcds", 9), Place.EMBEDDED).graph
    keyless = [
        node for stage in graph.stages for _, node in outline(stage.root) if isinstance(node, HashJoin) and not node.keys
    ]
    found = counts(graph)
    assert (found["cross"], found["single"]) == (0, len(keyless)) != (0, 0)
