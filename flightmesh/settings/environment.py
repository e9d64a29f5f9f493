"""The settings that stand in environment variables: FLIGHTMESH_MEMORY, FLIGHTMESH_EXCHANGE_MODE, FLIGHTMESH_NODE_PORT.

Handed an environment and who reads it; hands on checked values by key, each with its variable. What always holds: a variable
that begins like ours and is not one is an error that names the nearest, and an empty one counts as not set.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from flightmesh.dataclass import dataclass
from flightmesh.errors import InvalidConfig
from flightmesh.setting_kinds import PREFIX, Role, Unfit, nearest
from flightmesh.settings.keys import KEYS, Key

NO_SETTINGS = (
    *("FLIGHTMESH_LOG", "FLIGHTMESH_DEBUG", "FLIGHTMESH_TOKEN", "FLIGHTMESH_READY_FILE", "FLIGHTMESH_SEED"),
    *("FLIGHTMESH_CA", "FLIGHTMESH_HOST_NAME"),  # of the clients in docs/clients
)
"""Variables of ours that no file and no flag of the model stands for."""
_VARIABLES: Mapping[str, Key] = {name: key for key in KEYS.values() for name in key.variables}
_SERVICE_LINK = re.compile(r"_SERVICE_HOST|_SERVICE_PORT(_\w+)?|_PORT(_[0-9]+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?)?")


@dataclass(frozen=True, slots=True)
class Named:
    """A value, and the variable that gave it."""

    value: Any
    variable: str


def read_environment(environ: Mapping[str, str], role: Role) -> Mapping[str, Named]:
    """What the variables set, by key. Those of settings that do not concern the role are ignored. Raises InvalidConfig."""
    found: dict[str, Named] = {}
    for name, text in environ.items():
        if not name.startswith(PREFIX) or name in NO_SETTINGS or not text.strip() or _is_service_link(name, text):
            continue
        key = _VARIABLES.get(name)
        if key is None:
            raise _unknown(name)
        if not key.concerns(role):
            continue
        if key.path in found:
            both = " and ".join(key.variables)
            raise InvalidConfig(f"{both} are the same setting, {key.path}", hint="set one of them")
        found[key.path] = Named(_read(key, name, text), name)
    return found


def _read(key: Key, name: str, text: str) -> Any:
    try:
        return key.read(text)
    except Unfit as failure:
        raise InvalidConfig(f"the environment variable {name}: {failure}", hint=failure.hint) from None


def _unknown(name: str) -> InvalidConfig:
    near = nearest(name, [*_VARIABLES, *NO_SETTINGS])
    hint = f"did you mean {near}?" if near else "flightmesh config lists the settings with their variables"
    return InvalidConfig(f"the environment variable {name} is no setting of flightmesh", hint=hint)


def _is_service_link(name: str, text: str) -> bool:
    """Kubernetes and Docker tell each container of services nearby: for one named `flightmesh-node` as FLIGHTMESH_NODE_PORT,
    which would else be a setting of ours."""
    found = next((match for match in _SERVICE_LINK.finditer(name) if match.end() == len(name)), None)
    if found is None:
        return False
    return name not in _VARIABLES or re.match(r"(tcp|udp|sctp)://", text) is not None
