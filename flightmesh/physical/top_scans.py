"""Where a TopRows reads a scan, through operators that hand on its rows as they are, the scan is told what is wanted first.

Handed what is below a TopRows and its first key; hands on the same with the order at the scan. What always holds: the key is a
column of the table whose statistics order as the engine orders it, and which rows the operators between drop does not depend
on other rows.
"""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa

from flightmesh.expression.nodes import Column
from flightmesh.physical.operators import ColumnOrder, FilterRows, Operator, ProjectColumns, TableScan


def wanting_first(node: Operator, key: ColumnOrder) -> Operator:
    """The operators below a TopRows, their scan told so where there is one; else as they are."""
    match node:
        case TableScan() if node.limit is None and _is_ordered(key.column.type):
            found = next((field for field in node.columns if field.id == key.column.id), None)
            return node if found is None else replace(node, first=replace(key, column=found.column()))
        case FilterRows():
            return replace(node, input=wanting_first(node.input, key))
        case ProjectColumns():
            passed = next((item.expression for item in node.items if item.field.id == key.column.id), None)
            return (
                replace(node, input=wanting_first(node.input, replace(key, column=passed)))
                if isinstance(passed, Column)
                else node
            )
        case _:
            return node


def _is_ordered(kind: pa.DataType) -> bool:
    """Whether bounds of this type that a file states say what comes first."""
    types = pa.types
    number = types.is_integer(kind) or types.is_decimal(kind) or types.is_floating(kind) or types.is_boolean(kind)
    time = types.is_temporal(kind) and not types.is_interval(kind)
    return bool(number or time or types.is_string(kind) or types.is_large_string(kind) or types.is_binary(kind))
