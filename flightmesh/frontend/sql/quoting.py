"""Names as a query writes them: in double quotes where SQL would read something else. For people who see names to type."""

from __future__ import annotations

import re

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError


def written(name: str) -> str:
    """A name of one part as a query writes it: in quotes where SQL would read something else."""
    if not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII):
        return quoted(name)
    try:
        read = parse_one(f"select {name}, {name}.a from {name}", read="duckdb")
    except SqlglotError:
        return quoted(name)
    columns = [column.sql() for column in read.find_all(exp.Column)]
    tables = [table.sql() for table in read.find_all(exp.Table)]
    return name if (columns, tables) == ([name, f"{name}.a"], [name]) else quoted(name)


def quoted(name: str) -> str:
    """A name of one part in double quotes."""
    return '"{}"'.format(name.replace('"', '""'))
