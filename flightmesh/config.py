"""The one configuration: frozen, parsed once, handed down. Sizes are bytes, times seconds.

These fields, with their kinds and docstrings, are the single source of what a setting is: `settings` reads files, variables
and flags by them, and writes the documents. `configs/` has an annotated file for each role.
"""

from __future__ import annotations

import os
from dataclasses import field
from typing import Annotated

from flightmesh.cgroup import core_limit
from flightmesh.dataclass import dataclass
from flightmesh.setting_kinds import (
    ADDRESS,
    COUNT,
    HOST,
    HOST_MAYBE_PORT,
    HOURS,
    INTERFACE,
    MESH_NAME,
    NODE_NAME,
    PATH,
    PORT,
    SECONDS,
    SERVED,
    SIZE,
    SIZE_OR_NOTHING,
    SWITCH,
    TEXT,
    TOKEN_FILE,
    Role,
    Setting,
    listed,
    on,
    word,
)
from flightmesh.setting_kinds import parse_size as parse_size

MIB = 1024 * 1024
DRIVER, WORKER, EMBEDDED, CLIENT = Role.DRIVER, Role.WORKER, Role.EMBEDDED, Role.CLIENT


def available_cores() -> int:
    """Cores this process may run on, or the CPU time that its container is given, in cores, if that is less."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(cores, core_limit() or cores)


@dataclass(frozen=True, slots=True)
class PlannerConfig:
    """What the optimizer and the physical planner may choose."""

    broadcast_bytes: Annotated[int, Setting(SIZE, on(DRIVER, EMBEDDED))] = 64 * MIB
    """Largest estimated build side of a join that is sent to every task; a larger one is partitioned by hash. Where builds are
    shared (`share_builds`) there is no limit."""
    share_builds: Annotated[bool, Setting(SWITCH, on(EMBEDDED))] = True
    """Inside one process all tasks probe one build of a join, and the other side is not moved."""
    join_search_relations: Annotated[int, Setting(COUNT, on(DRIVER, EMBEDDED))] = 10
    """Joins of up to this many relations are put in order by trying all orders; larger ones greedily."""
    buckets_per_task: Annotated[int, Setting(COUNT, on(DRIVER, EMBEDDED))] = 4
    """Pieces that an exchange writes for each task that reads it. More even out skewed keys."""
    dynamic_filters: Annotated[bool, Setting(SWITCH, on(DRIVER, EMBEDDED))] = True
    """The keys of a join's build side filter the scans on its other side, where few rows are expected to have a partner."""
    plan_cache: Annotated[int, Setting(SIZE_OR_NOTHING, on(DRIVER, EMBEDDED))] = 64 * MIB
    """Bytes of plans that are kept for statements that come again; those used longest ago go first. 0: none are kept, and every
    statement is planned anew."""
    recursion_turns: Annotated[int, Setting(COUNT, on(DRIVER, EMBEDDED))] = 100_000
    """Turns that WITH RECURSIVE may take; a query that has not ended by then ends with an error that says so."""


@dataclass(frozen=True, slots=True)
class ExchangeConfig:
    """How rows wait between the stages of a query, and how they move between nodes."""

    mode: Annotated[str, Setting(word("get", "put"), on(DRIVER))] = "get"
    """Who moves rows between workers: `get` (readers take them) or `put` (writers bring them)."""
    memory: Annotated[int | None, Setting(SIZE, on(WORKER, EMBEDDED))] = None
    """Bytes that channels may hold in memory; past it they are written to disk. null: half of the budget."""
    disk: Annotated[int | None, Setting(SIZE_OR_NOTHING, on(WORKER, flag="--disk") | on(EMBEDDED))] = None
    """Bytes that may lie on disk; past it the query ends with an error that says so. 0: nothing is written to disk. null: half
    of what is free on the disk at start."""
    directory: Annotated[str | None, Setting(PATH, on(WORKER, flag="--spill-dir") | on(EMBEDDED))] = None
    """Where spill files lie. A process's own go when it ends; what a killed one left goes at the next start. null: the system's
    folder for temporary files."""
    window: Annotated[int, Setting(SIZE, on(DRIVER, WORKER))] = 8 * MIB
    """Bytes of one stream between two nodes that may be under way: unread at the receiver, or not acknowledged."""


@dataclass(frozen=True, slots=True)
class MeshConfig:
    """What the nodes of a mesh agree on; the driver's values count."""

    heartbeat_seconds: Annotated[float, Setting(SECONDS, on(DRIVER))] = 0.5
    """How often a worker says that it is alive."""
    silent_seconds: Annotated[float, Setting(SECONDS, on(DRIVER))] = 1.5
    """A worker silent for so long is asked; one where nobody listens any more is lost at once."""
    lost_seconds: Annotated[float, Setting(SECONDS, on(DRIVER))] = 4.0
    """A worker silent for so long is lost: its tasks run elsewhere or their jobs end, and it registers anew when it comes
    back."""
    split_affinity: Annotated[bool, Setting(SWITCH, on(DRIVER))] = False
    """Each part of a file is given to the same worker each time, unless that one is busy and another has nothing to do: for
    workers that keep columns (`column_cache`)."""
    running_jobs: Annotated[int, Setting(COUNT, on(DRIVER))] = 16
    """Queries that run side by side; more of them wait in order."""
    queued_jobs: Annotated[int, Setting(COUNT, on(DRIVER))] = 1000
    """Queries that may wait; more are refused."""
    result_seconds: Annotated[float, Setting(SECONDS, on(DRIVER))] = 300.0
    """How long a result that nobody reads is kept."""
    session_seconds: Annotated[float, Setting(SECONDS, on(DRIVER))] = 1800.0
    """How long a session stays without a call: then its views and temporary tables go."""
    history: Annotated[int, Setting(COUNT, on(DRIVER))] = 200
    """How many finished queries the driver remembers."""
    call_seconds: Annotated[float, Setting(SECONDS, on(DRIVER, WORKER))] = 20.0
    """The deadline of a call between nodes."""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What one node is, where it is reached, how it finds its mesh, and what it lends."""

    name: Annotated[str | None, Setting(NODE_NAME, on(WORKER, flag="--name"))] = None
    """What people call the worker, in lists and logs. null: as its machine is called."""
    mesh: Annotated[str | None, Setting(MESH_NAME, on(DRIVER, WORKER, CLIENT, flag="--mesh"), "FLIGHTMESH_MESH")] = None
    """The mesh: which one a driver makes, a worker joins and a client looks for. null: a driver makes `flightmesh`, the others
    take the one that their token is of, or the only one that they find."""
    listen: Annotated[str | None, Setting(HOST_MAYBE_PORT, on(DRIVER, WORKER, flag="--listen"))] = None
    """The address that both listeners are bound to. null: every address of the machine; without TLS 127.0.0.1."""
    port: Annotated[int | None, Setting(PORT, on(DRIVER, WORKER, flag="--port"))] = None
    """The port for clients; 0: any free one. null: 8815 for a driver; 8817 for a worker, or any free one where that is
    taken."""
    peer_port: Annotated[int | None, Setting(PORT, on(DRIVER, WORKER, flag="--peer-port"))] = None
    """The port for other nodes (mutual TLS); 0: any free one. null: 8816 for a driver; 8818 for a worker, or any free one where
    that is taken."""
    advertise: Annotated[tuple[str, ...], Setting(listed(HOST), on(DRIVER, WORKER, flag="--advertise"))] = ()
    """Addresses and names that others reach the node by, where they are not the machine's own (behind NAT, in a VPN, in a
    container); the first is told to clients. They stand in its certificate."""
    state: Annotated[str | None, Setting(PATH, on(DRIVER, flag="--state"))] = None
    """The folder that keeps the mesh's certificate authority and tokens. null: $STATE_DIRECTORY (systemd sets it), else
    $XDG_STATE_HOME/flightmesh, else ~/.local/state/flightmesh."""
    driver: Annotated[str | None, Setting(ADDRESS, on(WORKER, CLIENT, flag="--driver"), "FLIGHTMESH_DRIVER")] = None
    """Where the driver is, as HOST:PORT. null: a worker looks for it among the peers, by the DNS name and by mDNS; the commands
    sql, run, explain and shell stay in their own process, unless a mesh is named."""
    peers: Annotated[tuple[str, ...], Setting(listed(ADDRESS), on(WORKER))] = ()
    """Addresses HOST:PORT where a driver may be: each is tried in turn, for networks without multicast."""
    dns: Annotated[str | None, Setting(HOST_MAYBE_PORT, on(WORKER))] = None
    """A DNS name whose addresses are those of drivers (a headless service), as NAME or NAME:PORT."""
    mdns: Annotated[bool, Setting(SWITCH, on(DRIVER, WORKER, flag="--no-mdns"))] = True
    """Announce the node, and look for others, by multicast DNS on the LAN."""
    interfaces: Annotated[tuple[str, ...], Setting(listed(INTERFACE), on(DRIVER, WORKER))] = ()
    """Network interfaces, by name or address, that mDNS uses and whose addresses are announced. Empty: all that are up
    but loopback, a LAN's before a VPN's. Clients that look for a mesh heed the variable, too."""
    token_file: Annotated[str | None, Setting(TOKEN_FILE, on(WORKER, CLIENT, flag="--token-file"), "FLIGHTMESH_TOKEN_FILE")] = (
        None
    )
    """A file that holds the token. null: the variable FLIGHTMESH_TOKEN, --token, the state of a driver on this machine, or a
    question on the terminal."""
    insecure: Annotated[bool, Setting(SWITCH, on(DRIVER, WORKER, flag="--insecure"))] = False
    """No TLS and no tokens: only for a laboratory that everybody on the network is trusted in."""
    serve: Annotated[tuple[str, ...], Setting(listed(SERVED), on(WORKER, flag="--serve"))] = ()
    """Tables NAME=PATH that the node offers from its own disks. The same name on several nodes is one table, their union."""
    serve_replicas: Annotated[tuple[str, ...], Setting(listed(SERVED), on(WORKER, flag="--serve-replica"))] = ()
    """Tables NAME=PATH of which every node that names them holds a whole copy."""
    allow_roots: Annotated[tuple[str, ...], Setting(listed(PATH), on(DRIVER, WORKER, flag="--allow-root"))] = ()
    """Folders, or s3://bucket/prefix, that queries may read by path. Empty: none, or all where the node listens at 127.0.0.1
    alone."""
    certificate_hours: Annotated[float, Setting(HOURS, on(DRIVER))] = 24.0
    """Lifetime of the certificates that the driver gives to nodes; they are renewed before it ends."""


@dataclass(frozen=True, slots=True)
class Config:
    """Settings of an embedded session, and of a node."""

    threads: Annotated[int, Setting(COUNT, on(EMBEDDED, flag="--threads") | on(WORKER, flag="--slots"))] = field(
        default_factory=available_cores
    )
    """Slots: tasks that compute at the same time. Left out: one for each core this process may use."""
    partitions: Annotated[int | None, Setting(COUNT, on(EMBEDDED, CLIENT, flag="--partitions") | on(DRIVER))] = None
    """Tasks that a partitioned stage is cut into: scans, joins, groupings. null: as many as there are slots."""
    memory: Annotated[int | None, Setting(SIZE, on(EMBEDDED, WORKER, CLIENT, flag="--memory") | on(DRIVER))] = None
    """Budget for what joins, groupings, sorts, channels, gathered results and created tables hold in this process. Past it rows
    spill, or the query ends with an error that says so. null: 70 % of the machine's memory."""
    morsel_rows: Annotated[int, Setting(COUNT, on(EMBEDDED, WORKER))] = 131_072
    """Rows in one record batch on its way through a task. Larger batches cost less per row, and more memory per task."""
    column_cache: Annotated[int, Setting(SIZE_OR_NOTHING, on(EMBEDDED, WORKER))] = 0
    """Bytes of decoded columns of Parquet files that are kept for the next query, within the budget: tables that are asked
    again and again are not decoded each time. Joins, groupings and sorts that need the room get it. 0: none."""
    idle_seconds: Annotated[float, Setting(SECONDS, on(EMBEDDED, WORKER))] = 60.0
    """How long what a query leaves is kept for the next one: threads, the files they have open, and memory that they have
    freed."""
    dialect: Annotated[str, Setting(TEXT, on(EMBEDDED, CLIENT, flag="--dialect") | on(DRIVER))] = "duckdb"
    """How SQL is read, where a statement does not say: any dialect of sqlglot (duckdb, postgres, spark, snowflake, bigquery,
    ...). It also decides where NULLs sort and what the division of integers gives."""
    encode_messages: Annotated[bool, Setting(SWITCH, on(EMBEDDED))] = False
    """Send every plan and message of the in-process transport through the codec of the wire, as a mesh does (tests do)."""
    planner: PlannerConfig = field(default_factory=PlannerConfig)
    exchange: ExchangeConfig = field(default_factory=ExchangeConfig)
    mesh: MeshConfig = field(default_factory=MeshConfig)
    node: NodeConfig = field(default_factory=NodeConfig)

    @property
    def tasks(self) -> int:
        """Tasks of a partitioned stage."""
        return self.partitions or self.threads
