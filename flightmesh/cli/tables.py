"""`flightmesh tables`: the tables and views of a mesh, how large they are and where they lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flightmesh.cli.asking import Driver, DriverAt, MeshOption, TokenFile
from flightmesh.cli.guard import guarded
from flightmesh.cli.listing import Column, Format, ListingFormat, number, write_json, write_rows

if TYPE_CHECKING:
    from flightmesh.protocol.client_messages import TableListing, TablePlace

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh tables --driver 127.0.0.1:8815[/cyan]

[cyan]FLIGHTMESH_DRIVER=127.0.0.1:8815 flightmesh tables --format json | jq .places[/cyan]
"""

_COLUMNS = (Column("NAME"), Column("KIND"), number("ROWS"), number("SIZE"), Column("LIES AT"))


@guarded
def command(
    driver: Driver = None, mesh: MeshOption = None, token_file: TokenFile = None, format: Format = ListingFormat.TABLE
) -> None:
    """List the tables and views of a mesh: registered ones, those in its memory, and those that its nodes serve."""
    from flightmesh.protocol.client_messages import Tables

    with DriverAt(driver, mesh, token_file) as asked:
        tables = asked.ask("tables", None, Tables).tables
    if format is ListingFormat.JSON:
        write_json(tables)
        return
    write_rows(_COLUMNS, [_row(table) for table in tables])


def _row(table: TableListing) -> list[str]:
    from flightmesh.cli.progress import size_text

    rows = "" if table.rows is None else f"{table.rows:,}"
    size = "" if table.bytes is None else size_text(table.bytes)
    where = "every node" if table.kind == "files" else ", ".join(_place(place) for place in table.places)
    return [table.name, table.kind, rows, size, where]


def _place(place: TablePlace) -> str:
    """A node, and what people have to know of it beside that it has a part."""
    notes = [note for note in ("replica" if place.copy == "replica" else "", place.error) if note]
    return f"{place.node} ({', '.join(notes)})" if notes else place.node
