"""Tables that a suite creates column by column and fills row by row, made of what a session can do: query, and upload a table.

Handed statements; hands on their rows. What always holds: the values of a column are what the session's own CAST to its
declared type gives; what is not understood here goes to the session, or is refused by name. Constraints are read and not kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from threading import Timer

import pyarrow as pa
import sqlglot
from sqlglot import exp

from flightmesh.errors import InvalidQuery, UnsupportedFeature
from tests.meshes import AnySession

_CHANGES = re.compile(r"\s*(create|insert|update|delete|truncate)\b", re.I)
_TRANSACTION = re.compile(r"\s*(begin|start|commit|end)(\s+transaction|\s+work)?\s*$", re.I)
"""Statements that begin or end what was never to be undone. ROLLBACK is refused by the session."""
_ENCLOSED = re.compile(r"^(\s*insert\s+into\s+\S+\s*)\((\s*values\b.*?),?\s*\)\s*$", re.I | re.S)
"""VALUES of an INSERT in parentheses, which sqlglot takes for the names of columns."""
_NOT_OF_THE_TEXT = re.compile(r"^\s*explain\b|\{(TEST|DATA|TEMP)_DIR\}|\browid\b", re.I)
_NOTHING = pa.table({})


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    type: str
    default: str = "NULL"


@dataclass(slots=True)
class Tables:
    """The tables of one session."""

    session: AnySession
    seconds: float | None = None
    """How long a query may take."""
    declared: dict[str, tuple[_Column, ...]] = field(default_factory=dict)

    def run(self, sql: str) -> pa.Table:
        """The rows of a statement. Raises what the session raises (Cancelled past `seconds`), and UnsupportedFeature."""
        if _TRANSACTION.match(sql):
            return _NOTHING
        if _NOT_OF_THE_TEXT.search(sql):
            raise UnsupportedFeature("plans, files and row numbers of another engine")
        tree = _parsed(sql) if _CHANGES.match(sql) else None
        match tree:
            case exp.Create(this=exp.Schema()) if tree.kind == "TABLE" and tree.expression is None:
                return self._create(tree)
            case exp.Insert():
                return self._insert(tree)
            case exp.Update():
                return self._update(tree)
            case exp.Delete():
                return self._delete(tree)
            case exp.TruncateTable(expressions=[exp.Table() as table]):
                return self._delete(exp.Delete(this=table))
            case _:
                *before, last = _statements(sql)
                for statement in before:
                    self.run(statement)
                return self.run(last) if before else self.query(sql)

    def query(self, sql: str) -> pa.Table:
        """The rows of what the session knows itself."""
        result = self.session.sql(sql)
        if self.seconds is None:
            return result.to_arrow()
        watch = Timer(self.seconds, result.cancel)
        watch.start()
        try:
            return result.to_arrow()
        finally:
            watch.cancel()

    def _create(self, tree: exp.Create) -> pa.Table:
        name = _name(tree.this.this)
        if name in self.session.tables() and not tree.args.get("replace"):
            if tree.args.get("exists"):
                return _NOTHING
            raise InvalidQuery(f"there is a table {name} already")
        columns = tuple(_column(part) for part in tree.this.expressions if isinstance(part, exp.ColumnDef))
        empty = ", ".join(f"CAST(NULL AS {column.type}) AS {_quoted(column.name)}" for column in columns)
        self.session.upload(name, self.query(f"SELECT {empty} WHERE false"))
        self.declared[name] = columns
        return _NOTHING

    def _insert(self, tree: exp.Insert) -> pa.Table:
        _refuse(tree, "conflict", "returning", "overwrite", "by_name", "default", "with_")
        target = tree.this.this if isinstance(tree.this, exp.Schema) else tree.this
        given = [part.name for part in tree.this.expressions] if isinstance(tree.this, exp.Schema) else None
        columns = self._columns(target)
        wanted = [column.name for column in columns] if given is None else given
        unknown = [name for name in wanted if name.lower() not in {column.name.lower() for column in columns}]
        if unknown or tree.expression is None:
            raise InvalidQuery(f"{_name(target)} has no columns {unknown}")
        place = {name.lower(): f"x{number}" for number, name in enumerate(wanted)}
        values = ", ".join(
            f"CAST({place.get(column.name.lower(), column.default)} AS {column.type}) AS {_quoted(column.name)}"
            for column in columns
        )
        source = self._source(tree.expression, [_named(columns, name).type for name in wanted])
        added = self.query(f"SELECT {values} FROM ({source}) AS source({', '.join(place.values())})")
        return self._replace(target, pa.concat_tables([self._rows(target), added]), added.num_rows)

    def _source(self, rows: exp.Expression, types: list[str]) -> str:
        """The rows to insert: each value of VALUES is cast by itself, as they need not have one type together."""
        while isinstance(rows, exp.Subquery) and isinstance(rows.this, exp.Values):
            rows = rows.this
        if not isinstance(rows, exp.Values):
            return rows.sql("duckdb")
        written = []
        for row in rows.expressions:
            values = row.expressions if isinstance(row, exp.Tuple) else [row]
            if len(values) != len(types):
                raise InvalidQuery(f"{len(values)} values for {len(types)} columns")
            if any(isinstance(value, exp.Column) and value.name.upper() == "DEFAULT" for value in values):
                raise UnsupportedFeature("DEFAULT among VALUES")
            cells = (f"CAST({value.sql('duckdb')} AS {type_})" for value, type_ in zip(values, types, strict=True))
            written.append(f"({', '.join(cells)})")
        return f"VALUES {', '.join(written)}"

    def _update(self, tree: exp.Update) -> pa.Table:
        _refuse(tree, "from_", "returning", "with_")
        where = tree.args.get("where")
        met = where.this.sql("duckdb") if where else "true"
        changed = {part.this.name.lower(): part.expression.sql("duckdb") for part in tree.expressions}
        columns = self._columns(tree.this)
        values = ", ".join(
            f"CAST(CASE WHEN {met} THEN {changed[column.name.lower()]} ELSE {_quoted(column.name)} END AS {column.type})"
            f" AS {_quoted(column.name)}"
            if column.name.lower() in changed
            else _quoted(column.name)
            for column in columns
        )
        source = tree.this.sql("duckdb")
        count = self.query(f"SELECT count(*) FROM {source} WHERE {met}")[0][0].as_py()
        return self._replace(tree.this, self.query(f"SELECT {values} FROM {source}"), count)

    def _delete(self, tree: exp.Delete) -> pa.Table:
        _refuse(tree, "using", "returning", "with_")
        before = self._rows(tree.this)
        where = tree.args.get("where")
        kept = before.slice(0, 0)
        if where:
            met = where.this.sql("duckdb")
            kept = self.query(f"SELECT * FROM {tree.this.sql('duckdb')} WHERE ({met}) IS NOT TRUE")
        return self._replace(tree.this, kept, before.num_rows - kept.num_rows)

    def _columns(self, table: exp.Table) -> tuple[_Column, ...]:
        rows = self._rows(table)
        known = {column.name: column for column in self.declared.get(_name(table), ())}
        return tuple(known.get(part.name) or _Column(part.name, _sql_type(part.type)) for part in rows.schema)

    def _rows(self, table: exp.Table) -> pa.Table:
        return self.query(f"SELECT * FROM {_name(table)}")

    def _replace(self, table: exp.Table, rows: pa.Table, count: int) -> pa.Table:
        self.session.upload(_name(table), rows)
        return pa.table({"Count": [count]})


def _statements(sql: str) -> list[str]:
    """The statements of a text, where semicolons part them."""
    try:
        tokens = sqlglot.tokenize(sql, read="duckdb")
    except sqlglot.errors.SqlglotError:
        return [sql]
    ends = [token.start for token in tokens if token.token_type is sqlglot.TokenType.SEMICOLON]
    parts = [sql[start:end] for start, end in zip([0, *(end + 1 for end in ends)], [*ends, len(sql)], strict=True)]
    return [part for part in parts if part.strip()] or [sql]


def _parsed(sql: str) -> exp.Expr | None:
    try:
        return sqlglot.parse_one(_ENCLOSED.sub(r"\1\2", sql), dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        return None  # the session says what is wrong with it


def _column(part: exp.ColumnDef) -> _Column:
    for constraint in part.args.get("constraints") or ():
        kind = constraint.kind
        if isinstance(kind, exp.DefaultColumnConstraint):
            return _Column(part.name, _type(part), kind.this.sql("duckdb"))
        if isinstance(kind, exp.ComputedColumnConstraint | exp.GeneratedAsIdentityColumnConstraint):
            raise UnsupportedFeature("generated columns")
        if isinstance(kind, exp.CollateColumnConstraint):
            raise UnsupportedFeature("COLLATE of a column")
    return _Column(part.name, _type(part))


def _type(part: exp.ColumnDef) -> str:
    if part.kind is None:
        raise UnsupportedFeature("columns without a type")
    return str(part.kind.sql("duckdb"))


def _named(columns: tuple[_Column, ...], name: str) -> _Column:
    return next(column for column in columns if column.name.lower() == name.lower())


def _refuse(tree: exp.Expression, *clauses: str) -> None:
    for clause in clauses:
        if tree.args.get(clause):
            raise UnsupportedFeature(f"{tree.key.upper()} with {clause.strip('_').upper().replace('_', ' ')}")


def _name(table: exp.Expression) -> str:
    """The table's name without an alias, as SQL and `upload` take it."""
    if not isinstance(table, exp.Table):
        raise UnsupportedFeature(f"changes of {table.sql('duckdb')}")
    return ".".join(part.sql("duckdb") for part in table.parts)


def _quoted(name: str) -> str:
    return str(exp.to_identifier(name, quoted=True).sql("duckdb"))


def _sql_type(type_: pa.DataType) -> str:
    """A type that a query gave, as SQL writes it."""
    if pa.types.is_decimal(type_):
        return f"DECIMAL({type_.precision}, {type_.scale})"
    if pa.types.is_timestamp(type_):
        return "TIMESTAMPTZ" if type_.tz else "TIMESTAMP"
    if pa.types.is_list(type_):
        return f"{_sql_type(type_.value_type)}[]"
    found = _NAMES.get(str(type_))
    if found is None:
        raise UnsupportedFeature(f"changes of a table that has a column of type {type_}")
    return found


_NAMES = {
    "bool": "BOOLEAN",
    **{f"int{bits}": name for bits, name in ((8, "TINYINT"), (16, "SMALLINT"), (32, "INTEGER"), (64, "BIGINT"))},
    **{f"uint{bits}": name for bits, name in ((8, "UTINYINT"), (16, "USMALLINT"), (32, "UINTEGER"), (64, "UBIGINT"))},
    **{"float": "FLOAT", "double": "DOUBLE", "string": "VARCHAR", "large_string": "VARCHAR", "string_view": "VARCHAR"},
    **{"binary": "BLOB", "date32[day]": "DATE", "time64[us]": "TIME", "month_day_nano_interval": "INTERVAL"},
}
