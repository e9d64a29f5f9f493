"""What a driver keeps on its disk: its mesh's CA, the tokens, and for people on its machine the first token of each kind.

Handed a folder; hands on `MeshState`. What always holds: everything that holds a secret is its owner's alone; a mesh that is
there is never made anew.
"""

from __future__ import annotations

import fcntl
import os
import re
from pathlib import Path

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig
from flightmesh.trust.authority import Authority, new_authority
from flightmesh.trust.private_files import read_private, write_private
from flightmesh.trust.token_store import TokenStore
from flightmesh.trust.tokens import Kind, Token, read_token

CA, CA_KEY, TOKENS = "ca.pem", "ca.key", "tokens.json"
CLIENT_TOKEN, WORKER_TOKEN = "client.token", "worker.token"
_MESH = re.compile(r"[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class MeshState:
    """One mesh's folder."""

    folder: Path
    authority: Authority
    tokens: TokenStore

    @property
    def mesh(self) -> str:
        """Its name."""
        return self.authority.mesh

    def worker_token(self) -> str | None:
        """The token that joins, as it is told to people: the first, while it is good."""
        return self._first(WORKER_TOKEN)

    def client_token(self) -> str | None:
        """The token of people on this machine, while it is good."""
        return self._first(CLIENT_TOKEN)

    def rotate(self, id: str, seconds: float | None = None) -> Token:
        """A new token in place of another, which is revoked; also where people on this machine find it. Raises InvalidInput."""
        token = self.tokens.rotate(id, seconds)
        path = self.folder / _file_of(token.kind)
        if path.exists() and read_token(read_private(path).decode().strip()).id == id:
            self.keep_first(token.kind, token.text)
        return token

    def keep_first(self, kind: Kind, text: str) -> None:
        """Puts a token where people on this machine find it."""
        write_private(self.folder / _file_of(kind), text.encode() + b"\n")

    def _first(self, name: str) -> str | None:
        path = self.folder / name
        text = read_private(path).decode().strip() if path.exists() else None
        return text if text and self.tokens.is_good(read_token(text).id) else None


def _file_of(kind: Kind) -> str:
    return WORKER_TOKEN if kind is Kind.WORKER else CLIENT_TOKEN


def default_folder(environ: os._Environ[str] | dict[str, str] = os.environ) -> Path:
    """Where the state of all meshes of this user is: systemd's STATE_DIRECTORY, or as the XDG rules say."""
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    base = environ.get("XDG_STATE_HOME")
    return (Path(base) if base else Path.home() / ".local" / "state") / "flightmesh"


def kept_meshes(folder: Path) -> tuple[str, ...]:
    """The meshes that have a state in a folder."""
    try:
        return tuple(sorted(place.name for place in folder.iterdir() if (place / CA).exists()))
    except OSError:  # there is none, or it is another user's
        return ()


def check_mesh_name(name: str) -> str:
    """The name, if a mesh can have it: it stands in host names. Raises InvalidConfig."""
    if not _MESH.fullmatch(name):
        hint = "small letters, digits and -, at most 40, such as `lab`"
        raise InvalidConfig(f"{name!r} is no name of a mesh", hint=hint)
    return name


def find_state(folder: Path, mesh: str) -> MeshState | None:
    """The state of a mesh; None where there is none. Raises InvalidConfig where it is damaged or open to others."""
    place = folder / check_mesh_name(mesh)
    try:
        if not (place / CA).exists():
            return None
        authority = Authority((place / CA).read_bytes(), read_private(place / CA_KEY))
    except OSError as error:
        raise InvalidConfig(f"the state of the mesh {mesh} cannot be read: {error.strerror}: {error.filename}") from None
    if authority.mesh != mesh:
        raise InvalidConfig(f"{place} is the state of the mesh {authority.mesh}, not of {mesh}")
    return MeshState(place, authority, TokenStore(place / TOKENS, authority.fingerprint))


def open_state(folder: Path, mesh: str) -> MeshState:
    """The same; made, with a token for workers and one for the clients of this machine, where there is none."""
    place = folder / check_mesh_name(mesh)
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        with (place / ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return find_state(folder, mesh) or _make(place, mesh)
    except OSError as error:
        hint = "give a folder that can be written, with --state DIR"
        raise InvalidConfig(f"the state of the mesh cannot be kept in {place}: {error.strerror}", hint=hint) from None


def _make(place: Path, mesh: str) -> MeshState:
    authority = new_authority(mesh)
    state = MeshState(place, authority, TokenStore(place / TOKENS, authority.fingerprint))
    for kind, label in ((Kind.WORKER, "first"), (Kind.CLIENT, "this machine")):
        state.keep_first(kind, state.tokens.make(kind, label).text)
    write_private(place / CA_KEY, authority.key)
    write_private(place / CA, authority.certificate)  # last: with it, the mesh is there
    return state
