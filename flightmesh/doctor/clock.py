"""Whether this machine's clock and the driver's agree: certificates are good from a time and until one."""

from __future__ import annotations

from flightmesh.doctor.findings import Finding, note, ok, wrong
from flightmesh.doctor.greeting import Greeting

CHECK = "clock"
NOTABLE_SECONDS = 5.0
TOO_FAR_SECONDS = 120.0
"""A new certificate is good from five minutes before it was made."""
_ADVICE = "set the clock of the machine that is wrong; a time service (NTP: chrony, systemd-timesyncd) keeps it right"


def look_at_clock(greeting: Greeting) -> list[Finding]:
    """Against the driver's."""
    apart = abs(greeting.ahead)
    if apart - greeting.error <= NOTABLE_SECONDS:
        return [ok(CHECK, f"as the driver's, give or take {max(apart, greeting.error):.2f} s")]
    says = f"the driver's clock is {apart:,.0f} s {'ahead of' if greeting.ahead > 0 else 'behind'} this machine's"
    return [(wrong if apart > TOO_FAR_SECONDS else note)(CHECK, says, _ADVICE)]
