"""What a bound SQL text is: a closed union of frozen statements.

Handed on by `plan_statement`, read by the session. What always holds: a relation is typed and resolved, and `names`
are the names that a person gave its columns, one a field of the relation, possibly repeated.
"""

from __future__ import annotations

import enum
from typing import TypeAlias

from flightmesh.dataclass import dataclass
from flightmesh.logical.relations import Relation


@dataclass(frozen=True, slots=True)
class Query:
    """Rows to be computed. `names` are the columns' titles; they may repeat, so they are not keys. `reads_clock`: whether the
    relation holds the time at which it was bound, so that it is right once only."""

    relation: Relation
    names: tuple[str, ...]
    reads_clock: bool = False


class Existing(enum.Enum):
    """What CREATE does where the name is taken: fail, keep what is there (IF NOT EXISTS), or replace it (OR REPLACE)."""

    FAIL = "fail"
    KEEP = "keep"
    REPLACE = "replace"


class Missing(enum.Enum):
    """What DROP does where there is no such name: fail, or nothing (IF EXISTS)."""

    FAIL = "fail"
    IGNORE = "ignore"


class Lifetime(enum.Enum):
    """How long a created name stays where a session is part of a mesh: as long as the mesh, or the session (TEMPORARY)."""

    MESH = "mesh"
    SESSION = "session"


@dataclass(frozen=True, slots=True)
class CreateView:
    """A name for a query: `text` is the query's own text in `dialect`, already bound once to prove it right."""

    name: tuple[str, ...]
    text: str
    dialect: str
    existing: Existing
    query: Query


@dataclass(frozen=True, slots=True)
class CreateTableAs:
    """A table in memory with the rows of a query."""

    name: tuple[str, ...]
    query: Query
    existing: Existing
    lifetime: Lifetime = Lifetime.MESH


class Analyze(enum.Enum):
    """Whether EXPLAIN runs the query and shows what happened."""

    NO = "no"
    YES = "yes"


@dataclass(frozen=True, slots=True)
class Explain:
    """EXPLAIN of a query."""

    query: Query
    analyze: Analyze


@dataclass(frozen=True, slots=True)
class DropTable:
    """Forgets a table."""

    name: tuple[str, ...]
    missing: Missing


@dataclass(frozen=True, slots=True)
class DropView:
    """Forgets a view."""

    name: tuple[str, ...]
    missing: Missing


Statement: TypeAlias = Query | CreateView | CreateTableAs | Explain | DropTable | DropView
