"""At which of its holders each file of a table that nodes serve is asked about.

Handed a table and the workers that are there; hands on the files of each. What always holds: every file is in one part; a file
that nobody is left to serve raises WorkerLost, which names the nodes that did and the table.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import replace

from flightmesh.catalog.table import FileSplit, FileTable, Holder, Split
from flightmesh.dataclass import dataclass
from flightmesh.errors import WorkerLost

COME_BACK = "start that node again; with replicas on others (--serve-replica) queries would go on"


@dataclass(frozen=True, slots=True)
class Part:
    """Files of a table, by their numbers, that one holder is asked about."""

    table: FileTable
    holder: Holder
    numbers: tuple[int, ...]

    @property
    def alone(self) -> FileTable:
        """The table as if it had no other files."""
        return replace(self.table, files=tuple(self.table.files[number] for number in self.numbers), holders=(self.holder,))

    def of_whole(self, split: Split) -> FileSplit:
        """A split of `alone` as one of the whole table, with all who serve its file."""
        assert isinstance(split, FileSplit), "what nodes serve is in files"
        number = self.numbers[split.file]
        return replace(split, file=number, holders=self.table.files[number].holders)


def parts_of(table: FileTable, there: Container[str]) -> tuple[Part, ...]:
    """The files of a table, each at a holder that is there: those that several serve are spread over them."""
    holders = {holder.worker: holder for holder in table.holders}
    numbers: dict[str, list[int]] = {}
    for number, file in enumerate(table.files):
        left = [worker for worker in file.holders if worker in there and worker in holders]
        if not left:
            raise _lost(table, file.holders, holders)
        numbers.setdefault(min(left, key=lambda worker: len(numbers.get(worker, ()))), []).append(number)
    return tuple(Part(table, holders[worker], tuple(found)) for worker, found in numbers.items())


def _lost(table: FileTable, gone: tuple[str, ...], holders: dict[str, Holder]) -> WorkerLost:
    names = " and ".join(f"{holders[worker].name} ({worker})" if worker in holders else worker for worker in gone)
    return WorkerLost(
        f"{names}, which this mesh has lost, served files of table {table.name} that nobody else does", hint=COME_BACK
    )
