"""What a check of `flightmesh doctor` found.

What always holds: what is wrong comes with what to do about it; nothing secret is in a finding.
"""

from __future__ import annotations

import enum

from flightmesh.dataclass import dataclass


class Verdict(enum.StrEnum):
    """How bad it is."""

    OK = "ok"
    NOTE = "note"
    """Not wrong by itself; it may be the reason of something that does not work."""
    WRONG = "wrong"


@dataclass(frozen=True, slots=True)
class Finding:
    """`check`: which one; `says`: what was found; `advice`: what to do."""

    check: str
    verdict: Verdict
    says: str
    advice: str = ""


def ok(check: str, says: str) -> Finding:
    """All is well."""
    return Finding(check, Verdict.OK, says)


def note(check: str, says: str, advice: str) -> Finding:
    """Worth knowing."""
    return Finding(check, Verdict.NOTE, says, advice)


def wrong(check: str, says: str, advice: str) -> Finding:
    """Something will not work."""
    return Finding(check, Verdict.WRONG, says, advice)
