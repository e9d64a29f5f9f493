"""What the operators of a query have counted."""

from __future__ import annotations

import flightmesh


def counted(session: flightmesh.Session, text: str) -> dict[str, int]:
    """What the scans of a query counted."""
    result = session.sql(text)
    result.to_arrow()
    assert result.metrics is not None
    totals: dict[str, int] = {}
    for stage in result.metrics.stages:
        for task in stage.tasks:
            for operator in task.operators:
                for name, amount in operator.details if operator.operator == "TableScan" else ():
                    totals[name] = totals.get(name, 0) + amount
    return totals
