"""Numbers as `analyze` writes them: counts, sizes, times, and the details that operators count."""

from __future__ import annotations

from collections.abc import Iterable

from flightmesh.exchange.budget import format_bytes
from flightmesh.protocol.messages import OperatorReport
from flightmesh.runtime.task_run import FIFTH_OUT, FIRST_FROM, FROM_WORKER

CREDIT = "credit_wait_ns"
"""Nanoseconds that an exchange stood still because its other end had too much unread."""
SPILLED = "spilled_bytes"
"""Bytes of rows that a task has put on disk to make room for its own."""
SPILLING = "spill_ns"
"""Nanoseconds that this took it."""
_OWN_WORDS = {
    "rows_read": "rows read",
    "bytes_read": "bytes read",
    "kept_bytes": "from memory",
    "row_groups": "row groups",
    "memory_peak": "memory",
    CREDIT: "credit wait",
    SPILLED: "spilled",
    SPILLING: "spilling",
}
_MOMENTS = (FIRST_FROM, FIFTH_OUT)
"""How moments are named: no amounts, nothing that tasks have in all."""
_SIZES = ("bytes_read", "kept_bytes", "memory_peak", "local_bytes", "remote_bytes", SPILLED)


def count(number: int, thing: str, things: str = "") -> str:
    """`1 row`, `2 rows`; `things`: the plural where it is not that."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {things or thing + 's'}"


def seconds(amount: float) -> str:
    """A time as people read it."""
    return f"{amount * 1000:.1f} ms" if amount < 1 else f"{amount:.2f} s"


def details(reports: Iterable[OperatorReport]) -> list[str]:
    """What an operator's tasks counted, in all: `rows read 1,000`."""
    totals: dict[str, int] = {}
    for report in reports:
        for name, amount in report.details:
            if not name.startswith(_MOMENTS):
                totals[name] = totals.get(name, 0) + amount
    return [_detail(name, total) for name, total in totals.items()]


def _detail(name: str, total: int) -> str:
    if name.startswith(FROM_WORKER):
        return f"from {name.removeprefix(FROM_WORKER)} {format_bytes(total)}"
    words = _OWN_WORDS.get(name, name.replace("_", " "))
    if name in (CREDIT, SPILLING):
        return f"{words} {seconds(total / 1e9)}"
    return f"{words} {format_bytes(total) if name in _SIZES else f'{total:,}'}"
