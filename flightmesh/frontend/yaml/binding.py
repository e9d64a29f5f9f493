"""Binds the steps of a plan through the SQL binder and brings its errors back to the plan file.

Handed steps in order, a catalog that knows the inputs, and values; hands on the relation of the last step. What
always holds: an error is an InvalidPlan with a place in the file, at the expression if the binder says where, at the
step if it does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flightmesh.catalog.catalog import Catalog
from flightmesh.dataclass import dataclass
from flightmesh.errors import DataError, FlightmeshError, InvalidInput, InvalidPlan, InvalidQuery, NotAllowed
from flightmesh.frontend.sql.plan import bind_query_ast
from flightmesh.frontend.sql.source import Source
from flightmesh.frontend.yaml.document import Document
from flightmesh.frontend.yaml.steps import LoweredStep, one_query
from flightmesh.ids import ColumnIds
from flightmesh.logical.relations import Relation


@dataclass(frozen=True, slots=True)
class Bound:
    """A relation and the names of its columns."""

    relation: Relation
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """What steps are bound against: tables, the dialect, values of parameters."""

    catalog: Catalog
    dialect: str
    params: Mapping[str, Any]


def bind_steps(document: Document, ordered: tuple[LoweredStep, ...], scope: Scope, ids: ColumnIds) -> Bound:
    """The relation of the last step over the steps before it. Raises InvalidPlan."""
    try:
        return _bind(document, ordered, scope, ids)
    except (InvalidQuery, DataError, InvalidInput, NotAllowed) as error:
        raise _in_plan(document, ordered, scope, error) from None


def _bind(document: Document, ordered: tuple[LoweredStep, ...], scope: Scope, ids: ColumnIds) -> Bound:
    source = Source(document.text, document.name)
    query = bind_query_ast(
        one_query(ordered), source=source, catalog=scope.catalog, dialect=scope.dialect, params=scope.params, ids=ids
    )
    return Bound(query.relation, query.names)


def _in_plan(document: Document, ordered: tuple[LoweredStep, ...], scope: Scope, error: FlightmeshError) -> FlightmeshError:
    kind = type(error) if isinstance(error, InvalidInput | NotAllowed) else InvalidPlan
    if error.position is not None:
        place = replace(error.position, source=document.name)
        return kind(error.message, hint=error.hint, position=place, text=document.text)
    step = _first_wrong(document, ordered, scope)
    place = document.position(step.node.start, step.node.end)
    return kind(f"step {step.name!r}: {error.message}", hint=error.hint, position=place, text=document.text)


def _first_wrong(document: Document, ordered: tuple[LoweredStep, ...], scope: Scope) -> LoweredStep:
    """The first step that does not bind; found by trying, as the binder could not say where."""
    for count in range(1, len(ordered)):
        try:
            _bind(document, ordered[:count], scope, ColumnIds())
        except FlightmeshError:
            return ordered[count - 1]
    return ordered[-1]
