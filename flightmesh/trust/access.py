"""Who is let in: the clients' tokens and the revoked nodes, as every node of a mesh knows them.

Handed what the driver says (`AccessList`); hands on yes, or an error that says what was wrong with a token. What always holds:
a token that is not on the list is refused, whatever it looks like; comparing takes the same time for any secret; no error
repeats a secret.
"""

from __future__ import annotations

import hashlib
import threading
import time

from flightmesh.errors import InvalidToken, NotAllowed, Unauthenticated
from flightmesh.protocol.enrolment import AccessList, ClientEntry
from flightmesh.trust.token_store import TokenStore, same_digest
from flightmesh.trust.tokens import Kind, read_token

NO_TOKEN = "this mesh asks for a token, and the call had none"
HOW = "send it as `authorization: Bearer <token>`; on the driver's machine, `flightmesh token client --out DIR` makes one"
SCHEME = "bearer "
NOBODY = AccessList("", (), ())
NEWS_SECONDS = 1.5
"""How long news of a token may take to come to a worker: some heartbeats."""
MOST_WAITING = 16
"""So many calls wait for news at the same time: each holds a thread, and who makes tokens up could hold them all."""


class Access:
    """The list as it is now. Any thread may call."""

    def __init__(self, listed: AccessList = NOBODY) -> None:
        self._lock = threading.Lock()
        self.set(listed)

    def now(self) -> AccessList:
        """The list."""
        return self._listed

    def set(self, listed: AccessList) -> None:
        """From now on."""
        with self._lock:
            self._listed = listed
            self._clients = {entry.id: entry for entry in listed.clients}
            self._revoked = frozenset(listed.revoked)

    def check_client(self, header: str | None) -> str:
        """The id of the token in an `authorization` header. Raises Unauthenticated."""
        if header is None:
            raise Unauthenticated(NO_TOKEN, hint=HOW)
        if not header.lower().startswith(SCHEME):
            raise Unauthenticated("the header `authorization` is not of the form `Bearer <token>`", hint=HOW)
        try:
            token = read_token(header[len(SCHEME) :], Kind.CLIENT)
        except InvalidToken as error:
            raise Unauthenticated(error.message, hint=error.hint) from None
        self.now()
        entry = self._entry(token.id)
        if entry is None or not same_digest(entry.digest, token.secret):
            raise Unauthenticated(f"the token {token.id} is none of this mesh's, or was revoked", hint=HOW)
        if entry.expires is not None and time.time() >= entry.expires:
            raise Unauthenticated(f"the token {token.id} has expired", hint=HOW)
        return token.id

    def _entry(self, id: str) -> ClientEntry | None:
        """What is known of a client's token."""
        return self._clients.get(id)

    def check_node(self, node: str) -> None:
        """Raises NotAllowed for a node that was let in by a token that has been revoked."""
        if node.partition("-")[0] in self._revoked:
            raise NotAllowed(f"node {node} was let in by a token that has been revoked", hint="join with another token")


class ToldAccess(Access):
    """A worker's: as its driver tells it with heartbeats. A token that was made just now is known at the next one, so who shows
    one that is not known yet waits for that; where many wait already he is refused at once."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._waiting = 0
        super().__init__()

    def set(self, listed: AccessList) -> None:
        """From now on; who waits for it looks again."""
        super().set(listed)
        with self._changed:
            self._changed.notify_all()

    def _entry(self, id: str) -> ClientEntry | None:
        with self._changed:
            if id not in self._clients and self._waiting < MOST_WAITING:
                self._waiting += 1
                try:
                    self._changed.wait_for(lambda: id in self._clients, NEWS_SECONDS)
                finally:
                    self._waiting -= 1
        return self._clients.get(id)


class StoredAccess(Access):
    """The driver's: always as its file of tokens is."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self._read: tuple[object, ...] = ()
        super().__init__(list_of(store))

    def now(self) -> AccessList:
        """The list, after a look at the file."""
        records = self._store.all()
        if records != self._read:
            self._read = records
            self.set(list_of(self._store))
        return self._listed

    def check_node(self, node: str) -> None:
        """The same, after a look at the file."""
        self.now()
        super().check_node(node)


def list_of(store: TokenStore) -> AccessList:
    """What all nodes need to know of a file of tokens."""
    now = time.time()
    records = store.all()
    clients = tuple(
        ClientEntry(record.id, bytes.fromhex(record.secret), record.expires)
        for record in records
        if record.kind is Kind.CLIENT and record.state(now) == "good"
    )
    revoked = tuple(record.id for record in records if record.kind is Kind.WORKER and record.revoked is not None)
    said = repr([(entry.id, entry.digest, entry.expires) for entry in clients]) + repr(revoked)
    return AccessList(hashlib.sha256(said.encode()).hexdigest()[:16], clients, revoked)
