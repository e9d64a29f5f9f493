"""What the shell does with a text: runs its statements and dot commands in order.

Handed a session and texts; prints rows, timings and listings. What always holds: it reads no terminal, so a pipe, a script and
a prompt behave alike.
"""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from flightmesh.cli.options import OutputFormat
from flightmesh.cli.output import choose_target, write_lines, write_result
from flightmesh.cli.statements import is_explain, split_statements
from flightmesh.errors import InvalidQuery

if TYPE_CHECKING:
    from flightmesh.session import Session
    from flightmesh.session.remote import RemoteSession

_HELP = """\
.help                       this list
.mode table|csv|json        how rows are shown
.quit                       leave (also .exit, or Ctrl-D)
.read FILE                  run the statements in a file
.register NAME PATH         add a table: a file, folder, glob or s3:// URL
.schema [TABLE]             columns and types of one table, or of all
.tables                     names of the tables
.timer on|off               show how long each statement took"""

_DOT_LINE = re.compile(r"\s*\.([a-zA-Z]\w*)([^\n]*)(?:\n|\Z)")


class Shell:
    """A session with the shell's own settings."""

    def __init__(self, session: Session | RemoteSession, dialect: str | None) -> None:
        self.session = session
        self.left = False
        self._dialect = dialect
        self._mode = OutputFormat.TABLE
        self._timed = sys.stdin.isatty()

    def run_script(self, text: str) -> None:
        """Runs statements and dot commands (each on a line of its own) until one fails or leaves."""
        for part in cut_script(text):
            if self.left:
                return
            if part.lstrip().startswith("."):
                self._run_dot(part.strip())
            else:
                self._run_sql(part)

    def _run_sql(self, text: str) -> None:
        started = time.perf_counter()
        result = self.session.sql(text, dialect=self._dialect)
        if is_explain(text) and self._mode is OutputFormat.TABLE:
            write_lines(result)
        elif result.schema.names:
            write_result(result, choose_target(self._mode, None, None))
        else:
            result.to_arrow()
        if self._timed:
            print(f"{time.perf_counter() - started:.3f} s", file=sys.stderr)

    def _run_dot(self, line: str) -> None:
        name, _, rest = line[1:].partition(" ")
        command = self._commands().get(name)
        if command is None:
            raise InvalidQuery(f"there is no command .{name}", hint=_nearest_command(name, list(self._commands())))
        command(rest.strip().rstrip(";").strip())

    def _commands(self) -> dict[str, Callable[[str], None]]:
        return {
            "help": lambda _: print(_HELP),
            "mode": self._set_mode,
            "quit": self._leave,
            "exit": self._leave,
            "read": self._read,
            "register": self._register,
            "schema": self._schema,
            "tables": lambda _: print("\n".join(self.table_names()) or "no tables yet: .register NAME PATH"),
            "timer": self._set_timer,
        }

    def table_names(self) -> list[str]:
        """Names as a query writes them; those of the default schema without it."""
        from flightmesh.catalog.names import split_name
        from flightmesh.frontend.sql.quoting import written

        return [".".join(map(written, split_name(name))) for name in self.session.tables()]

    def columns_of(self, table: str) -> list[tuple[str, str]]:
        """Names and types of the columns of a table or view, named with quotes or without."""
        from flightmesh.catalog.names import split_name
        from flightmesh.frontend.sql.quoting import quoted
        from flightmesh.session.cells import type_text

        source = ".".join(map(quoted, split_name(table)))
        result = self.session.sql(f"select * from {source} limit 0", dialect="duckdb")
        try:
            return [(field.name, type_text(field.type)) for field in result.schema]
        finally:
            result.cancel()

    def _set_mode(self, word: str) -> None:
        if word not in ("table", "csv", "json"):
            raise InvalidQuery(f".mode {word}: the modes are table, csv and json")
        self._mode = OutputFormat(word)

    def _set_timer(self, word: str) -> None:
        if word not in ("on", "off"):
            raise InvalidQuery(".timer takes on or off")
        self._timed = word == "on"

    def _leave(self, _: str) -> None:
        self.left = True

    def _read(self, path: str) -> None:
        if not path:
            raise InvalidQuery(".read takes a file")
        self.run_script(Path(path).expanduser().read_text(encoding="utf-8"))

    def _register(self, words: str) -> None:
        name, _, path = words.replace("=", " ", 1).partition(" ")
        if not path.strip():
            raise InvalidQuery(".register takes a name and a path", hint=".register orders data/orders")
        self.session.register(name, path.strip())

    def _schema(self, table: str) -> None:
        for name in [table] if table else self.table_names():
            columns = self.columns_of(name)
            width = max(len(column) for column, _ in columns)
            print(f"{name}\n" + "\n".join(f"  {column:<{width}}  {kind}" for column, kind in columns))


def cut_script(text: str) -> list[str]:
    """The statements and dot commands of a text, in order. Statements keep their place (see `split_statements`)."""
    parts: list[str] = []
    start = 0
    while start < len(text):
        dot = _DOT_LINE.match(text, start)
        if dot:
            parts.append(dot[0])
            start = dot.end()
            continue
        rest = re.sub(r"[^\n]", " ", text[:start]) + text[start:]
        statements = split_statements(rest)
        if not statements:
            break
        parts.append(statements[0].text)
        start = len(statements[0].text) + 1
    return parts


def _nearest_command(name: str, known: list[str]) -> str:
    import difflib

    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean .{near[0]}?" if near else ".help lists the commands"
