"""`--profile DIR`: what a query did, as files that show where the time went."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from flightmesh.session import Result

ProfileOption = Annotated[
    Path | None,
    typer.Option(
        "--profile",
        metavar="DIR",
        file_okay=False,
        help="Write there what the query did: trace.json, a timeline for ui.perfetto.dev or chrome://tracing, and "
        "profile.json, every figure of its stages, tasks and operators.",
        show_default=False,
    ),
]


def write_profile_of(result: Result, folder: Path, plan: Callable[[], str] | None = None) -> None:
    """Writes the files of a result that was read, and says so on stderr. `plan`: gives the plan's stages as text."""
    from flightmesh.session.profile import PROFILE, TRACE, write_profile

    record = result.metrics
    if record is None:
        print("no profile: this statement ran no query", file=sys.stderr)
        return
    write_profile(record, folder, None if plan is None else plan())
    print(f"profile: {folder / TRACE} (open it in ui.perfetto.dev), {folder / PROFILE}", file=sys.stderr)
