"""The JSON Schema of configuration files, by which an editor completes and checks them.

Handed a role, or none for all keys there are; hands on the schema as a map. What always holds: it allows what the loader
does, and names the same settings.
"""

from __future__ import annotations

from typing import Any

from flightmesh.setting_kinds import Role
from flightmesh.settings.keys import KEYS, SECTIONS, Key, meaning, section_meaning


def schema(role: Role | None = None) -> dict[str, Any]:
    """The schema of a role's file."""
    keys = [key for key in KEYS.values() if role is None or key.concerns(role)]
    properties = {key.name: _property(key) for key in keys if not key.section}
    for section in SECTIONS:
        inside = {key.name: _property(key) for key in keys if key.section == section}
        if inside:
            properties[section] = _map(inside, section_meaning(section), ["object", "null"])
    title = f"Configuration of flightmesh: {role}" if role else "Configuration of flightmesh"
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **_map(properties, None, "object")}


def _map(properties: dict[str, Any], said: str | None, kind: str | list[str]) -> dict[str, Any]:
    described = {"description": said} if said else {}
    return described | {"type": kind, "properties": properties, "additionalProperties": False}


def _property(key: Key) -> dict[str, Any]:
    value = key.setting.kind.schema
    default = list(key.default) if isinstance(key.default, tuple) else key.default
    said: dict[str, Any] = {"description": f"{meaning(key)} Variable: {key.variables[0]}."}
    if not key.of_machine:
        said["default"] = default
    return said | ({"anyOf": [value, {"type": "null"}]} if key.optional else value)
