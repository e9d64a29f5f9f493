"""Gathers a whole result within a memory budget.

Handed the batches of a result as they come; hands on all of them. What always holds: they are accounted for until they are
complete; then they are their reader's; the batches are closed, however it ends.
"""

from __future__ import annotations

from collections.abc import Generator

import pyarrow as pa

from flightmesh.errors import ResourceExhausted
from flightmesh.exchange.budget import NO_JOB, MemoryBudget

RESULT = "the result"
STREAM_IT = "read it as it comes with to_reader(), or raise the budget (connect(memory=...))"


def gathered(batches: Generator[pa.RecordBatch, None, None], budget: MemoryBudget) -> list[pa.RecordBatch]:
    """All of `batches`. Raises ResourceExhausted past the budget."""
    found: list[pa.RecordBatch] = []
    held = 0
    try:
        for batch in batches:
            budget.take(NO_JOB, RESULT, batch.nbytes, STREAM_IT)
            held += batch.nbytes
            found.append(batch)
    except ResourceExhausted as error:
        if held > budget.limit // 4:  # whoever asked last: the result is much of what holds the memory
            raise ResourceExhausted(error.message, hint=STREAM_IT) from None
        raise
    finally:
        batches.close()
        budget.give(NO_JOB, RESULT, held)
    return found
