"""What a worker answers on its mesh listener: the driver's orders and questions, other workers' streams.

Handed actions, tickets and put streams; hands on orders to the incarnation that they are for, streams from and to its store.
What always holds: orders and tickets for another incarnation are refused, those for one that is just registering wait a while;
bytes that make no message raise InvalidMessage and change nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import pyarrow as pa

from flightmesh.errors import InvalidMessage, InvalidTicket, NotAllowed, UnsupportedFeature, WorkerLost
from flightmesh.node.look_up import collect_statistics, list_splits, look_up
from flightmesh.node.offers import Offers
from flightmesh.node.roots import Roots
from flightmesh.node.tenure import Incarnation, Tenure
from flightmesh.protocol.asking import AskServed, AskStatistics, DropPart, LookUp
from flightmesh.protocol.client_messages import Done
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.node_messages import Heard, ListSplits
from flightmesh.protocol.tickets import ExchangeTicket, FileTicket, HeldTicket, ResultTicket, TableTicket, read_ticket
from flightmesh.transport.control import order_kinds, read_orders
from flightmesh.transport.service import ActionKind, Asked, Call, Info, InStream, OutStream

_ORDERS = frozenset(kind.name for kind in order_kinds())


class WorkerMeshService:
    """Implements `transport.service.Service`."""

    def __init__(self, tenure: Tenure, roots: Roots, offers: Offers) -> None:
        self._tenure = tenure
        self._roots = roots
        self._offers = offers
        self._answers: dict[str, tuple[str, Callable[[bytes, Call], Any]]] = {
            "ping": ("Nothing in, Done out: somebody listens here.", lambda body, call: Done()),
            "look-up": (
                "LookUp: paths as this worker sees them. Answers LookedUp: the table in them.",
                lambda body, call: look_up(decode(body, LookUp), self._roots),
            ),
            "served": (
                "AskServed: a table that this worker serves. Answers Served: its files now.",
                lambda body, call: self._offers.answer(decode(body, AskServed)),
            ),
            "statistics": (
                "AskStatistics: a table. Answers Statistics.",
                lambda body, call: collect_statistics(decode(body, AskStatistics), self._roots, self._offers),
            ),
            "find-splits": (
                "ListSplits: a scan. Answers SplitList.",
                lambda body, call: list_splits(decode(body, ListSplits), self._roots, self._offers),
            ),
            "drop-table": ("DropPart: a table in memory. Answers Done.", lambda body, call: self._drop_part(body, call)),
        }

    def actions(self) -> tuple[ActionKind, ...]:
        """The actions of this listener."""
        return (*(ActionKind(name, description) for name, (description, _) in self._answers.items()), *order_kinds())

    def act(self, name: str, body: bytes, call: Call) -> Iterable[bytes]:
        """Carries out an action; its one answer."""
        if name in _ORDERS:
            return [encode(self._orders(name, body, call))]
        if name not in self._answers:
            raise UnsupportedFeature(f"a worker has no action {name!r} for its mesh", hint="list_actions names those it has")
        _, answer = self._answers[name]
        return [encode(answer(body, call))]

    def get(self, ticket: bytes, call: Call) -> OutStream:
        """Buckets of an edge, rows of a table in memory or of a file, or a partition of a result."""
        here = self._tenure.present(call)
        asked = read_ticket(ticket, here.loop.key)
        match asked:
            case ExchangeTicket():
                _require(here, asked.worker)
                return here.loop.streams.exchange(asked, call)
            case TableTicket():
                _require(here, asked.worker)
                return here.loop.streams.table(asked, call)
            case FileTicket():
                _require(here, asked.worker)
                return here.loop.streams.file(asked, call)
            case ResultTicket():
                return here.loop.streams.result(asked, call)
            case HeldTicket():
                raise InvalidTicket("this ticket is for the driver", hint="use it at the endpoint that it came with")

    def put(self, asked: Asked, stream: InStream, call: Call) -> None:
        """What another worker pushes on an edge, or a part of a table in memory."""
        if asked.command is None:
            raise InvalidMessage("a worker is put rows by a ticket as the descriptor's command, not by a path")
        here = self._tenure.present(call)
        ticket = read_ticket(asked.command, here.loop.key)
        match ticket:
            case ExchangeTicket():
                _require(here, ticket.worker)
                here.loop.streams.accept_push(ticket, stream, call)
            case TableTicket():
                _require(here, ticket.worker)
                here.parts.take(ticket.key, stream, call)
            case ResultTicket() | HeldTicket() | FileTicket():
                raise NotAllowed("a result's ticket is for reading, and so is a file's")

    def info(self, asked: Asked, call: Call) -> Info:
        """Workers plan nothing."""
        raise UnsupportedFeature("a worker plans no queries", hint="ask the driver")

    def schema(self, asked: Asked, call: Call) -> pa.Schema:
        """Workers plan nothing."""
        raise UnsupportedFeature("a worker plans no queries", hint="ask the driver")

    def list(self, call: Call) -> Iterable[Info]:
        """Tables are the driver's to list."""
        return ()

    def _orders(self, name: str, body: bytes, call: Call) -> Heard:
        orders = read_orders(name, body)
        here = self._tenure.of(orders.worker, orders.driver, call)
        return Heard(here.loop.take_orders(orders.first, orders.messages))

    def _drop_part(self, body: bytes, call: Call) -> Done:
        dropped: DropPart = decode(body, DropPart)
        self._tenure.present(call).parts.drop(dropped.key)
        return Done()


def _require(here: Incarnation, asked: str) -> None:
    if asked != here.loop.worker:
        raise WorkerLost(f"worker {asked} is gone; {here.loop.worker} is here now", hint="run the query again")
