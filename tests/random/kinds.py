"""The kinds of random queries, by name: how each is made, and how many run in CI."""

from __future__ import annotations

import random

from tests.random.aggregates import random_grouping
from tests.random.grouping_sets import random_grouping_sets
from tests.random.harness import Kind, Query
from tests.random.joins import random_join
from tests.random.queries import random_query
from tests.random.subqueries import random_subquery
from tests.random.windows import random_window_query


def _window(rng: random.Random) -> Query:
    return Query(random_window_query(rng))


KINDS = {
    kind.name: kind
    for kind in (
        Kind("queries", random_query, cases=1_200, more=50_000),
        Kind("joins", random_join, cases=300, more=20_000),
        Kind("subqueries", random_subquery, cases=250, more=20_000),
        Kind("sets", random_grouping_sets, cases=300, more=20_000),
        Kind("aggregates", random_grouping, cases=300, more=20_000, numbering="id", refused=0.08),
        Kind("windows", _window, cases=300, more=20_000, numbering="n", fails_alike=True),
    )
}
