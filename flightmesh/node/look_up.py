"""What a worker says of the files that it sees: look-up, statistics, splits.

Handed the driver's questions; hands on answers, or raises as `catalog.open` does. What always holds: every path was checked
against the worker's roots before anything was read of it, those of served tables against what it serves.
"""

from __future__ import annotations

import os

from flightmesh.catalog.listing import find_files, linked_folders
from flightmesh.catalog.named_files import NamedFiles
from flightmesh.catalog.open import open_files
from flightmesh.catalog.scan import splits
from flightmesh.catalog.statistics import statistics
from flightmesh.catalog.storage import LOCAL
from flightmesh.catalog.table import FileTable, Storage, Table
from flightmesh.node.offers import Offers
from flightmesh.node.roots import Roots
from flightmesh.protocol.asking import AskStatistics, LookedUp, LookUp, NamedStatistics, Statistics
from flightmesh.protocol.node_messages import ListSplits, SplitList


def look_up(asked: LookUp, roots: Roots) -> LookedUp:
    """The table in the paths. Raises NotAllowed, or InvalidInput where there is none."""
    roots.check_paths(asked.paths)
    _check_links(asked.paths, roots)
    storage = None if asked.storage is None else Storage("s3", asked.storage)
    table = open_files(NamedFiles(asked.name, asked.paths, asked.format, asked.options, storage))
    roots.check_table(table)
    return LookedUp(table)


def collect_statistics(asked: AskStatistics, roots: Roots, offers: Offers) -> Statistics:
    """What the files' own footers say. Raises NotAllowed; InputChanged where they are not those of the table any more."""
    found = statistics(_readable(asked.table, roots, offers))
    columns = tuple(NamedStatistics(name, found.columns[name]) for name in asked.columns if name in found.columns)
    return Statistics(found.rows, found.bytes, columns)


def list_splits(asked: ListSplits, roots: Roots, offers: Offers) -> SplitList:
    """The splits of a scan, pruned by its filters. Raises NotAllowed."""
    scan = asked.scan
    return SplitList(splits(_readable(scan.table, roots, offers), scan.filters, scan.columns, scan.promise))


def _readable(table: Table, roots: Roots, offers: Offers) -> Table:
    """The table as it is read here."""
    if isinstance(table, FileTable) and table.is_served:
        return offers.localise(table)
    roots.check_table(table)
    return table


def _check_links(paths: tuple[str, ...], roots: Roots) -> None:
    """A link inside a root may lead outside it: folders are checked before they are listed, files before they are opened."""
    if roots.is_everything:
        return
    # As they will be opened: `..` after a link is the folder that the link is in.
    local = [os.path.normpath(path.removeprefix("file://")) for path in paths if not path.startswith(("s3://", "s3a://"))]
    for path in local:
        for link in linked_folders(path):
            roots.check_paths([link])
    roots.check_paths([found.path for found in find_files(LOCAL, local)])
