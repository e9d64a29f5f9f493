"""Opens a session: configuration from arguments and a file, arguments first."""

from __future__ import annotations

import os
from dataclasses import replace

from flightmesh.config import Config, parse_size
from flightmesh.errors import InvalidConfig
from flightmesh.session.session import Session


def connect(
    *, threads: int | None = None, memory: int | str | None = None, config: Config | str | os.PathLike[str] | None = None
) -> Session:
    """A session in this process, without a server or a socket.

    `threads`: tasks that compute at the same time (default: the cores). `memory`: the budget, in bytes or as "4GB"
    (default: 70 % of the machine's). `config`: a Config or the path of a configuration file; the other arguments go before
    it. Raises InvalidConfig.
    """
    chosen = _config(config)
    if threads is not None:
        chosen = replace(chosen, threads=threads)
    if isinstance(chosen.threads, bool) or not isinstance(chosen.threads, int) or chosen.threads < 1:
        raise InvalidConfig(f"threads must be a whole number of at least 1, not {chosen.threads!r}")
    if memory is not None:
        chosen = replace(chosen, memory=_bytes(memory))
    return Session(chosen)


def _config(config: Config | str | os.PathLike[str] | None) -> Config:
    if config is None:
        return Config()
    if isinstance(config, Config):
        return config
    from flightmesh.config_file import load  # reading YAML costs time that a session without a file need not spend

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
