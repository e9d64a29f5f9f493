"""Reads statements from a terminal: editing over several lines, history in a file, colours, completion.

Handed the shell, for the names it completes; hands on whole texts. What always holds: Enter ends a text only where a statement
or a dot command is complete.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from prompt_toolkit import PromptSession
from prompt_toolkit.auto_suggest import AutoSuggestFromHistory
from prompt_toolkit.completion import CompleteEvent, Completer, Completion
from prompt_toolkit.document import Document
from prompt_toolkit.filters import has_completions, is_done
from prompt_toolkit.history import FileHistory, History, InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.lexers import PygmentsLexer
from prompt_toolkit.output import Output
from pygments.lexers.sql import SqlLexer

from flightmesh.cli.shell_state import Shell
from flightmesh.cli.statements import is_complete
from flightmesh.errors import FlightmeshError

_KEYWORDS = (  # noqa: SIM905 - a list would be a page long
    "all and anti as asc between by case cast create cross desc distinct drop else end except exists explain extract false "
    "filter first from full group having ilike in inner interval intersect is join last left like limit natural not null "
    "nulls offset on or order right select semi table then true try_cast union using values view when where with"
).split()


class Prompt:
    """The prompt of one shell; `input` and `output` are the terminal unless a test brings its own."""

    def __init__(self, shell: Shell, input: Input | None = None, output: Output | None = None) -> None:
        self._session: PromptSession[str] = PromptSession(
            history=_history(),
            auto_suggest=AutoSuggestFromHistory(),
            completer=NameCompleter(shell),
            complete_while_typing=False,
            key_bindings=_keys(),
            lexer=PygmentsLexer(SqlLexer),
            multiline=True,
            prompt_continuation=lambda width, line, wrapped: "... ".rjust(width),
            input=input,
            output=output,
        )

    def read(self) -> str:
        """The next text; EOFError when the user leaves, KeyboardInterrupt when they give it up."""
        return self._session.prompt("flightmesh> ")


class NameCompleter(Completer):
    """Completes keywords, tables and columns; column names are looked up once a table."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._columns: dict[str, list[str]] = {}

    def get_completions(self, document: Document, complete_event: CompleteEvent) -> Iterable[Completion]:
        """Words that begin with what stands before the cursor, names before keywords."""
        word = document.get_word_before_cursor()
        if not word.strip():
            return
        upper = word.isupper()
        in_quotes = document.text_before_cursor[: -len(word)].endswith('"')
        keywords = [keyword.upper() if upper else keyword for keyword in _KEYWORDS]
        for name in dict.fromkeys([*self._names(), *([] if in_quotes else keywords)]):
            if name != word and any(begin.lower().startswith(word.lower()) for begin in (name, name.lstrip('"'))):
                yield Completion(name, start_position=-len(word) - (in_quotes and name.startswith('"')))

    def _names(self) -> list[str]:
        tables = self._shell.table_names()
        for table in tables:
            if table not in self._columns:
                self._columns[table] = self._look_up(table)
        from flightmesh.frontend.sql.quoting import written

        return [*tables, *(written(column) for table in tables for column in self._columns[table])]

    def _look_up(self, table: str) -> list[str]:
        try:
            return [name for name, _ in self._shell.columns_of(table)]
        except FlightmeshError:
            return []  # a broken table completes nothing; a query over it will say what is wrong


def _keys() -> KeyBindings:
    keys = KeyBindings()

    @keys.add("enter", filter=~is_done & ~has_completions)
    def _(event: KeyPressEvent) -> None:
        text = event.current_buffer.text
        if not text.strip() or text.lstrip().startswith(".") or is_complete(text):
            event.current_buffer.validate_and_handle()
        else:
            event.current_buffer.insert_text("\n")

    return keys


def _history() -> History:
    """History in the state folder of the user; only in memory where that cannot be written."""
    folder = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "flightmesh"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return InMemoryHistory()
    return FileHistory(str(folder / "history"))
