"""Which ways there are to a driver: those that were asked for, tried in the order of how sure they are.

Handed what a worker's configuration says; hands on one source. What always holds: `--driver` is the only way where it is given;
otherwise the peers that were listed come first, then DNS, then whoever announces itself.
"""

from __future__ import annotations

from flightmesh.dataclass import dataclass
from flightmesh.discovery.dns import DnsSource
from flightmesh.discovery.found import DriverAddress
from flightmesh.discovery.interfaces import check_interfaces
from flightmesh.discovery.mdns import MdnsSource
from flightmesh.discovery.sources import DriverSource
from flightmesh.discovery.static import StaticSource
from flightmesh.errors import InvalidConfig


@dataclass(frozen=True, slots=True)
class Sought:
    """Whose driver is sought, and how. `driver`: HOST:PORT; `peers`: several of these; `dns`: NAME or NAME:PORT; `mdns`:
    whether to listen for announcements; `mesh`, `ca`: as in `MdnsSource`; `interfaces`: names or addresses, none for all."""

    driver: str | None = None
    peers: tuple[str, ...] = ()
    dns: str | None = None
    mdns: bool = True
    mesh: str | None = None
    ca: str = ""
    interfaces: tuple[str, ...] = ()


def open_source(sought: Sought) -> DriverSource:
    """The source. Raises InvalidConfig for an address that is none, or where there is no way at all."""
    if sought.driver:
        return StaticSource((sought.driver,), "--driver")
    opened: list[DriverSource] = []
    if sought.peers:
        opened.append(StaticSource(sought.peers, "node.peers"))
    if sought.dns:
        opened.append(DnsSource(sought.dns))
    if sought.mdns:
        check_interfaces(sought.interfaces)
        opened.append(MdnsSource(sought.mesh, sought.ca, sought.interfaces))
    if not opened:
        hint = "say --driver HOST:PORT, name peers or dns in the configuration, or do without --no-mdns"
        raise InvalidConfig("there is no way to find a driver", hint=hint)
    return opened[0] if len(opened) == 1 else SeveralSources(tuple(opened))


class SeveralSources:
    """Sources one after the other."""

    def __init__(self, sources: tuple[DriverSource, ...]) -> None:
        self._sources = sources

    def candidates(self) -> tuple[DriverAddress, ...]:
        """Those of the first, then those of the next; each address once."""
        found: dict[str, DriverAddress] = {}
        for source in self._sources:
            for address in source.candidates():
                found.setdefault(address.location, address)
        return tuple(found.values())

    def wait_changed(self, seconds: float) -> None:
        """Until the last says so: it is the one that is told of changes, if any is."""
        self._sources[-1].wait_changed(seconds)

    def waiting_for(self) -> str:
        """All of it."""
        return ", or ".join(source.waiting_for() for source in self._sources)

    def close(self) -> None:
        """Closes all."""
        for source in self._sources:
            source.close()
