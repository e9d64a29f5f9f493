"""SQL over the small tables, bound."""

from __future__ import annotations

from flightmesh.catalog.catalog import Catalog
from flightmesh.config import Config
from flightmesh.frontend.sql.plan import plan_statement
from flightmesh.frontend.sql.statements import Query
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import Relation
from flightmesh.optimize.context import Context
from tests.optimize.building import REGISTERED, statistics


def bound(sql: str) -> tuple[Relation, Context]:
    """The query as the front end hands it on, and a context that goes on counting its ids."""
    catalog = Catalog()
    for name, table in REGISTERED.items():
        catalog.register(name, table)
    ids = ColumnIds()
    statement = plan_statement(sql, catalog=catalog, dialect="duckdb", params={}, ids=ids)
    assert isinstance(statement, Query)
    return statement.relation, Context(ids, statistics, Config())
