"""The handshake by which a node joins: what it shows, and how the driver checks it.

A node fetches the CA and compares its fingerprint with the token's, asks for a nonce over a connection that the CA vouches
for, and answers with `proof`: an HMAC under the token's secret over nonce and request. What always holds: the secret never
crosses the wire; a nonce is good once and for a short time; what fails, fails the same way whatever was wrong with it.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections import OrderedDict

from flightmesh.errors import NotAllowed
from flightmesh.trust.authority import Authority
from flightmesh.trust.token_store import TokenStore

NONCE_BYTES = 32
NONCE_SECONDS = 30.0
MOST_NONCES = 4096
_CONTEXT = b"flightmesh join 1\0"


def proof(secret: bytes, nonce: bytes, request: bytes) -> bytes:
    """What shows that its maker knows the secret, for this nonce and this request (DER) alone."""
    return hmac.digest(secret, _CONTEXT + len(nonce).to_bytes(2, "big") + nonce + request, hashlib.sha256)


def new_node_id(token: str) -> str:
    """The id of a node that joins by a token: whoever revokes the token knows its nodes by it."""
    return f"{token}-{secrets.token_hex(4)}"


class Nonces:
    """Those that were given and not used yet. Any thread may call."""

    def __init__(self) -> None:
        self._given: OrderedDict[bytes, float] = OrderedDict()
        self._lock = threading.Lock()

    def give(self) -> bytes:
        """A nonce that is good for one answer, for NONCE_SECONDS."""
        nonce = secrets.token_bytes(NONCE_BYTES)
        with self._lock:
            self._given[nonce] = time.monotonic() + NONCE_SECONDS
            while len(self._given) > MOST_NONCES:
                self._given.popitem(last=False)
        return nonce

    def use(self, nonce: bytes) -> bool:
        """Whether a nonce was good; it is not any more."""
        with self._lock:
            until = self._given.pop(nonce, None)
        return until is not None and time.monotonic() < until


class Doorkeeper:
    """Lets nodes in: the driver's side of the handshake."""

    def __init__(self, authority: Authority, tokens: TokenStore, hours: float) -> None:
        """`hours`: how long certificates are good."""
        self._authority = authority
        self._tokens = tokens
        self._hours = hours
        self._nonces = Nonces()

    def nonce(self) -> bytes:
        """For a node that wants to join."""
        return self._nonces.give()

    def let_in(self, token: str, nonce: bytes, request: bytes, shown: bytes) -> tuple[str, bytes]:
        """The id and the certificate (PEM) of a node that knows the token's secret. Raises NotAllowed for one that does not."""
        fresh = self._nonces.use(nonce)
        secret = self._tokens.worker_secret(token)
        expected = proof(secret or secrets.token_bytes(32), nonce, request)
        if not hmac.compare_digest(expected, shown) or secret is None:
            raise NotAllowed(
                f"the token {token[:8]!r} lets no node in: it is unknown here, revoked or expired, or its secret is wrong",
                hint="`flightmesh token list` on the driver's machine shows the tokens, `flightmesh token worker` makes one",
            )
        if not fresh:
            raise NotAllowed("this answer to the handshake is not fresh: it was given before, or too late", hint="join again")
        node = new_node_id(token)
        return node, self._authority.issue(request, node, self._hours)

    def renew(self, node: str, request: bytes) -> bytes:
        """The next certificate of a node that is known by its present one. A token that has expired lets nobody new in, but
        whom it let in stays. Raises NotAllowed once the token is revoked."""
        if not self._tokens.stands(node.partition("-")[0]):
            raise NotAllowed(f"the token that let node {node} in was revoked", hint="join with another token")
        return self._authority.issue(request, node, self._hours)
