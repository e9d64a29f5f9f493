from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput

import flightmesh
from flightmesh.cli.shell_input import NameCompleter, Prompt
from flightmesh.cli.shell_state import Shell
from tests.cli import running


@pytest.fixture
def shell(orders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with flightmesh.connect(threads=1) as session:
        session.register("orders", str(orders))
        yield Shell(session, None)


def typed(shell: Shell, *keys: str) -> list[str]:
    """What the prompt hands on for each text that `keys` complete."""
    with create_pipe_input() as pipe:
        prompt = Prompt(shell, pipe, DummyOutput())
        texts = []
        for part in keys:
            pipe.send_text(part)
            texts.append(prompt.read())
        return texts


def test_statements_from_a_pipe(orders: Path) -> None:
    script = ".mode csv\n.timer off\nselect count(*) as n\nfrom orders; select 'a;b' as t;\n.quit\nselect 3;"
    done = running.flightmesh("shell", "-r", f"orders={orders}", stdin=script)
    assert running.rows_of(done) == ["n", "1000", "t", "a;b"]
    assert done.stderr == ""


def test_an_error_in_a_pipe_ends_the_shell() -> None:
    failed = running.flightmesh("shell", stdin="select 1 as a;\nselect nowhere;\nselect 2 as never;")
    assert failed.returncode == 1
    assert "never" not in failed.stdout
    assert "line 2, column 8" in failed.stderr


def test_the_dot_commands(orders: Path, tmp_path: Path) -> None:
    (tmp_path / "more.sql").write_text("create view shipped as select id from orders where status = 'shipped';")
    commands = [f".read {tmp_path}/more.sql", ".tables", ".schema shipped", f".register again {orders}", ".tables", ".help"]
    script = "\n".join([*commands, ".timer on", ".mode json", "select 1 as a;"])
    done = running.flightmesh("shell", "-r", f"orders={orders}", stdin=script)
    lines = running.rows_of(done)
    assert lines[:4] == ["orders", "shipped", "shipped", "  id  int64"]
    assert lines[4:7] == ["again", "orders", "shipped"]
    assert any(line.startswith(".register NAME PATH") for line in lines)
    assert lines[-1] == '{"a":1}'
    assert done.stderr.endswith(" s\n")


def test_a_wrong_dot_command_is_explained() -> None:
    failed = running.flightmesh("shell", stdin=".tabels\n")
    assert failed.returncode == 1
    assert "did you mean .tables?" in failed.stderr


def test_enter_ends_only_complete_statements(shell: Shell) -> None:
    assert typed(shell, "select 1\rfrom orders;\r") == ["select 1\nfrom orders;"]
    assert typed(shell, "select ';'\r;\r") == ["select ';'\n;"]
    assert typed(shell, ".tables\r") == [".tables"]


def test_editing_and_history(shell: Shell) -> None:
    assert typed(shell, "selekt 1;\x1b[D\x1b[D\x1b[D\x1b[D\x7fc\r") == ["select 1;"]
    up = "\x1b[A"
    assert typed(shell, "select 2;\r", up + "\r") == ["select 2;", "select 2;"]
    assert typed(shell, up + "\r") == ["select 2;"], "history is kept in a file"


def test_leaving(shell: Shell) -> None:
    with pytest.raises(EOFError):
        typed(shell, "\x04")
    with pytest.raises(KeyboardInterrupt):
        typed(shell, "select 1\x03")


def test_completion(shell: Shell) -> None:
    def offered(text: str) -> list[str]:
        return [found.text for found in NameCompleter(shell).get_completions(Document(text), CompleteEvent())]

    assert offered("select * from ord") == ["orders", "order"]
    assert offered("select sta") == ["status"]
    assert offered("SEL") == ["SELECT"]
    assert offered("select ") == []


ODD = {"a-b": "x", "select": "from", "with blank": 'q"q', "a.b": "x y"}
"""Names of tables that SQL would not read as they are, with a column each."""


@pytest.fixture
def odd(shell: Shell) -> Shell:
    for table, column in ODD.items():
        shell.session.register(f'"{table}"', {column: [1]})
    return shell


def test_odd_names_are_quoted(odd: Shell, capsys: pytest.CaptureFixture[str]) -> None:
    assert odd.table_names() == ['"a-b"', '"a.b"', "orders", '"select"', '"with blank"']
    odd.run_script(".schema")
    listed = capsys.readouterr().out.splitlines()
    assert listed[:4] == ['"a-b"', "  x  int64", '"a.b"', "  x y  int64"]
    for name in odd.table_names():
        assert odd.session.sql(f"select * from {name}").schema.names == [name for name, _ in odd.columns_of(name)]


@pytest.mark.parametrize("name", ["a-b", '"a-b"', "select", "with blank", '"a.b"'])
def test_a_schema_is_asked_for_with_quotes_or_without(odd: Shell, capsys: pytest.CaptureFixture[str], name: str) -> None:
    odd.run_script(f".schema {name}")
    assert capsys.readouterr().out == f"{name}\n  {ODD[name.strip(chr(34))]}  int64\n"


def test_odd_names_from_the_command_line(orders: Path) -> None:
    done = running.flightmesh("shell", "-r", f"a-b={orders}", stdin='.tables\n.schema a-b\nselect count(*) as n from "a-b";')
    lines = running.rows_of(done)
    assert lines[:3] == ['"a-b"', "a-b", "  id      int64"]


def test_completion_quotes_odd_names(odd: Shell) -> None:
    def completed(text: str) -> list[str]:
        found = NameCompleter(odd).get_completions(Document(text), CompleteEvent())
        return [text[: len(text) + one.start_position] + one.text for one in found]

    assert 'from "a-b"' in completed("from a")
    assert completed('from "a') == ['from "a-b"', 'from "a.b"']
    assert completed('from "')[0] == 'from "a-b"'
    assert completed("select q") == ['select "q""q"']
