"""`flightmesh sql`: runs statements and writes the rows of the last one that has any."""

from __future__ import annotations

from functools import partial

from flightmesh.cli import options
from flightmesh.cli.guard import guarded
from flightmesh.cli.options import Engine, OutputFormat, open_session, read_params, read_statement
from flightmesh.cli.output import choose_target, write_lines, write_result
from flightmesh.cli.profiling import ProfileOption, write_profile_of
from flightmesh.cli.statements import is_explain, split_statements

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh sql "select count(*) from 'data/*.parquet'"[/cyan]

[cyan]flightmesh sql "select * from o where total > :floor" -r o=data/orders --param floor=1000[/cyan]

[cyan]flightmesh sql -f report.sql -r orders=data/orders -o report.parquet[/cyan]

[cyan]cat report.sql | flightmesh sql - -r orders=data/orders --format csv | head[/cyan]

[cyan]flightmesh sql -f report.sql -r orders=data/orders --profile slow[/cyan]   and open slow/trace.json in ui.perfetto.dev

[cyan]flightmesh sql --driver 192.168.1.7:8815 "select count(*) from '/data/orders/*.parquet'"[/cyan]
"""


@guarded
def command(
    query: options.Query = None,
    file: options.SqlFile = None,
    register: options.Tables = None,
    format: options.Format = None,
    output: options.Output = None,
    max_rows: options.MaxRows = None,
    dialect: options.Dialect = None,
    param: options.Params = None,
    threads: options.Threads = None,
    memory: options.Memory = None,
    partitions: options.Partitions = None,
    config: options.ConfigFile = None,
    driver: options.Driver = None,
    mesh: options.Mesh = None,
    token_file: options.TokenFile = None,
    through_driver: options.ThroughDriver = False,
    profile: ProfileOption = None,
) -> None:
    """Run SQL over files and print or save the rows.

    Tables are registered with -r, or named in the query: from 'data/*.parquet', read_csv('file.csv').
    With --driver the query runs on a mesh, and paths are those of its nodes.
    Several statements are separated by semicolons; the rows of the last one are written.
    """
    target = choose_target(format, output, max_rows)
    statements = split_statements(read_statement(query, file))
    params = read_params(param)
    with open_session(
        Engine(threads, memory, partitions, config, driver, mesh, token_file, through_driver), register
    ) as session:
        for number, statement in enumerate(statements, 1):
            result = session.sql(statement.text, dialect=dialect, params=params)
            if number < len(statements) or not result.schema.names:
                result.to_arrow()
            elif is_explain(statement.text) and target.path is None and target.format is OutputFormat.TABLE:
                write_lines(result)
            else:
                write_result(result, target)
            if profile is not None and number == len(statements):
                write_profile_of(result, profile, partial(session.explain, statement.text, "stages", dialect, params))
