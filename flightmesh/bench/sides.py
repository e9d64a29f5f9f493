"""The sides of a benchmark: this engine in its two forms, and the peers that it is measured beside.

Handed names as a person writes them; hands on sides. What always holds: a peer is pinned to a version, so that two runs of the
command compare the same engines; a name that is none is an error with the nearest that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field
from difflib import get_close_matches

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig

ARROW = "pyarrow>=26,<27"
SQLGLOT = "sqlglot>=30.30,<30.31"


@dataclass(frozen=True, slots=True)
class Side:
    """An engine to be measured. `requirements` are empty for this one, which runs in the environment of the command."""

    name: str
    what: str
    runner: str
    """A file in `peers`; of this engine the benchmark's own module."""
    requirements: tuple[str, ...] = ()
    options: dict[str, str] = field(default_factory=dict)
    program: str | None = None
    """What must be on the path."""
    unit: str = "threads"
    """What it has more of with more threads."""

    @property
    def is_ours(self) -> bool:
        """Whether it is this engine."""
        return not self.requirements


# The client is the newest that this Sail knows: sessions of the next one are refused.
_SAIL = ("pysail==0.7.2", "pyspark-client==4.2.0", ARROW, "pandas>=2.2,<3", SQLGLOT)

OURS = (
    Side("embedded", "flightmesh in one process", "", options={"engine": "embedded"}),
    Side(
        "mesh",
        "flightmesh, a driver and one-thread workers as processes",
        "",
        options={"engine": "mesh"},
        unit="one-thread workers",
    ),
    Side(
        "cached", "flightmesh in one process, with decoded columns in memory", "", options={"engine": "embedded", "keep": "yes"}
    ),
    Side(
        "mesh-cached",
        "flightmesh, a driver and one-thread workers as processes, with decoded columns in memory",
        "",
        options={"engine": "mesh", "keep": "yes"},
        unit="one-thread workers",
    ),
)
REFERENCE = Side(
    "duckdb",
    "DuckDB in one process",
    "run_duckdb.py",
    ("duckdb==1.5.5", "duckdb-extension-tpch==1.5.5", "duckdb-extension-tpcds==1.5.5", ARROW, SQLGLOT),
)
PEERS = (
    REFERENCE,
    Side("datafusion", "DataFusion in one process", "run_datafusion.py", ("datafusion==55.0.0", ARROW)),
    Side("polars", "Polars' SQL on its streaming engine", "run_polars.py", ("polars==2.1.0", ARROW)),
    Side("sail", "Sail in one process, asked by Spark Connect", "run_spark.py", _SAIL, {"engine": "sail"}),
    Side(
        "sail-cluster",
        "Sail as its local cluster, with workers",
        "run_spark.py",
        _SAIL,
        {"engine": "sail-cluster"},
        unit="workers",
    ),
    Side(
        "spark",
        "PySpark in local mode",
        "run_spark.py",
        ("pyspark==4.3.0", ARROW, "pandas>=2.2,<3", SQLGLOT),
        {"engine": "spark"},
        program="java",
    ),
)


def named(names: str, among: Sequence[Side], option: str) -> list[Side]:
    """The sides of a list of names with commas between them; none of an empty one. Raises InvalidConfig for an unknown name."""
    known = {side.name: side for side in among}
    chosen = dict.fromkeys(name.strip() for name in names.split(",") if name.strip())
    for name in chosen:
        if name not in known:
            near = get_close_matches(name.lower(), known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]}? " if near else ""
            raise InvalidConfig(f"{option}: {name!r} is not known", hint=f"{hint}there are {', '.join(known)}")
    return [known[name] for name in chosen]
