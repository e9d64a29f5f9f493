"""A client of flightmesh in plain pyarrow and msgpack: SQL, YAML plans, uploads, cancelling, the catalog.

Handed a command on the command line and the mesh by environment variables (see README.md); hands on lines of JSON. What always
holds: the mesh's CA and the token go with every call, to the driver and to the workers alike; results are read batch by batch,
from all endpoints side by side, with bounded memory; what goes wrong is one line on stderr and exit code 1.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import queue
import re
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import msgpack
import pyarrow as pa
import pyarrow.csv
import pyarrow.flight as flight

CALL_SECONDS = 60
WAITING_BATCHES = 8
OPTIONS = [("grpc.http2.bdp_probe", 0), ("grpc.http2.lookahead_bytes", 8 << 20)]  # or gRPC buffers without bound


class Mesh:
    """A driver, and the workers that its answers name."""

    def __init__(self, uri: str, ca: str | None, token: str | None, host_name: str | None) -> None:
        self._uri = uri if "://" in uri else f"grpc+tls://{uri}"
        self._ca = Path(ca).read_bytes() if ca else None
        self._host_name = host_name
        self._headers = [(b"authorization", b"Bearer " + Path(token).read_text().strip().encode())] if token else []
        self._lock = threading.Lock()
        self._connections: dict[str, flight.FlightClient] = {}

    def node(self, endpoint: flight.FlightEndpoint | None = None) -> flight.FlightClient:
        """The connection to the node that holds an endpoint; one that names no address is the driver's own."""
        addresses = [place.uri.decode() for place in endpoint.locations] if endpoint else []
        uri = next((uri for uri in addresses if uri.startswith("grpc")), self._uri)
        with self._lock:
            if uri not in self._connections:
                tls = {"tls_root_certs": self._ca, "override_hostname": self._host_name} if uri.startswith("grpc+tls") else {}
                given = {name: value for name, value in tls.items() if value is not None}
                self._connections[uri] = flight.FlightClient(uri, generic_options=OPTIONS, **given)
            return self._connections[uri]

    def options(self, seconds: float | None = CALL_SECONDS) -> flight.FlightCallOptions:
        """What goes with every call. None: it may take as long as it takes."""
        return flight.FlightCallOptions(timeout=seconds, headers=self._headers)

    def action(self, name: str, body: dict[str, Any] | None = None) -> Any:
        """The driver's answer to an action."""
        packed = b"" if body is None else msgpack.packb(body)
        (answer,) = self.node().do_action(flight.Action(name, packed), self.options())
        return msgpack.unpackb(answer.body.to_pybytes())

    def run(self, what: dict[str, Any]) -> flight.FlightInfo:
        """Starts a query and names its endpoints; `what` is a Run map."""
        return self.node().get_flight_info(flight.FlightDescriptor.for_command(msgpack.packb(what)), self.options())

    def read(self, endpoint: flight.FlightEndpoint) -> flight.FlightStreamReader:
        """The rows of one endpoint."""
        return self.node(endpoint).do_get(endpoint.ticket, self.options(None))

    def upload(self, name: str, table: pa.Table) -> None:
        """Makes a table of the mesh; returns when it is there."""
        writer, answers = self.node().do_put(flight.FlightDescriptor.for_path(name), table.schema, self.options(None))
        writer.write_table(table, max_chunksize=65_536)
        writer.done_writing()
        answers.read()
        writer.close()  # raises what went wrong


def batches(mesh: Mesh, info: flight.FlightInfo) -> Generator[pa.RecordBatch]:
    """The batches of all endpoints, each read by a thread of its own: as they come, or one endpoint after the other where the
    result is ordered."""
    shared: queue.Queue[Any] = queue.Queue(WAITING_BATCHES)
    pulls = [Pull(mesh, endpoint, queue.Queue(WAITING_BATCHES) if info.ordered else shared) for endpoint in info.endpoints]
    try:
        for pull in pulls:
            while (got := pull.into.get()) is not None:  # None: an endpoint has ended
                if isinstance(got, Exception):
                    raise got
                yield got
    finally:
        for pull in pulls:
            pull.end()


class Pull(threading.Thread):
    """Reads one endpoint into a queue of a few batches."""

    def __init__(self, mesh: Mesh, endpoint: flight.FlightEndpoint, into: queue.Queue[Any]) -> None:
        super().__init__()
        self.into = into
        self._mesh = mesh
        self._endpoint = endpoint
        self._reader: flight.FlightStreamReader | None = None
        self._unwanted = threading.Event()
        self.start()

    def run(self) -> None:
        """Until the end, an error, or `end`."""
        try:
            self._reader = self._mesh.read(self._endpoint)
            for chunk in self._reader:
                if chunk.data is not None:
                    self._give(chunk.data)
            self._give(None)
        except Exception as error:  # raised where the batches are taken
            self._give(error)

    def end(self) -> None:
        """Drops what has not been read: that cancels the query."""
        self._unwanted.set()
        if self.is_alive() and self._reader is not None:
            self._reader.cancel()
        self.join()

    def _give(self, what: Any) -> None:
        while not self._unwanted.is_set():
            try:
                return self.into.put(what, timeout=0.1)
            except queue.Full:
                continue


def show(mesh: Mesh, info: flight.FlightInfo) -> None:
    """The result as lines of JSON: the names of the columns, then a list a row."""
    print(json.dumps(info.schema.names))
    for batch in batches(mesh, info):
        columns = [_values(column) for column in batch.columns]
        sys.stdout.writelines(json.dumps(row) + "\n" for row in zip(*columns, strict=True))


def _values(column: pa.Array) -> list[Any]:
    """Numbers, booleans and nulls as JSON has them; NaN, dates, decimals and the rest as text."""
    kind = column.type
    if pa.types.is_floating(kind):
        values = column.to_pylist()
        return [value if value is None or math.isfinite(value) else _NOT_FINITE[str(value)] for value in values]
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind) or pa.types.is_null(kind):
        return column.to_pylist()
    return column.cast(pa.string()).to_pylist()


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}


def parameters(given: list[str]) -> bytes | None:
    """An Arrow stream of one row: a column for each NAME=VALUE. A value is JSON, or text."""
    if not given:
        return None
    named = dict(pair.split("=", 1) for pair in given)
    batch = pa.RecordBatch.from_pylist([{name: _value(text) for name, text in named.items()}])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def _value(text: str) -> Any:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if isinstance(value, (list, dict)) else value


def run_sql(mesh: Mesh, given: argparse.Namespace) -> None:
    """Runs a query and shows its rows."""
    show(mesh, mesh.run({"sql": given.query, "params": parameters(given.param)}))


def run_plan(mesh: Mesh, given: argparse.Namespace) -> None:
    """Runs a YAML plan and shows its rows."""
    show(mesh, mesh.run({"plan": Path(given.file).read_text(), "params": parameters(given.param)}))


def upload(mesh: Mesh, given: argparse.Namespace) -> None:
    """Makes a table of a CSV or Arrow file."""
    table = pa.csv.read_csv(given.file) if given.file.endswith(".csv") else pa.ipc.open_file(given.file).read_all()
    mesh.upload(given.name, table)
    print(json.dumps({"name": given.name, "rows": table.num_rows}))


def cancel(mesh: Mesh, given: argparse.Namespace) -> None:
    """Starts a query, waits for one batch, cancels it in either way, and shows how its job ended."""
    info = mesh.run({"sql": given.query})
    job = msgpack.unpackb(info.app_metadata)  # an AskJob map
    rows = batches(mesh, info)
    next(rows, None)
    if given.by == "action":
        mesh.action("cancel", job)
    rows.close()  # drops the streams, and that is the other way
    while (state := mesh.action("status", job)["state"]) in ("queued", "running"):
        time.sleep(0.05)
    print(json.dumps({"job": job["job"], "state": state}))


def show_tables(mesh: Mesh, given: argparse.Namespace) -> None:
    """The catalog: names, sizes and the nodes where it lies by the action `tables`, columns by ListFlights."""
    infos = mesh.node().list_flights(options=mesh.options())
    columns = {b".".join(info.descriptor.path).decode(): info.schema.names for info in infos}
    for table in mesh.action("tables")["tables"]:
        shown = {key: table[key] for key in ("name", "kind", "rows", "bytes")}
        nodes = sorted({place["node"] for place in table.get("places", [])})
        print(json.dumps({**shown, "nodes": nodes, "columns": columns.get(table["name"])}))


def check_vectors(given: argparse.Namespace) -> None:
    """Reads every map of docs/flight.md, writes it again, and says whether the bytes are the same."""
    for name, body in re.findall(r"<!-- map (\w+) -->\n(.*?)<!-- end -->", Path(given.file).read_text(), re.DOTALL):
        data = bytes.fromhex("".join(re.findall(r"^    ([0-9a-f]+)$", body, re.MULTILINE)))
        same = msgpack.packb(msgpack.unpackb(data)) == data
        print(json.dumps({"map": name, "bytes": len(data), "same": same}))


def sentence(error: Exception) -> str:
    """One line for people: of a mesh's error its code, message and hint (the error map), of others what Flight says."""
    info = getattr(error, "extra_info", None)
    if info:
        told = msgpack.unpackb(info)
        place = " at {}:{}".format(*told["position"]) if told.get("position") else ""
        hint = f"; hint: {told['hint']}" if told.get("hint") else ""
        line = f"{told['code']}{place}: {told['message']}{hint}"
    elif isinstance(error, flight.FlightError):
        told = str(error).split("with message: ")[-1].split(". gRPC client debug context")[0]
        hint = next((f"; hint: {hint}" for sign, hint in _HINTS.items() if sign in told), "")
        line = f"{_WORDS.get(type(error), 'failed')}: {told}{hint}"
    else:
        line = f"failed: {error}"
    return "error: " + " ".join(line.split())


_HINTS = {
    "not in peer certificate": "set FLIGHTMESH_HOST_NAME to the mesh's name, such as flightmesh.flightmesh",
    "certificate": "FLIGHTMESH_CA has to be the ca.pem of this mesh",
}
_WORDS = {
    flight.FlightUnavailableError: "unavailable",
    flight.FlightUnauthenticatedError: "unauthenticated",
    flight.FlightUnauthorizedError: "permission_denied",
    flight.FlightTimedOutError: "deadline_exceeded",
    flight.FlightCancelledError: "cancelled",
}


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, call, words in [
        ("sql", run_sql, ["query"]),
        ("plan", run_plan, ["file"]),
        ("upload", upload, ["name", "file"]),
        ("cancel", cancel, ["query"]),
        ("tables", show_tables, []),
        ("vectors", check_vectors, ["file"]),
    ]:
        command = commands.add_parser(name, help=call.__doc__)
        command.set_defaults(call=call)
        for word in words:
            command.add_argument(word)
        if name in ("sql", "plan"):
            command.add_argument("--param", action="append", default=[], metavar="NAME=VALUE")
        if name == "cancel":
            command.add_argument("--by", choices=["action", "drop"], default="action")
    return parser.parse_args()


def main() -> int:
    """Runs the command; the exit code."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # what gRPC has to say comes with the errors
    given = arguments()
    try:
        if given.call is check_vectors:
            check_vectors(given)
        else:
            of = os.environ.get
            uri = of("FLIGHTMESH_DRIVER", "grpc+tls://127.0.0.1:8815")
            mesh = Mesh(uri, of("FLIGHTMESH_CA"), of("FLIGHTMESH_TOKEN_FILE"), of("FLIGHTMESH_HOST_NAME"))
            given.call(mesh, given)
    except BrokenPipeError:  # nobody reads any more
        os._exit(1)
    except (flight.FlightError, pa.ArrowException, OSError, ValueError) as error:
        print(sentence(error), file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
