"""A token for a command that joins a mesh: where it may come from.

Handed what the command line says; hands on the token's text. What always holds: a token never has to stand on a command line,
where other users of the machine see it; what is typed at a prompt is not shown.
"""

from __future__ import annotations

import getpass
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

Token = Annotated[
    str | None,
    typer.Option(
        "--token",
        metavar="TOKEN",
        help="The token that joins, as the driver prints it. Others on this machine can see command lines: --token-file, "
        "FLIGHTMESH_TOKEN and the prompt cannot be seen.",
        show_default=False,
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        envvar="FLIGHTMESH_TOKEN_FILE",
        help="A file that holds the token, and that only its owner can read.",
        show_default="on the driver's machine: its own",
    ),
]


def worker_token(text: str | None, file: str | None, mesh: str) -> str:
    """The token of a worker: given, in a file, in the environment, in the state of a driver on this machine, else asked for."""
    from flightmesh.session.driver_access import TOKEN_VARIABLE, token_in
    from flightmesh.trust.state import default_folder, find_state

    if text is not None:
        return text
    if file is not None:
        return token_in(Path(file))
    if given := os.environ.get(TOKEN_VARIABLE):
        return given
    folder = default_folder()
    if os.access(folder / mesh / "ca.key", os.R_OK):
        found = find_state(folder, mesh)
        own = None if found is None else found.worker_token()
        if own is not None:
            return own
    return _asked()


def _asked() -> str:
    if not sys.stdin.isatty():
        raise typer.BadParameter(
            "a worker joins with a token, which the driver prints when it starts: give it with --token-file, FLIGHTMESH_TOKEN "
            "or --token (or --insecure, for a mesh without TLS)",
            param_hint="--token",
        )
    try:
        return getpass.getpass("Token: ").strip()
    except EOFError:
        raise KeyboardInterrupt from None  # Ctrl-D at the prompt is as good as Ctrl-C
