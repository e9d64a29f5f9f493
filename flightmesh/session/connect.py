"""Opens a session, in this process or at the driver of a mesh: configuration from arguments and a file, arguments first."""

from __future__ import annotations

import enum
import os
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, overload

from flightmesh.config import Config, parse_size
from flightmesh.errors import InvalidConfig
from flightmesh.session.session import Session

if TYPE_CHECKING:
    from flightmesh.protocol.client_messages import Run
    from flightmesh.session.remote import RemoteSession

Choice = TypeVar("Choice", bound=enum.Enum)
_HERE_ONLY = ("threads", "morsel_rows", "encode_messages", "planner", "exchange", "mesh")
"""Settings of whoever runs the queries: on a mesh, its nodes."""


@overload
def connect(
    address: None = None,
    *,
    threads: int | None = None,
    memory: int | str | None = None,
    config: Config | str | os.PathLike[str] | None = None,
) -> Session: ...


@overload
def connect(
    address: str,
    *,
    threads: int | None = None,
    memory: int | str | None = None,
    config: Config | str | os.PathLike[str] | None = None,
    token: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    results: str | None = None,
    delivery: str | None = None,
) -> RemoteSession: ...


def connect(
    address: str | None = None,
    *,
    threads: int | None = None,
    memory: int | str | None = None,
    config: Config | str | os.PathLike[str] | None = None,
    token: str | None = None,
    token_file: str | os.PathLike[str] | None = None,
    results: str | None = None,
    delivery: str | None = None,
) -> Session | RemoteSession:
    """A session in this process, without a server or a socket; with an `address`, at the driver of a mesh.

    `address`: of a driver, as `grpc+tls://host:port`, or `grpc://host:port` for a mesh without TLS; `mesh://NAME` is the mesh
    of that name on this network, `mesh://` the only one. `token`, `token_file`: a client's token, as text or in a file; without
    either FLIGHTMESH_TOKEN and FLIGHTMESH_TOKEN_FILE count, and on the driver's machine its own user needs none. `threads`:
    tasks that compute at the same time (default: the cores).
    `memory`: the budget, in bytes or as "4GB" (default: 70 % of the machine's); at a mesh, for results gathered in this
    process. `config`: a Config or the path of a configuration file; the other arguments go before it; at a mesh only its
    memory, dialect and partitions may be set. `results`: where rows come from, "workers" (the default) or "through-driver", for
    whoever reaches nobody else; `delivery`: "streamed" (the default), or "complete": no row before all are there. Raises
    InvalidConfig, NodeUnavailable when no driver answers, Unauthenticated and NotTrusted when it may not be used.
    """
    chosen = _config(config)
    if memory is not None:
        chosen = replace(chosen, memory=_bytes(memory))
    if address is not None:
        return _remote(address, chosen, threads, _how(results, delivery), _token(token, token_file))
    if any(given is not None for given in (results, delivery, token, token_file)):
        raise InvalidConfig(
            "results, delivery, token and token_file are for sessions at a mesh", hint='connect("grpc+tls://host:port", ...)'
        )
    if chosen.node.driver is not None or chosen.node.mesh is not None:
        where = chosen.node.driver or f"mesh://{chosen.node.mesh}"
        raise InvalidConfig("a session at a mesh is opened by its address", hint=f"connect({where!r}, config=...)")
    if threads is not None:
        chosen = replace(chosen, threads=threads)
    if isinstance(chosen.threads, bool) or not isinstance(chosen.threads, int) or chosen.threads < 1:
        raise InvalidConfig(f"threads must be a whole number of at least 1, not {chosen.threads!r}")
    return Session(chosen)


def _remote(address: str, config: Config, threads: int | None, how: Run, token: str | None) -> RemoteSession:
    from flightmesh.protocol.client_messages import OpenSession
    from flightmesh.session.remote import RemoteSession  # who runs queries in this process need not wait for Flight to load

    usual = Config()
    names = (field.name for field in fields(Config) if field.name in _HERE_ONLY)
    wrong = "threads" if threads is not None else next((n for n in names if getattr(config, n) != getattr(usual, n)), None)
    if wrong is not None:
        raise InvalidConfig(
            f"{wrong} is a setting of the nodes of a mesh, not of its clients",
            hint="set it where the driver and its workers are started (--config FILE)",
        )
    dialect = None if config.dialect == usual.dialect else config.dialect
    return RemoteSession(address, config, OpenSession(dialect, config.partitions), how, token)


def _how(results: str | None, delivery: str | None) -> Run:
    """How rows are to come."""
    from flightmesh.protocol.client_messages import Delivery, Route, Run

    return Run(
        results=_named(Route, results, Route.WORKERS, "results"),
        delivery=_named(Delivery, delivery, Delivery.STREAMED, "delivery"),
    )


def _token(token: str | None, file: str | os.PathLike[str] | None) -> str | None:
    """The token that was given, as text or in a file."""
    if file is None:
        return token
    if token is not None:
        raise InvalidConfig("give token or token_file, not both")
    from flightmesh.session.driver_access import token_in

    return token_in(Path(file))


def _named(kind: type[Choice], name: str | None, usual: Choice, option: str) -> Choice:
    """The member of an enumeration that an option names."""
    if name is None:
        return usual
    try:
        return kind(name)
    except ValueError:
        known = " or ".join(repr(member.value) for member in kind)
        raise InvalidConfig(f"{option} is {known}, not {name!r}") from None


def _config(config: Config | str | os.PathLike[str] | None) -> Config:
    if config is None:
        return Config()
    if isinstance(config, Config):
        return config
    from flightmesh.settings import load  # reading YAML costs time that a session without a file need not spend

    if not isinstance(config, str | os.PathLike):
        raise InvalidConfig(f"config is a Config or the path of a file, not {config!r}")
    return load(os.fspath(config))


def _bytes(memory: int | str) -> int:
    if isinstance(memory, bool) or not isinstance(memory, int | str):
        raise InvalidConfig(f"memory is a number of bytes, or a text such as 4GiB, not {memory!r}")
    try:
        size = parse_size(memory)
    except ValueError as error:
        raise InvalidConfig(str(error)) from None
    if size < 1:
        raise InvalidConfig(f"memory must be at least 1 byte, not {size}")
    return size
