"""`flightmesh token`: the tokens of a mesh, on its driver's machine."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flightmesh.cli.guard import guarded
from flightmesh.cli.listing import Column, Format, ListingFormat, write_json, write_rows
from flightmesh.cli.places import MESH

if TYPE_CHECKING:
    from flightmesh.trust.state import MeshState
    from flightmesh.trust.token_store import TokenRecord
    from flightmesh.trust.tokens import Kind

EXAMPLES = """\
[bold]Examples[/bold]

[cyan]flightmesh token[/cyan]   lists them

[cyan]flightmesh token worker --expires 1h[/cyan]   prints a token that joins, for an hour

[cyan]flightmesh token client --out certs --label dashboard[/cyan]   writes certs/ca.pem and certs/token

[cyan]flightmesh token rotate c3f9a2c1[/cyan]

[cyan]flightmesh token revoke w81d20aa[/cyan]   puts out the nodes that joined with it, too

A running driver sees changes at once.
"""

app = typer.Typer(
    invoke_without_command=True,
    help="List, make, rotate and revoke the tokens of a mesh, on its driver's machine.",
    epilog=EXAMPLES,
    rich_markup_mode="rich",
)
MeshName = Annotated[str, typer.Option("--mesh", metavar="NAME", envvar="FLIGHTMESH_MESH", help="Which mesh.")]
State = Annotated[
    Path | None,
    typer.Option("--state", metavar="DIR", help="Where the driver keeps it.", show_default="~/.local/state/flightmesh"),
]
Label = Annotated[str, typer.Option("--label", metavar="TEXT", help="What it is for, in lists.")]
Expires = Annotated[
    str | None, typer.Option("--expires", metavar="TIME", help="How long it is good: 30m, 12h, 7d.", show_default="for ever")
]
Out = Annotated[
    Path | None, typer.Option("--out", metavar="DIR", help="Write the CA and the token there, as ca.pem and token.")
]
Id = Annotated[str, typer.Argument(metavar="ID", help="As `flightmesh token` lists it.")]
_COLUMNS = (Column("ID"), Column("FOR"), Column("STATE"), Column("LABEL"), Column("MADE"), Column("EXPIRES"))
_SPAN = re.compile(r"(\d+)\s*([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@app.callback()
@guarded
def root(context: typer.Context, mesh: MeshName = MESH, state: State = None, format: Format = ListingFormat.TABLE) -> None:
    """List the tokens, unless another command follows."""
    if context.invoked_subcommand is None:
        _list(mesh, state, format)


@app.command("list")
@guarded
def list_tokens(mesh: MeshName = MESH, state: State = None, format: Format = ListingFormat.TABLE) -> None:
    """List the tokens of a mesh. What is secret of them is not shown."""
    _list(mesh, state, format)


@app.command("init")
@guarded
def init(mesh: MeshName = MESH, state: State = None) -> None:
    """Make a mesh's certificate authority and its first tokens without starting a driver, to hand them out before."""
    from flightmesh.trust.state import default_folder, open_state

    made = open_state(state or default_folder(), mesh)
    print(f"mesh {made.mesh}: {made.folder} (CA {made.authority.fingerprint})")


@app.command("worker")
@guarded
def worker(mesh: MeshName = MESH, state: State = None, label: Label = "", expires: Expires = None, out: Out = None) -> None:
    """Make a token that lets workers join, and print it."""
    from flightmesh.trust.tokens import Kind

    _make(Kind.WORKER, mesh, state, label, expires, out)


@app.command("client")
@guarded
def client(mesh: MeshName = MESH, state: State = None, label: Label = "", expires: Expires = None, out: Out = None) -> None:
    """Make a token for programs and people that query the mesh."""
    from flightmesh.trust.tokens import Kind

    _make(Kind.CLIENT, mesh, state, label, expires, out)


@app.command("rotate")
@guarded
def rotate(id: Id, mesh: MeshName = MESH, state: State = None, expires: Expires = None, out: Out = None) -> None:
    """Make a new token in place of another, which is revoked."""
    found = _state(mesh, state)
    _write_authority(found, out)
    _hand_out(found.rotate(id, _seconds(expires)).text, out)


@app.command("revoke")
@guarded
def revoke(id: Id, mesh: MeshName = MESH, state: State = None) -> None:
    """Have a token let nobody in any more. Workers that joined with it are put out."""
    record = _state(mesh, state).tokens.revoke(id)
    print(f"token {record.id} is revoked")


def _list(mesh: str, folder: Path | None, format: ListingFormat) -> None:
    records = _state(mesh, folder).tokens.all()
    now = time.time()
    if format is ListingFormat.JSON:
        write_json([_public(record, now) for record in records])
        return
    write_rows(_COLUMNS, [_row(record, now) for record in records])


def _row(record: TokenRecord, now: float) -> list[str]:
    expires = "never" if record.expires is None else _clock(record.expires)
    return [record.id, f"{record.kind.name.lower()}s", record.state(now), record.label, _clock(record.created), expires]


def _public(record: TokenRecord, now: float) -> dict[str, object]:
    return {
        "id": record.id,
        "kind": record.kind.name.lower(),
        "state": record.state(now),
        "label": record.label,
        "created": record.created,
        "expires": record.expires,
        "revoked": record.revoked,
    }


def _make(kind: Kind, mesh: str, folder: Path | None, label: str, expires: str | None, out: Path | None) -> None:
    found = _state(mesh, folder)
    _write_authority(found, out)
    _hand_out(found.tokens.make(kind, label, _seconds(expires)).text, out)


def _write_authority(found: MeshState, out: Path | None) -> None:
    """Before there is a token: where its folder cannot be written, none is made."""
    if out is not None:
        out.mkdir(mode=0o700, parents=True, exist_ok=True)
        (out / "ca.pem").write_bytes(found.authority.certificate)


def _hand_out(text: str, out: Path | None) -> None:
    """Prints a token, or writes it where it was wanted."""
    if out is None:
        print(text)
        return
    from flightmesh.trust.private_files import write_private

    write_private(out / "token", text.encode() + b"\n")
    print(f"wrote {out / 'ca.pem'} and {out / 'token'}")


def _state(mesh: str, folder: Path | None) -> MeshState:
    from flightmesh.errors import InvalidInput
    from flightmesh.trust.state import default_folder, find_state, kept_meshes

    place = folder or default_folder()
    found = find_state(place, mesh)
    if found is None:
        known = kept_meshes(place)
        there = f"meshes there: {', '.join(known)} (--mesh)" if known else "`flightmesh driver` makes one when it starts first"
        raise InvalidInput(f"there is no mesh {mesh} in {place}", hint=there)
    return found


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    found = _SPAN.fullmatch(text.strip())
    if found is None or int(found[1]) == 0:
        raise typer.BadParameter(f"{text!r} is no span of time, as in 30m, 12h or 7d", param_hint="--expires")
    return float(int(found[1]) * _SECONDS[found[2]])


def _clock(moment: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(moment))
