"""The runner of this engine: embedded, or at a mesh of processes that it starts. `python -m flightmesh.bench.own OPTIONS`.

Speaks as every runner does (peers/protocol.py), and tells of each run what the engine knows: seconds of planning, bytes that
went from stage to stage and how many of them from worker to worker, bytes spilled.
"""

from __future__ import annotations

from contextlib import ExitStack
from time import perf_counter
from typing import Any

import pyarrow as pa

import flightmesh
from flightmesh.bench.nodes import Nodes
from flightmesh.bench.peers.protocol import serve
from flightmesh.config import Config
from flightmesh.driver.record import JobRecord
from flightmesh.runtime.machine import memory_limit
from flightmesh.session.figures import SPILLED

KEPT_SHARE = 3
"""Which part of the budget decoded columns may take, where they are kept."""


class Own:
    """A session here or at a mesh of its own."""

    version = flightmesh.__version__

    def __init__(self, options: dict[str, Any]) -> None:
        self._ends = ExitStack()
        self._last: tuple[Any, float] | None = None
        kept = memory_limit() // KEPT_SHARE if options.get("keep") else 0
        try:
            if options["engine"] == "mesh":
                nodes = Nodes(self._ends, _settings(kept // options["threads"]))
                uri = nodes.driver()
                nodes.workers(uri, options["threads"], options["scratch"])
                self._session: Any = self._ends.enter_context(flightmesh.connect(uri))
            else:
                self._session = self._ends.enter_context(
                    flightmesh.connect(config=Config(options["threads"], column_cache=kept))
                )
        except BaseException:
            self._ends.close()
            raise

    def load(self, tables: dict[str, str]) -> None:
        """Registers the files."""
        for name, path in tables.items():
            self._session.register(name, path)

    def run(self, sql: str) -> pa.Table:
        """To Arrow."""
        self._last = None  # its rows are not to lie in memory while others come
        start = perf_counter()
        result = self._session.sql(sql)
        planned = perf_counter() - start
        rows = result.to_arrow()
        self._last = result, planned
        return rows

    def figures(self) -> dict[str, float]:
        """What the engine knows of the last run. Asked for after it, as a mesh has to fetch it from its driver."""
        assert self._last is not None, "figures are of a run"
        result, planned = self._last
        return {"planning": planned, **exchanged(result.metrics)}

    def close(self) -> None:
        """Ends the session and the mesh."""
        self._ends.close()


def _settings(kept: int) -> dict[str, str]:
    """Those of nodes whose workers keep so many bytes of columns, as variables."""
    return {"FLIGHTMESH_COLUMN_CACHE": str(kept), "FLIGHTMESH_MESH_SPLIT_AFFINITY": "true"} if kept else {}


def exchanged(record: JobRecord | None) -> dict[str, float]:
    """Rows and bytes that went from stage to stage, bytes of them that went from worker to worker, and bytes spilled. `record`
    is None for a result that needed no job."""
    if record is None:
        return {"rows": 0, "exchanged": 0, "remote": 0, "spilled": 0}
    inner = {edge.edge for edge in record.edges if edge.consumer is not None}
    tasks = [task for stage in record.stages for task in stage.tasks]
    operators = [operator for task in tasks for operator in task.operators]
    moved = [written for task in tasks for written in task.written if written.edge in inner]
    return {
        "rows": sum(sum(written.rows) for written in moved),
        "exchanged": sum(sum(written.bytes) for written in moved),
        "remote": sum(operator.detail("remote_bytes") for operator in operators),
        "spilled": sum(operator.detail(SPILLED) for operator in operators),
    }


def main() -> None:
    """Serves until the command is gone."""
    serve(Own)


if __name__ == "__main__":
    main()
