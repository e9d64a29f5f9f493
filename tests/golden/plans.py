"""The plans of the 22 queries of TPC-H and the 99 of TPC-DS, at the places where CI runs them.

Handed a place; hands on plans by benchmark and number. What always holds: data, threads and settings are fixed, so that a plan
changes only where the engine that makes it does; nothing is run, and no mesh is needed to plan for one.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import flightmesh
from flightmesh.config import MIB, Config, PlannerConfig
from flightmesh.frontend.sql.plan import plan_statement
from flightmesh.frontend.sql.statements import Query
from flightmesh.ids import ColumnIds
from flightmesh.optimize.context import Context
from flightmesh.session.plan import QueryPlan, plan_query
from tests.tpcds import data as tpcds
from tests.tpch import data as tpch


class Place(enum.Enum):
    """Where a query would run."""

    EMBEDDED = "embedded"
    MESH = "mesh"


SETTINGS = {
    Place.EMBEDDED: Config(threads=2),
    # As a mesh's driver plans for three workers of a slot each. Small data moves as large data would with the limit of a mesh
    # of tests.
    Place.MESH: Config(threads=3, planner=PlannerConfig(share_builds=False, broadcast_bytes=MIB)),
}


@dataclass(frozen=True, slots=True, order=True)
class Name:
    """One of the 121."""

    benchmark: str
    number: int

    def __str__(self) -> str:
        return f"{self.benchmark} q{self.number:02}"


NAMES = [*(Name("tpch", number) for number in tpch.NUMBERS), *(Name("tpcds", number) for number in tpcds.NUMBERS)]


def text_of(name: Name) -> str:
    """The query's SQL."""
    return tpch.queries()[name.number] if name.benchmark == "tpch" else tpcds.queries()[name.number]


class Planner:
    """Plans queries over the tables of both benchmarks."""

    def __init__(self, sessions: dict[str, flightmesh.Session]) -> None:
        self._sessions = sessions

    def plan(self, name: Name, place: Place) -> QueryPlan:
        """The plan of a query at a place."""
        session, config, ids = self._sessions[name.benchmark], SETTINGS[place], ColumnIds()
        query = plan_statement(text_of(name), catalog=session.catalog, dialect=config.dialect, params=None, ids=ids)
        assert isinstance(query, Query)
        return plan_query(query.relation, query.names, Context(ids, session._engine.statistics, config), config)


@contextmanager
def planner() -> Iterator[Planner]:
    """Over data of the scale of CI. The benchmarks share a name of a table, so each has a session."""
    with flightmesh.connect(threads=2) as one, flightmesh.connect(threads=2) as other:
        for table in tpch.TABLES:
            one.register(table, tpch.table_files(tpch.tpch_folder("0.1"), table))
        for table, path in tpcds.table_files(tpcds.tpcds_folder(tpcds.SMALL)).items():
            other.register(table, path)
        yield Planner({"tpch": one, "tpcds": other})
