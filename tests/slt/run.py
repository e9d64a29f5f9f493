"""Runs a file of the sqllogictest format on a session.

Handed a session and a path; hands on one verdict a record. What always holds: what this engine refuses by name is unsupported,
not failed; an error that is its own fault is failed, also where one was expected; what only fails because a statement before
it was not supported is unsupported, and says so. In suites of other engines, whose tables have an order of their own, rows may
come in any order where the text has no ORDER BY.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import assert_never

import pyarrow as pa

from flightmesh.errors import Cancelled, Fault, FlightmeshError, InvalidQuery, UnsupportedFeature
from tests.meshes import AnySession
from tests.slt.records import Query, Record, Require, Statement, Unknown, records
from tests.slt.tables import Tables
from tests.slt.values import difference, digest

_HAS = frozenset({"parquet", "json", "skip_reload", "vector_size", "notwindows", "notmingw", "noforcestorage", "64bit"})
_WITHOUT_EFFECT = re.compile(
    r"(set|pragma|reset)\s+((session|global)\s+)?\w*(threads|verif\w*|progress\w*|seed|memory_limit)", re.I
)
"""Statements that change no answer, so that later ones do not need them."""


_CHANGES = re.compile(r"\s*(create|insert|update|delete|drop|alter|truncate)\b", re.I)
_LACKS = re.compile(
    r"^there is no (function|type)|neither an aggregate nor a window function|at most 38 digits|^syntax error|transpiled"
)
"""How a refusal is said of what another engine has and this one has not heard of: a function, syntax, larger numbers."""
_ORDERS = re.compile(r"\border\s+by\b", re.I)


class Verdict(enum.Enum):
    """What became of a record."""

    PASSED = "passed"
    FAILED = "failed"
    UNSUPPORTED = "unsupported"


class Suite(enum.Enum):
    """Whose files they are: only in ours do texts of expected errors count, and the order of rows that the text leaves open."""

    OURS = "ours"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Ran:
    """A record that was run. `reason`: why it did not pass."""

    path: Path
    line: int
    verdict: Verdict
    reason: str = ""

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.verdict.value}: {self.reason}"


@dataclass(slots=True)
class _Run:
    """What a file has done so far."""

    tables: Tables
    suite: Suite
    labels: dict[str, str] = field(default_factory=dict)
    untaken: str = ""
    """Why the first statement was not supported that later ones may need."""

    def verdict(self, record: Record) -> tuple[Verdict, str]:
        match record:
            case Unknown():
                return Verdict.UNSUPPORTED, f"this runner does not know {record.what!r}"
            case Require():
                return Verdict.UNSUPPORTED, f"the file requires {record.what}"
            case Statement(expects="error"):
                return self._expecting_error(record)
            case Statement() | Query():
                return self._expecting_rows(record)
            case _:
                assert_never(record)

    def _expecting_rows(self, record: Statement | Query) -> tuple[Verdict, str]:
        try:
            table = self._rows(record)
        except Cancelled as late:
            return Verdict.UNSUPPORTED, late.message
        except FlightmeshError as error:
            is_maybe = isinstance(record, Statement) and record.expects == "maybe"
            return (Verdict.PASSED, "") if is_maybe and error.fault is Fault.QUERY else self._failing(record, error)
        except ValueError as error:  # a value that Python cannot hold, such as a year of five digits
            return Verdict.UNSUPPORTED, f"rows that cannot be shown: {error}"
        return self._compared(table, record) if isinstance(record, Query) else (Verdict.PASSED, "")

    def _rows(self, record: Statement | Query) -> pa.Table:
        """Only suites of other engines need tables that this one cannot make."""
        return self.tables.query(record.sql) if self.suite is Suite.OURS else self.tables.run(record.sql)

    def _compared(self, table: pa.Table, query: Query) -> tuple[Verdict, str]:
        differs = difference(table, query)
        if differs is not None and self.suite is Suite.FOREIGN and query.sort == "nosort" and not _ORDERS.search(query.sql):
            if query.hashed is not None:
                return Verdict.UNSUPPORTED, "a hash of rows whose order the text leaves open"
            differs = difference(table, replace(query, sort="rowsort"))
        if differs is None and query.label:
            found = digest(table, query.sort)
            if self.labels.setdefault(query.label, found) != found:
                differs = f"other rows than the first query labelled {query.label}"
        return (Verdict.PASSED, "") if differs is None else self._consequence(Verdict.FAILED, differs)

    def _failing(self, record: Statement | Query, error: FlightmeshError) -> tuple[Verdict, str]:
        reason = error.message.partition("\n")[0]
        if isinstance(error, UnsupportedFeature):
            if isinstance(record, Statement) and record.expects != "error" and not _WITHOUT_EFFECT.match(record.sql):
                self.untaken = self.untaken or reason
            return Verdict.UNSUPPORTED, reason
        if isinstance(error, InvalidQuery) and self.suite is Suite.FOREIGN and _LACKS.search(reason):
            if isinstance(record, Statement):
                self.untaken = self.untaken or reason
            return Verdict.UNSUPPORTED, reason
        if error.fault is Fault.QUERY:
            return self._consequence(Verdict.FAILED, reason)
        return Verdict.FAILED, reason

    def _consequence(self, verdict: Verdict, reason: str) -> tuple[Verdict, str]:
        if not self.untaken:
            return verdict, reason
        return Verdict.UNSUPPORTED, f"follows a statement of which: {self.untaken}"

    def _expecting_error(self, statement: Statement) -> tuple[Verdict, str]:
        try:
            self._rows(statement)
        except FlightmeshError as error:
            if error.fault is not Fault.QUERY:
                return Verdict.FAILED, error.message
            compares = self.suite is Suite.OURS and statement.error
            if isinstance(error, UnsupportedFeature) and not compares:
                return self._failing(statement, error)
            if compares and not _holds(error.render(), statement.error):
                return Verdict.FAILED, f"the error is {error.message!r}, expected {statement.error!r}"
            return Verdict.PASSED, ""
        if self.suite is Suite.FOREIGN and _CHANGES.match(statement.sql):
            return Verdict.UNSUPPORTED, "this runner's tables keep no constraints"
        return self._consequence(Verdict.FAILED, "there is no error")


def _holds(message: str, wanted: str) -> bool:
    if wanted.startswith("<REGEX>:"):
        return re.search(wanted.removeprefix("<REGEX>:"), message, re.DOTALL) is not None
    return wanted in message


def run_file(session: AnySession, path: Path, suite: Suite = Suite.FOREIGN, seconds: float | None = None) -> Iterator[Ran]:
    """One verdict a record, as they are run. `seconds`: how long one may take before it is given up as unsupported."""
    run = _Run(Tables(session, seconds), suite)
    try:
        for record in records(path.read_text()):
            if isinstance(record, Require) and record.what.split()[0] in _HAS:
                continue
            yield Ran(path, record.line, *run.verdict(record))
            if isinstance(record, Require):
                return
    except (ValueError, IndexError) as error:
        yield Ran(path, 0, Verdict.UNSUPPORTED, f"this runner cannot read the file: {error}")
