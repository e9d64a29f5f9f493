"""A LAN of network namespaces: a bridge, and places with a cable to it each.

Handed a tag that no other laboratory of this machine has; hands on places to run programs in. What always holds: all of it is
in namespaces whose names begin with the tag, the bridge too, so nothing of it is heard on the machine's own network, and
whoever knows the tag can take everything down, whatever became of who built it.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

SUBNET = "10.213.77"
PREFIX = "fmlab-"
SWITCH = "switch"
"""The place of the bridge."""
ENDING_SECONDS = 10.0
TICK = 0.02


class LabFailed(Exception):
    """The laboratory could not do what was asked; the message says what to do."""


class Network:
    """Nothing is built before `build`. Needs root and iproute2."""

    def __init__(self, tag: str) -> None:
        if not re.fullmatch(r"[a-z0-9]{1,20}", tag):
            raise LabFailed(f"{tag!r} is not a tag: up to 20 small letters and digits")
        self.tag = tag
        self.addresses: dict[str, str] = {}

    def build(self, places: Sequence[str]) -> None:
        """The bridge, and these places."""
        self.tear_down()
        _ip(["netns", "add", self.namespace(SWITCH)])
        # Without snooping a bridge floods multicast, as a plain switch does.
        bridge = "link add bridge type bridge forward_delay 0 mcast_snooping 0"
        self._batch(SWITCH, ["link set lo up", bridge, "link set bridge up"])
        for place in places:
            self.add(place)

    def add(self, place: str) -> None:
        """A further place, with the next address and a cable to the bridge."""
        if not re.fullmatch(r"[a-z][a-z0-9-]{0,11}", place) or place in self.addresses or place == SWITCH:
            raise LabFailed(f"{place!r} cannot be the name of a place, or is one already")
        number = len(self.addresses) + 1
        address = f"{SUBNET}.{number}"
        _ip(["netns", "add", self.namespace(place)])
        self._batch(
            SWITCH,
            [
                f"link add p-{place} type veth peer name eth0 netns {self.namespace(place)}",
                f"link set p-{place} master bridge up",
            ],
        )
        self._batch(
            place,
            [
                "link set lo up",
                f"addr add {address}/24 dev eth0",
                "link set eth0 up",
                f"route add default via {SUBNET}.254 dev eth0",  # nobody is there, but multicast has a way out
            ],
        )
        self.addresses[place] = address

    def command(self, place: str, command: Sequence[str]) -> list[str]:
        """The command line that runs a program in a place, as the process that it is started as."""
        return [_program("ip"), "netns", "exec", self.namespace(place), *command]

    def cut(self, place: str) -> None:
        """Pulls the cable out of the bridge."""
        self._batch(SWITCH, [f"link set p-{place} down"])

    def mend(self, place: str) -> None:
        """Puts it in again."""
        self._batch(SWITCH, [f"link set p-{place} up"])

    def limit(self, place: str, rate: str) -> None:
        """What a place may send: a rate as `tc` has it, such as `100mbit`."""
        shape = f"qdisc replace dev eth0 root tbf rate {rate} burst 256kb latency 50ms"
        _run([_program("tc"), "-n", self.namespace(place), *shape.split()])

    def readdress(self, place: str, address: str) -> None:
        """Gives a place another address, as DHCP may."""
        default = f"route add default via {SUBNET}.254 dev eth0 onlink"
        self._batch(place, ["addr flush dev eth0", f"addr add {address}/24 dev eth0", default])
        self.addresses[place] = address

    def tear_down(self) -> None:
        """Ends every process in the namespaces and removes these. Nothing there: nothing done."""
        spaces = [name for name in namespaces() if name.startswith(f"{PREFIX}{self.tag}-")]
        for name in spaces:
            _end_all(name)
        for name in spaces:
            _ip(["netns", "delete", name])
        self.addresses = {}

    def namespace(self, place: str) -> str:
        """What `ip netns` calls a place."""
        return f"{PREFIX}{self.tag}-{place}"

    def _batch(self, place: str, lines: Sequence[str]) -> None:
        _run([_program("ip"), "-n", self.namespace(place), "-batch", "-"], "\n".join(lines))


def namespaces() -> list[str]:
    """Those that this machine has, by name."""
    return [line.split()[0] for line in _ip(["netns", "list"]).splitlines() if line]


def tags() -> list[str]:
    """Of the laboratories on this machine."""
    found = (re.match(rf"{PREFIX}([a-z0-9]+)-", name) for name in namespaces())
    return sorted({match[1] for match in found if match})


def _end_all(namespace: str) -> None:
    end = time.monotonic() + ENDING_SECONDS
    while pids := [int(pid) for pid in _ip(["netns", "pids", namespace]).split()]:
        if time.monotonic() >= end:
            raise LabFailed(f"the processes {pids} in {namespace} do not end")
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        _reap(pids)
        time.sleep(TICK)


def _reap(pids: Sequence[int]) -> None:
    """A child of ours that has ended stays in its namespace until it was asked for."""
    for pid in pids:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)


def _ip(arguments: Sequence[str]) -> str:
    return _run([_program("ip"), *arguments])


def _run(command: Sequence[str], text: str | None = None) -> str:
    ran = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    if ran.returncode != 0:
        said = (ran.stderr or ran.stdout).strip()
        root = "" if os.geteuid() == 0 else " (it takes root)"
        raise LabFailed(f"{' '.join(command)}: {said}{root}")
    return ran.stdout


def _program(name: str) -> str:
    found = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if found is None:
        raise LabFailed(f"there is no `{name}` on this machine: install iproute2")
    return found


@contextlib.contextmanager
def lan(tag: str, places: Sequence[str]) -> Iterator[Network]:
    """A network for as long as the block runs."""
    network = Network(tag)
    try:
        network.build(places)
        yield network
    finally:
        network.tear_down()


def folder_of(tag: str) -> Path:
    """Where a laboratory keeps logs and state."""
    return Path("/run" if Path("/run").is_dir() else "/tmp") / f"flightmesh-lab-{tag}"
