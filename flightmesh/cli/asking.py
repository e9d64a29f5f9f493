"""Questions to a driver from the command line: one action, one answer.

Handed where the driver is as it was typed, or nothing: then it is looked for on this network; hands on typed answers. What
always holds: nobody there, somebody else there and several meshes are errors that say what to do; every question has a
deadline.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from flightmesh.cli.addresses import driver_address

if TYPE_CHECKING:
    from flightmesh.transport.flight_client import ClientConnection

ANSWER_SECONDS = 5.0
FOUND = "mesh://"
"""The scheme of a mesh that is looked for on this network."""
MESH_VARIABLE = "FLIGHTMESH_MESH"
Driver = Annotated[
    str | None,
    typer.Option(
        "--driver",
        metavar="HOST:PORT",
        envvar="FLIGHTMESH_DRIVER",
        help="The mesh: its driver's address.",
        show_default="found on this network",
    ),
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        metavar="FILE",
        envvar="FLIGHTMESH_TOKEN_FILE",
        help="A client's token.",
        show_default="on the driver's machine: its own",
    ),
]
MeshOption = Annotated[
    str | None,
    typer.Option(
        "--mesh", metavar="NAME", envvar=MESH_VARIABLE, help="The mesh of this name on this network.", show_default=False
    ),
]
Answer = TypeVar("Answer")


def where(driver: str | None, mesh: str | None) -> str:
    """The address that options name: the driver's, or that of a mesh to be looked for."""
    if driver is not None and driver.startswith(FOUND):
        return driver
    return driver_address(driver) if driver is not None else f"{FOUND}{mesh or ''}"


class DriverAt:
    """The driver at an address, or that of a mesh on this network, as a context: its connection ends with it."""

    def __init__(self, driver: str | None, mesh: str | None = None, token_file: Path | None = None) -> None:
        address = where(driver, mesh)
        from flightmesh.session.driver_access import find_access, token_in

        access = find_access(address, None if token_file is None else token_in(token_file))
        self.uri = access.uri
        self._connection: ClientConnection = access.connect()

    def __enter__(self) -> DriverAt:
        return self

    def __exit__(self, *failure: object) -> None:
        self._connection.close()

    def ask(self, action: str, question: Any, kind: type[Answer]) -> Answer:
        """The answer to `action`, of class `kind`. Raises NodeUnavailable when nobody answers, InvalidMessage when whoever does
        is no driver."""
        from flightmesh.errors import InvalidMessage, NodeRefused, NodeSilent, NodeUnavailable, UnsupportedFeature
        from flightmesh.protocol.codec import decode, encode

        body = b"" if question is None else encode(question)
        elsewhere = f"--driver takes the address that a driver prints for clients when it is ready, and {self.uri} is another"
        try:
            answers = self._connection.action(action, body, ANSWER_SECONDS)
            found: Answer = decode(answers[0] if answers else b"", kind)
        except NodeSilent:
            message = f"the driver at {self.uri} did not answer within {ANSWER_SECONDS:g} s"
            raise NodeSilent(message, hint="is it a driver? it may be stopped, or very busy") from None
        except NodeRefused:
            message = f"no driver answers at {self.uri}: nobody listens there"
            raise NodeRefused(message, hint="start one with `flightmesh driver`, or check the address") from None
        except NodeUnavailable as error:
            message = f"no driver answers at {self.uri}: {error.message}"
            raise NodeUnavailable(message, hint="is it a driver, and not stopped? check the address") from None
        except UnsupportedFeature as error:
            raise InvalidMessage(f"{self.uri} is no driver's client address: {error.message}", hint=elsewhere) from None
        except InvalidMessage as error:
            raise InvalidMessage(f"{self.uri} answers, but not as a driver: {error.message}", hint=elsewhere) from None
        return found
