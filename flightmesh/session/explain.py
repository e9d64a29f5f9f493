"""The text of a plan on one of its levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never

from flightmesh.logical.text import format_relation
from flightmesh.physical.text import format_operator
from flightmesh.session.analyze import analyze_text
from flightmesh.session.engine import Job
from flightmesh.session.level import Level
from flightmesh.session.plan import QueryPlan
from flightmesh.stage.text import format_stages


def explain_plan(plan: QueryPlan, level: Level, submit: Callable[[], Job]) -> str:
    """The text of `plan`; ANALYZE submits it and reads its rows."""
    match level:
        case Level.LOGICAL:
            return format_relation(plan.logical)
        case Level.OPTIMIZED:
            return format_relation(plan.optimized)
        case Level.PHYSICAL:
            return format_operator(plan.physical)
        case Level.STAGES:
            return format_stages(plan.graph)
        case Level.ANALYZE:
            handle = submit()
            rows = sum(batch.num_rows for batch in handle.batches())
            return analyze_text(plan.graph, handle.record, rows)
        case _:
            assert_never(level)
