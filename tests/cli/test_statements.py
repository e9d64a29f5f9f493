import pytest

from flightmesh.cli.shell_state import cut_script
from flightmesh.cli.statements import is_complete, is_explain, split_statements


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("select 1", ["select 1"]),
        ("select 1; select 2;", ["select 1", "select 2"]),
        ("select ';'; select \"a;b\"", ["select ';'", 'select "a;b"']),
        ("select 'it''s;' ;", ["select 'it''s;'"]),
        ("select 1 -- one; two\n; select 2", ["select 1 -- one; two", "select 2"]),
        ("select /* ; */ 1; /* only a comment; */", ["select /* ; */ 1"]),
        ("select $$a;b$$, $x$;$$;$x$; select 2", ["select $$a;b$$, $x$;$$;$x$", "select 2"]),
        ("select $1; select $2", ["select $1", "select $2"]),
        ("select 'unterminated; still", ["select 'unterminated; still"]),
        (";;  ;\n", []),
        ("", []),
    ],
)
def test_semicolons_end_statements(text: str, parts: list[str]) -> None:
    assert [statement.text.strip() for statement in split_statements(text)] == parts


def test_a_statement_keeps_its_place_in_the_text() -> None:
    text = "select 1;\n  select nowhere"
    second = split_statements(text)[1]
    assert second.text.splitlines()[1] == "  select nowhere"


@pytest.mark.parametrize(
    ("text", "complete"),
    [("select 1;", True), ("select 1", False), ("select ';", False), ("select 1; select", False), ("select 1; -- done", True)],
)
def test_completeness(text: str, complete: bool) -> None:
    assert is_complete(text) is complete


def test_a_script_mixes_statements_and_dot_commands() -> None:
    text = ".timer off\nselect 1;\n.tables\nselect\n  .5;\n.quit"
    assert [part.strip() for part in cut_script(text)] == [".timer off", "select 1", ".tables", "select\n  .5", ".quit"]


@pytest.mark.parametrize(
    ("text", "asks"),
    [
        (" EXPLAIN select 1", True),
        ("/* why */ -- so\nexplain analyze select 1", True),
        ("select 'explain'", False),
        ("explained", False),
    ],
)
def test_explain_is_told_from_a_query(text: str, asks: bool) -> None:
    assert is_explain(text) is asks
