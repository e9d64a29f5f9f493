"""The configuration of a command: its flags over the environment over its file.

Handed a role, the file of `--config` and the flags by key; hands on a `Config`. What always holds: a bad flag is a mistake of
the command line (usage, exit code 2), a bad file or variable one of the configuration.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from flightmesh.config import Config
    from flightmesh.setting_kinds import Role
    from flightmesh.settings import Effective


def settings_of(role: Role, file: Path | None, flags: Mapping[str, Any]) -> Config:
    """The settings. `flags`: what was given, by key (`node.port`); what was not is None or an empty list."""
    from flightmesh.config import Config
    from flightmesh.setting_kinds import PREFIX

    if (
        file is None
        and all(value in (None, []) for value in flags.values())
        and not any(n.startswith(PREFIX) for n in os.environ)
    ):
        return Config()  # as for most commands, which need not know what could have been set
    return effective_of(role, file, flags).config


def effective_of(role: Role, file: Path | None, flags: Mapping[str, Any]) -> Effective:
    """The same, with where each value came from."""
    from flightmesh.settings import BadFlag, effective

    try:
        return effective(role, file, os.environ, flags)
    except BadFlag as failure:
        raise typer.BadParameter(str(failure), param_hint=failure.flag) from None
