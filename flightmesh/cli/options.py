"""Options that several commands share, and the session that they describe."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flightmesh.cli import collector
from flightmesh.dataclass import dataclass

if TYPE_CHECKING:
    from flightmesh.config import Config
    from flightmesh.session import Session
    from flightmesh.session.remote import RemoteSession
    from flightmesh.setting_kinds import Role


class OutputFormat(enum.StrEnum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"
    ARROW = "arrow"
    PARQUET = "parquet"


Query = Annotated[
    str | None, typer.Argument(metavar="SQL", help="The statement, or - to read it from stdin.", show_default=False)
]
SqlFile = Annotated[Path | None, typer.Option("-f", "--file", metavar="FILE", help="Read the statement from a file.")]
Tables = Annotated[
    list[str] | None,
    typer.Option(
        "-r",
        "--register",
        metavar="NAME=PATH",
        help="A table: a file, folder, glob or s3:// URL under a name (with --driver: of the nodes). May be repeated.",
        show_default=False,
    ),
]
Dialect = Annotated[
    str | None,
    typer.Option("--dialect", metavar="NAME", help="The SQL dialect: duckdb, postgres, spark, ...", show_default=False),
]
Params = Annotated[
    list[str] | None,
    typer.Option("--param", metavar="NAME=VALUE", help="A value for :name. May be repeated.", show_default=False),
]
Threads = Annotated[
    int | None,
    typer.Option(
        "--threads", min=1, help="Tasks that compute at the same time.", show_default="cores", rich_help_panel="Engine"
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        "--memory", metavar="SIZE", help="Memory budget, such as 4GiB.", show_default="70 %", rich_help_panel="Engine"
    ),
]
Partitions = Annotated[
    int | None,
    typer.Option("--partitions", min=1, help="Tasks of a partitioned stage.", show_default="threads", rich_help_panel="Engine"),
]
ConfigFile = Annotated[
    Path | None,
    typer.Option("--config", metavar="FILE", help="Settings in YAML, as in configs/embedded.yaml.", rich_help_panel="Engine"),
]
Driver = Annotated[
    str | None,
    typer.Option(
        "--driver",
        metavar="HOST:PORT",
        envvar="FLIGHTMESH_DRIVER",
        help="The driver of a mesh, to run there instead of in this process.",
        show_default=False,
    ),
]
Mesh = Annotated[
    str | None,
    typer.Option(
        "--mesh",
        metavar="NAME",
        help="A mesh that is found on this network by its name, to run there.",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        help="A file that holds a client's token of that mesh.",
        show_default="on the driver's machine: its own",
    ),
]
ThroughDriver = Annotated[
    bool,
    typer.Option(
        "--through-driver", help="Rows come through the driver: for where the workers cannot be reached.", show_default=False
    ),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FILE", help="Write to a file; its ending tells the format.", show_default=False),
]
Format = Annotated[
    OutputFormat | None, typer.Option("--format", help="How rows are written.", show_default="table", case_sensitive=False)
]
MaxRows = Annotated[
    int | None,
    typer.Option(
        "--max-rows", min=0, help="Rows of a table that are shown; 0: all.", show_default="40 on a terminal, else all"
    ),
]


@dataclass(frozen=True, slots=True)
class Engine:
    """The settings of a session as they were given on the command line."""

    threads: int | None = None
    memory: str | None = None
    partitions: int | None = None
    config: Path | None = None
    driver: str | None = None
    mesh: str | None = None
    token_file: Path | None = None
    through_driver: bool = False


def open_session(engine: Engine, tables: list[str] | None) -> Session | RemoteSession:
    """A session with the registered tables: at a driver if one is named, by the command line, the environment or the file, or a
    mesh; else in this process."""
    from flightmesh.setting_kinds import Role

    config = _configured(engine, Role.CLIENT)
    address = engine.driver or config.node.driver or (config.node.mesh and f"mesh://{config.node.mesh}")
    if address is None:
        return open_here(engine, tables)
    named = [_split_table(text) for text in tables or ()]
    session = _at_driver(address, engine, config)
    for name, path in named:
        session.register(name, path)
    return session


def open_here(engine: Engine, tables: list[str] | None) -> Session:
    """The same, in this process."""
    named = [_split_table(text) for text in tables or ()]
    import flightmesh
    from flightmesh.setting_kinds import Role

    if engine.through_driver:
        raise typer.BadParameter("there is no driver: give one with --driver HOST:PORT", param_hint="--through-driver")
    with collector.paused():
        session = flightmesh.connect(config=_configured(engine, Role.EMBEDDED))
    for name, path in named:
        session.register(name, path)
    return session


def _at_driver(driver: str, engine: Engine, config: Config) -> RemoteSession:
    import flightmesh

    if engine.threads is not None:
        raise typer.BadParameter("the workers of a mesh have their own (worker --slots)", param_hint="--threads")
    with collector.paused():
        return flightmesh.connect(
            driver,
            config=config,
            token_file=None if driver.startswith("grpc://") else config.node.token_file,  # a mesh without TLS has no tokens
            results="through-driver" if engine.through_driver else None,
        )


def _configured(engine: Engine, role: Role) -> Config:
    """The settings of the command line, over those of the environment, over those of the file."""
    from flightmesh.cli.settings import settings_of
    from flightmesh.setting_kinds import Role

    flags: dict[str, object] = {"memory": engine.memory, "partitions": engine.partitions}
    if role is Role.EMBEDDED:
        return settings_of(role, engine.config, flags | {"threads": engine.threads})
    token_file = None if engine.token_file is None else str(engine.token_file)
    return settings_of(role, engine.config, flags | {"node.mesh": engine.mesh, "node.token_file": token_file})


def read_params(given: list[str] | None) -> dict[str, object] | None:
    """Values of `--param name=value`: whole numbers, decimals and booleans are what they look like, the rest is text."""
    if not given:
        return None
    return {name: _literal(text) for name, text in (_split_pair(pair, "--param", "floor=1000") for pair in given)}


def read_texts(given: list[str] | None) -> dict[str, object] | None:
    """Values of `--set name=value` as text: the plan's own types convert them."""
    return dict(_split_pair(pair, "--set", "month=7") for pair in given) if given else None


def read_statement(query: str | None, file: Path | None) -> str:
    """The SQL text of the command line: the argument, stdin for `-`, or the file."""
    import sys

    if (query is None) == (file is None):
        raise typer.BadParameter("give the statement as an argument, as - for stdin, or in a file with -f", param_hint="SQL")
    if file is not None:
        return file.read_text(encoding="utf-8")
    assert query is not None
    return sys.stdin.read() if query == "-" else query


def _split_table(text: str) -> tuple[str, str]:
    name, path = _split_pair(text, "-r", "orders=data/orders")
    if not path.strip():
        raise typer.BadParameter(f"{text!r} has no path, as in orders=data/orders", param_hint="-r")
    return name, path


def _split_pair(text: str, option: str, example: str) -> tuple[str, str]:
    """Name and value; the value may be empty."""
    name, equals, value = text.partition("=")
    if not (name.strip() and equals):
        raise typer.BadParameter(f"{text!r} is not NAME=VALUE, as in {example}", param_hint=option)
    return name.strip(), value


def _literal(text: str) -> object:
    import re
    from decimal import Decimal

    if re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if re.fullmatch(r"[+-]?\d*\.\d+", text):
        return Decimal(text)
    if re.fullmatch(r"[+-]?\d+(\.\d*)?[eE][+-]?\d+", text):
        return float(text)
    words: dict[str, object] = {"true": True, "false": False, "null": None}
    return words.get(text.lower(), text)
