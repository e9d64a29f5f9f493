"""`flightmesh shell`: statements and dot commands, one after the other, from a terminal or a pipe.

On a terminal an error is shown and the next statement awaited; from a pipe it ends the shell with an exit code.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from flightmesh.cli import options
from flightmesh.cli.guard import guarded, report, report_cancelled
from flightmesh.cli.options import Engine, open_session

if TYPE_CHECKING:
    from flightmesh.cli.shell_state import Shell

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh shell -r orders=data/orders -r 'flights=data/flights/*.parquet'[/cyan]

[cyan]flightmesh shell < statements.sql[/cyan]
"""


@guarded
def command(
    register: options.Tables = None,
    dialect: options.Dialect = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
    partitions: options.Partitions = None,
    config: options.ConfigFile = None,
    driver: options.Driver = None,
    mesh: options.Mesh = None,
    token_file: options.TokenFile = None,
) -> None:
    """Type SQL and see the rows: line editing, history, statements over several lines, completion, timings.

    A statement ends with a semicolon. .help lists the commands of the shell. Ctrl-C cancels a running query, Ctrl-D leaves.
    """
    from flightmesh.cli.shell_state import Shell

    with open_session(Engine(threads, memory, partitions, config, driver, mesh, token_file), register) as session:
        shell = Shell(session, dialect)
        if sys.stdin.isatty():
            _converse(shell)
        else:
            shell.run_script(sys.stdin.read())


def _converse(shell: Shell) -> None:
    """Reads from the terminal until the user leaves."""
    import flightmesh
    from flightmesh.cli.shell_input import Prompt

    print(f"flightmesh {flightmesh.__version__}. SQL ends with a semicolon; .help lists commands, .quit leaves.")
    prompt = Prompt(shell)
    while not shell.left:
        try:
            text = prompt.read()
        except KeyboardInterrupt:
            continue
        except EOFError:
            return
        try:
            shell.run_script(text)
        except KeyboardInterrupt:
            report_cancelled()
        except Exception as failure:
            report(failure)
