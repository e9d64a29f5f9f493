"""What may be asked of a driver before anything is known of it: its CA, and then, trusting that, its greeting.

Handed an address and the fingerprint that a token carries; hands on the CA's certificate, or raises NotTrusted. What always
holds: the connection on which nobody was verified carries one action, `ca`, and is closed; nothing secret goes over it.
"""

from __future__ import annotations

import socket
import ssl

from flightmesh.errors import InvalidConfig, InvalidMessage, InvalidToken, NodeRefused, NodeSilent, NodeUnavailable, NotTrusted
from flightmesh.protocol.codec import decode
from flightmesh.protocol.enrolment import Hello
from flightmesh.transport.flight_peers import Connection
from flightmesh.transport.security import ClientTls, host_of
from flightmesh.trust.authority import fingerprint, mesh_of
from flightmesh.trust.certificates import driver_name
from flightmesh.trust.state import check_mesh_name

CONTACT_SECONDS = 4.0
PROBE_SECONDS = 2.0
CA_ACTION = "ca"
HELLO_ACTION = "hello"
ENROL_ACTION = "enrol"
_NOBODY_KNOWN = ClientTls(roots=None)
_LONGEST_CA = 16384


def fetch_ca(uri: str, expected: str | None, seconds: float = CONTACT_SECONDS) -> bytes:
    """The CA certificate (PEM) that the node at `uri` says is its mesh's. Raises NotTrusted unless its SHA-256 is `expected`
    (hex; None: any, for who only wants to know which mesh it is), NodeUnavailable where nobody answers."""
    connection = Connection(uri, tls=_NOBODY_KNOWN)
    try:
        answers = connection.call(CA_ACTION, b"", seconds)
    finally:
        connection.close()
    if len(answers) != 1 or len(answers[0]) > _LONGEST_CA:
        raise InvalidMessage(f"{uri} does not say what its CA is", hint="is it the client address of a driver?")
    try:
        found = fingerprint(answers[0])
    except InvalidToken:
        raise InvalidMessage(f"what {uri} says is its CA is no certificate") from None
    try:
        check_mesh_name(mesh_of(answers[0]))  # it becomes part of paths, host names and messages
    except InvalidConfig as error:
        raise InvalidMessage(f"what {uri} says is its CA is that of no mesh: {error.message}") from None
    if expected is not None and found != expected:
        raise NotTrusted(
            f"the mesh at {uri} is not the one that this token is for: its CA is {found[:12]}, the token's {expected[:12]}",
            hint="another mesh, a token of an earlier one, or somebody in the middle",
        )
    return answers[0]


def greet(uri: str, ca: bytes, seconds: float = CONTACT_SECONDS) -> Hello:
    """A driver's greeting, over a connection that its CA vouches for. Raises NotTrusted, NodeUnavailable."""
    connection = Connection(uri, tls=trust_of_driver(ca))
    try:
        answers = connection.call(HELLO_ACTION, b"", seconds)
    finally:
        connection.close()
    if len(answers) != 1:
        raise InvalidMessage(f"{uri} gave {len(answers)} answers to a greeting")
    hello: Hello = decode(answers[0], Hello)
    return hello


def trust_of_driver(ca: bytes) -> ClientTls:
    """What a client asks of a driver that `ca` (PEM) vouches for."""
    return ClientTls(ca, driver_name(mesh_of(ca)))


def speaks_tls(uri: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether whoever listens at an address speaks TLS. Raises NodeRefused where nobody listens, NodeSilent where nobody
    answers in time."""
    host, port = host_of(uri), int(uri.rpartition(":")[2])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is said on this connection
    context.set_alpn_protocols(["h2"])
    try:
        with socket.create_connection((host, port), timeout=seconds) as raw, context.wrap_socket(raw):
            return True
    except ssl.SSLError:
        return False
    except TimeoutError:
        raise NodeSilent(f"{uri} did not answer in time") from None
    except ConnectionRefusedError:
        raise NodeRefused(f"nobody listens at {uri}", hint="is the node running, and is this its address?") from None
    except ConnectionError:
        return False
    except OSError as error:
        raise NodeUnavailable(f"{uri} cannot be reached: {error.strerror or error}") from None
