"""Random queries of every kind against DuckDB, embedded and at a mesh. A failure says how to ask it again."""

from __future__ import annotations

import pytest

from tests.meshes import Meshes, session_at
from tests.random.harness import CHUNK, Kind, beside_duckdb, check_chunk, embedded
from tests.random.kinds import KINDS

AT_MESH = {
    "get": {"queries": 0, "joins": 0, "subqueries": 0, "sets": 0, "aggregates": 0, "windows": 0},
    "put": {"queries": 1, "joins": 1, "sets": 1},
}
"""The chunk of each kind that a mesh runs, by its way of exchanging: other queries in each."""
FORMS = {
    "joins": (
        *("natural", "using", "full join", "semi join", "anti join", "left join lateral", ", lateral", "between", "values"),
        *(
            "generate_series",
            "by name",
            "on null",
            "exists",
            " any (",
            " all (",
            "where false",
            "replace (",
            "exclude (",
            "unnest",
        ),
    ),
    "subqueries": (
        *("lateral", "distinct on", "full join", "using", "anti join", "exists", " in (", " any (", " all (", "between"),
        *("limit", "group by", "group by (", "union all by name", "except all", "(coalesce", "rollup", "filter", "over ("),
        *("having", "qualify", "with x", "order by (", "offset"),
    ),
    "sets": ("rollup", "cube", "grouping sets", "grouping(", "distinct", "having", "order by", "join", "filter", "()"),
    "aggregates": (
        *("rollup", "cube", "grouping sets", "grouping(", "distinct", "having", "order by all", "filter", "within group"),
        *("by all", "quantile_cont", "string_agg", "approx_", "arg_m", "median", "stddev", "count(distinct (", "id < 0"),
        *("list(", "array_agg(", "over (", "lateral", "full join"),
    ),
    "windows": (
        *("rows between", "range between", "groups between", "exclude", "ignore nulls", "qualify", "window base", "ntile"),
        *("nth_value", "lag(", "interval", "filter", "group by"),
    ),
}


@pytest.mark.parametrize("kind", FORMS)
def test_every_form_is_met(kind: str) -> None:
    texts = [KINDS[kind].query(seed).ours for seed in range(KINDS[kind].cases)]
    counts = {form: sum(form in text for text in texts) for form in FORMS[kind]}
    assert not [form for form, count in counts.items() if count < 2], counts


@pytest.mark.parametrize(
    ("kind", "chunk"),
    [pytest.param(kind, chunk, id=f"{kind.name}-{chunk}") for kind in KINDS.values() for chunk in range(kind.cases // CHUNK)],
)
def test_random_queries(kind: Kind, chunk: int) -> None:
    with embedded(kind, chunk) as both:
        check_chunk(kind, chunk, both)


@pytest.mark.parametrize(
    ("mode", "kind", "chunk"),
    [
        pytest.param(mode, KINDS[name], chunk, id=f"{name}-{chunk}-mesh-{mode}", marks=pytest.mark.xdist_group(f"mesh-{mode}"))
        for mode, kinds in AT_MESH.items()
        for name, chunk in kinds.items()
    ],
)
def test_random_queries_at_a_mesh(meshes: Meshes, mode: str, kind: Kind, chunk: int) -> None:
    with session_at(meshes.of(mode), partitions=3) as session, beside_duckdb(session, kind, chunk) as both:
        check_chunk(kind, chunk, both)


MANY = 20
"""Chunks a test: every process of a run collects all of these tests, if only to leave them out."""


@pytest.mark.big_random
@pytest.mark.parametrize(
    ("kind", "first"),
    [
        pytest.param(kind, first, id=f"{kind.name}-{first}")
        for kind in KINDS.values()
        for first in range(kind.cases // CHUNK, (kind.cases + kind.more) // CHUNK, MANY)
    ],
)
def test_many_random_queries(kind: Kind, first: int) -> None:
    for chunk in range(first, first + MANY):
        with embedded(kind, chunk) as both:
            check_chunk(kind, chunk, both)
