"""Whether a statement went on with a plan that was kept, for tests."""

from __future__ import annotations

from typing import Any, TypeAlias

import flightmesh
from flightmesh.session import Session

AnySession: TypeAlias = Session | flightmesh.RemoteSession


def ask(session: AnySession, text: str, params: Any = None, dialect: str | None = None) -> tuple[list[tuple[Any, ...]], bool]:
    """The rows of a query, and whether its plan was one that was kept."""
    result = session.sql(text, dialect=dialect, params=params)
    table = result.to_arrow()
    record = result.metrics
    assert record is not None
    assert record.planning is not None
    assert 0 < record.planning.seconds < 60
    return list(zip(*(column.to_pylist() for column in table.columns), strict=True)), record.planning.kept


def rows(session: AnySession, text: str) -> list[tuple[Any, ...]]:
    """The rows of a query that had no plan to go on with."""
    found, kept = ask(session, text)
    assert not kept
    return found


def rows_again(session: AnySession, text: str) -> list[tuple[Any, ...]]:
    """The rows of a query that had."""
    found, kept = ask(session, text)
    assert kept
    return found
