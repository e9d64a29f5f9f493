"""A worker's place in its mesh: finding the driver, registering, saying that it is alive, leaving.

Handed where the driver may be and the worker as a `Member`; hands the member its incarnations, and takes them away. What always
holds: `run` is one thread's whole life; between `joined` and `dropped` the worker has one id; after a fence, or a driver that
has gone or been silent for too long, the member is dropped before it registers anew; it ends when the worker was told to leave.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Protocol

from flightmesh.dataclass import dataclass
from flightmesh.discovery.sources import DriverSource
from flightmesh.errors import (
    Fenced,
    FlightmeshError,
    InvalidConfig,
    NodeRefused,
    NodeUnavailable,
    NotAllowed,
    NotTrusted,
    UnsupportedFeature,
)
from flightmesh.ids import WorkerId
from flightmesh.node.approach import Approach, uri_for
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.enrolment import AccessList
from flightmesh.protocol.node_messages import (
    Drain,
    Heartbeat,
    HeartbeatHeard,
    Leave,
    Load,
    Register,
    Registered,
)
from flightmesh.transport.peers import Peers

LOG = logging.getLogger(__name__)
FIRST_WAIT = 0.2
LONGEST_WAIT = 2.0
CALL_SECONDS = 5.0
HEARTBEAT_SECONDS = 2.0
"""The deadline of one heartbeat: it is sent again until the driver has been silent for too long."""
LEAST_SECONDS = 0.1
REFUSED_SECONDS = 1.0
"""A driver whose listener has refused calls for so long has gone."""
HOPELESS = (InvalidConfig, NotAllowed, UnsupportedFeature)
"""What a driver answers that trying again does not change."""
WRONG_PLACE = (*HOPELESS, NotTrusted)
"""The same at an address that somebody has named: whoever answers there is not the driver that was meant."""
HEARD = "mDNS"
"""The source of addresses that anybody on the LAN can make up."""


class Member(Protocol):
    """The worker, as its membership sees it. Called by the membership's thread alone."""

    def description(self, driver: str) -> Register:
        """What the worker says of itself when it registers at the driver whose mesh listener is at `driver`."""

    def joined(self, registered: Registered, driver: str, found_at: str) -> None:
        """The worker has an id; the driver's mesh listener is at `driver`, its client listener at `found_at`."""

    def load(self) -> Load:
        """What the worker carries now."""

    def dropped(self, cause: FlightmeshError) -> None:
        """The id is worth nothing any more: everything under it is to be dropped."""

    def waits_for(self) -> str:
        """What a draining worker still has that a job needs, for people; empty: nothing."""


@dataclass(frozen=True, slots=True)
class Standing:
    """One registration: what the driver said, and where its mesh listener is."""

    registered: Registered
    driver: str


class Membership:
    """`run` in a thread of its own; any thread may `leave`, `stop` and `expel`."""

    def __init__(self, member: Member, peers: Peers, where: DriverSource, approach: Approach) -> None:
        self._member = member
        self._peers = peers
        self._where = where
        self._approach = approach
        self._access = ""
        self._changed = threading.Condition()
        self._leaving = False
        self._stopped = False
        self._expelled: tuple[WorkerId, FlightmeshError] | None = None
        self._said: str | None = None

    def run(self) -> None:
        """Registers, stays, and registers anew as often as need be. Raises what can only be set right by people."""
        while (standing := self._join()) is not None:
            cause = self._stay(standing)
            if cause is None:
                return
            LOG.warning("%s is no member any more: %s", standing.registered.worker, cause.message)
            self._member.dropped(cause)
            self._peers.forget(standing.driver)  # after a cable was cut, TCP would wait longer and longer

    def leave(self) -> None:
        """Takes no new tasks, and goes when nothing is left that a job needs."""
        with self._changed:
            self._leaving = True
            self._changed.notify_all()
        self._where.close()  # who leaves looks for no driver any more

    def stop(self) -> None:
        """Goes now."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._where.close()

    def expel(self, worker: WorkerId, cause: FlightmeshError) -> None:
        """Something other than a heartbeat showed that the membership as `worker` is over. No news of an earlier one."""
        with self._changed:
            self._expelled = (worker, cause)
            self._changed.notify_all()

    def _join(self) -> Standing | None:
        pause = FIRST_WAIT
        while not (self._stopped or self._leaving):
            found = self._where.candidates()
            hopeless: list[FlightmeshError] = []
            for address in found:
                uri = uri_for(address, self._approach)
                try:
                    return self._register(uri)
                except FlightmeshError as error:
                    if isinstance(error, HOPELESS if address.source == HEARD else WRONG_PLACE):
                        hopeless.append(error)
                    why = f"{error.message}; {error.hint}" if error.hint else error.message
                    self._say_once(error.code, "waiting for the driver at %s (%s)", uri, why)
            if found and len(hopeless) == len(found):
                raise hopeless[0]
            if not found:
                sought = self._where.waiting_for()
                self._say_once(sought, "waiting for %s", sought)
            self._where.wait_changed(pause)
            pause = min(pause * 1.5, LONGEST_WAIT)
        return None

    def _register(self, uri: str) -> Standing:
        """Raises whatever the driver, or its absence, has to say."""
        mesh = self._approach.approach(uri)
        said = self._member.description(mesh)
        registered: Registered = decode(self._call(mesh, "register", encode(said)), Registered)
        self._said = None
        self._learn(registered.access)
        self._member.joined(registered, mesh, uri)
        return Standing(registered, mesh)

    def _learn(self, access: AccessList | None) -> None:
        if access is not None:
            self._approach.learn(access)
            self._access = access.version

    def _say_once(self, kind: str, message: str, *values: str) -> None:
        """A driver that is not there yet is said once, not with each try."""
        if self._said != kind:
            self._said = kind
            LOG.info(message, *values)

    def _stay(self, standing: Standing) -> FlightmeshError | None:
        """Heartbeats until the membership ends: the cause, or None when the worker has left by its own will."""
        heard = time.monotonic()
        refused_since: float | None = None
        told = False
        while True:
            if self._stopped:
                self._go(standing, "it was stopped")
                return None
            if (cause := self._expulsion(standing)) is not None:
                return cause
            told = self._tell_draining(told)
            try:
                answer = self._beat(standing, heard + standing.registered.lost_seconds)
                heard, refused_since = time.monotonic(), None
                if answer.may_leave:
                    self._go(standing, "it was drained")
                    return None
            except Fenced as error:
                return error
            except NotAllowed:
                raise
            except NodeUnavailable as error:
                refused_since = (refused_since or time.monotonic()) if isinstance(error, NodeRefused) else None
                cause = self._gone(standing, heard, refused_since)
                if cause is not None:
                    return cause
            except FlightmeshError as error:
                LOG.warning("the driver could not take a heartbeat: %s", error.message)
            self._nap(standing.registered.heartbeat_seconds, standing)

    def _beat(self, standing: Standing, until: float) -> HeartbeatHeard:
        """One heartbeat, answered before `until` (of the steady clock) or not at all."""
        drain = Drain.DRAINING if self._leaving else Drain.OPEN
        beat = Heartbeat(standing.registered.worker, self._member.load(), drain, self._access)
        seconds = max(LEAST_SECONDS, min(HEARTBEAT_SECONDS, until - time.monotonic()))
        answer: HeartbeatHeard = decode(self._call(standing.driver, "heartbeat", encode(beat), seconds), HeartbeatHeard)
        if answer.driver != standing.registered.driver:
            raise Fenced("the driver was started anew")
        self._learn(answer.access)
        return answer

    def _tell_draining(self, told: bool) -> bool:
        if self._leaving and not told:
            left = self._member.waits_for()
            LOG.info("draining: %s; Ctrl-C again ends at once", f"waiting for {left}" if left else "nothing holds it")
        return self._leaving

    def _gone(self, standing: Standing, heard: float, refused_since: float | None) -> FlightmeshError | None:
        now = time.monotonic()
        if refused_since is not None and now - refused_since >= REFUSED_SECONDS:
            return NodeUnavailable(f"nobody listens at the driver's address {standing.driver} any more")
        if now - heard >= standing.registered.lost_seconds:
            return NodeUnavailable(f"the driver at {standing.driver} has been silent for {now - heard:.0f} s")
        return None

    def _go(self, standing: Standing, reason: str) -> None:
        try:
            self._call(standing.driver, "leave", encode(Leave(standing.registered.worker, reason)), HEARTBEAT_SECONDS)
        except FlightmeshError as error:
            LOG.info("the driver did not hear that this worker left: %s", error.message)

    def _call(self, address: str, action: str, body: bytes, seconds: float = CALL_SECONDS) -> bytes:
        answers = self._peers.call(address, action, body, seconds)
        if len(answers) != 1:
            raise NodeUnavailable(f"{address} gave {len(answers)} answers to {action}", hint="is this a flightmesh driver?")
        return answers[0]

    def _expulsion(self, standing: Standing | None) -> FlightmeshError | None:
        expelled = self._expelled
        return expelled[1] if standing and expelled and expelled[0] == standing.registered.worker else None

    def _nap(self, seconds: float, standing: Standing | None = None) -> None:
        """Waits, but not past an order to leave, stop or start anew."""
        with self._changed:
            was = self._leaving
            self._changed.wait_for(lambda: self._stopped or self._leaving != was or self._expulsion(standing), seconds)
