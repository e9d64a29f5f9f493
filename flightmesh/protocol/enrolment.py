"""What a node and a driver say to each other while the node joins, and what all nodes know of who is let in.

Bodies of the actions `hello` and `enrol`, which a driver's client listener answers without a token, and `renew`, which its mesh
listener answers to nodes. What always holds: no secret is among the fields.
"""

from __future__ import annotations

from flightmesh.dataclass import dataclass


@dataclass(frozen=True, slots=True)
class Hello:
    """The answer to `hello`. `protocol`: the version that the driver speaks; `peers`: the port of its mesh listener; `nonce`:
    for one `enrol`; `time`: its clock, seconds since the epoch."""

    mesh: str
    driver: str
    protocol: int
    peers: int
    nonce: bytes
    time: float


@dataclass(frozen=True, slots=True)
class Enrol:
    """A node wants a certificate. `token`: the id of the token that it joins by; `nonce`: of a `Hello`; `request`: a PKCS #10
    request (DER) that names its addresses; `proof`: HMAC-SHA256 under the token's secret."""

    token: str
    nonce: bytes
    request: bytes
    proof: bytes


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The answer: the node's id and its certificate (PEM)."""

    node: str
    certificate: bytes


@dataclass(frozen=True, slots=True)
class Renew:
    """A node wants its next certificate, for another key: `request` as in `Enrol`."""

    request: bytes


@dataclass(frozen=True, slots=True)
class Renewed:
    """The answer: the certificate (PEM)."""

    certificate: bytes


@dataclass(frozen=True, slots=True)
class ClientEntry:
    """A token of clients: its id, a hash of its secret, until when it is good (seconds since the epoch)."""

    id: str
    digest: bytes
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class AccessList:
    """Who is let in: the tokens of clients, and the ids of workers' tokens that were revoked. `version` changes with both."""

    version: str
    clients: tuple[ClientEntry, ...]
    revoked: tuple[str, ...]
