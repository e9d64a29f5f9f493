"""`flightmesh nodes`: the nodes of a mesh and what they carry."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flightmesh.cli.asking import Driver, DriverAt, MeshOption, TokenFile
from flightmesh.cli.guard import guarded
from flightmesh.cli.listing import Column, Format, ListingFormat, number, span, write_json, write_rows

if TYPE_CHECKING:
    from flightmesh.protocol.client_messages import NodeStatus

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh nodes --driver 127.0.0.1:8815[/cyan]

[cyan]FLIGHTMESH_DRIVER=127.0.0.1:8815 flightmesh nodes --format json | jq .name[/cyan]
"""

_COLUMNS = (
    Column("NAME"),
    Column("ROLE"),
    Column("STATE"),
    Column("ID"),
    Column("CLIENTS AT"),
    number("SLOTS"),
    number("FREE"),
    number("TASKS"),
    number("CPU"),
    number("RSS"),
    number("EXCHANGE"),
    number("SPILLED"),
    number("STREAMS"),
    number("SEEN"),
)
_THERE = ("alive", "draining")


@guarded
def command(
    driver: Driver = None, mesh: MeshOption = None, token_file: TokenFile = None, format: Format = ListingFormat.TABLE
) -> None:
    """List the nodes of a mesh: the driver, its workers, and workers that are lately gone."""
    from flightmesh.protocol.client_messages import Nodes

    with DriverAt(driver, mesh, token_file) as asked:
        nodes = asked.ask("nodes", None, Nodes).nodes
    if format is ListingFormat.JSON:
        write_json(nodes)
        return
    write_rows(_COLUMNS, [_row(node) for node in nodes])


def _row(node: NodeStatus) -> list[str]:
    from flightmesh.cli.progress import size_text

    load = node.load if node.state in _THERE else None  # what a node that is gone carried last, it carries no more
    carried = ["", "", "", "", "", "", ""]
    if load is not None:
        tasks = [str(load.free_slots), str(load.running_tasks)] if node.slots else ["", ""]
        rows = [size_text(load.exchange_bytes), size_text(load.spilled_bytes)] if node.slots else ["", ""]
        carried = [*tasks, f"{load.cpu:.1f}", size_text(load.rss), *rows, str(load.streams)]
    slots = str(node.slots) if node.slots else ""
    return [node.name, node.role, node.state, node.id, node.client, slots, *carried, f"{span(node.seen)} ago"]
