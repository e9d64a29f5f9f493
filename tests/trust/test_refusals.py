"""Who does not belong is refused, by driver and workers alike, with a clear error, and that is logged; the nodes go on."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.flight as flight
import pytest

import flightmesh
from flightmesh.errors import InvalidToken, NodeUnavailable, NotAllowed, NotTrusted, Unauthenticated
from flightmesh.protocol.codec import decode, encode
from flightmesh.protocol.enrolment import Enrol, Hello
from flightmesh.trust.authority import Authority, new_authority
from flightmesh.trust.certificates import Identity, lifetime, new_request
from flightmesh.trust.joining import proof
from flightmesh.trust.tokens import Kind, new_token
from tests.node.processes import flightmesh as command
from tests.trust.secured import MESH, ON_LOOPBACK, SecuredMesh, secured_mesh
from tests.waiting import wait_until

SECONDS = 10.0


@pytest.fixture(scope="module")
def mesh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredMesh]:
    with secured_mesh(tmp_path_factory.mktemp("mesh")) as made:
        yield made


@pytest.fixture(autouse=True)
def the_nodes_are_unharmed(mesh: SecuredMesh) -> Iterator[None]:
    """After each test a query runs, by the worker that was there from the beginning."""
    yield
    with mesh.connect() as session:
        assert session.sql("select 6 * 7 as answer").to_arrow().to_pylist() == [{"answer": 42}]
    assert mesh.driver.process.poll() is None
    assert mesh.workers[0].process.poll() is None


def refused(client: flight.FlightClient, header: str | None, action: str = "nodes") -> flight.FlightError:
    headers = [] if header is None else [(b"authorization", header.encode())]
    with pytest.raises((flight.FlightError, pa.ArrowException)) as caught:
        list(client.do_action(flight.Action(action, b""), flight.FlightCallOptions(headers=headers, timeout=SECONDS)))
    return caught.value


def was_logged(mesh: SecuredMesh, words: str) -> None:
    wait_until(lambda: words in mesh.driver.said, SECONDS, f"the driver to log {words!r}; it said:\n{mesh.driver.said}")


def identity(authority: Authority, node: str, hours: float = 1.0) -> Identity:
    key, request = new_request(["127.0.0.1"])
    certificate = authority.issue(request, node, hours)
    return Identity(node, MESH, authority.certificate, certificate, key, *lifetime(certificate))


def knock(mesh: SecuredMesh, shown: Identity | None, action: str = "ping", **options: Any) -> flight.FlightError:
    """What a call of the driver's listener for nodes answers to who shows that."""
    given: dict[str, Any] = {"tls_root_certs": mesh.state.authority.certificate, "override_hostname": f"{MESH}.flightmesh"}
    if shown is not None:
        given |= {"cert_chain": shown.certificate, "private_key": shown.key}
    with flight.connect(mesh.peers, **(given | options)) as client:
        return refused(client, None, action)


@pytest.mark.parametrize("action", ["nodes", "open-session", "mesh-address", "statement", "no-such-action"])
def test_a_call_without_a_token(mesh: SecuredMesh, action: str) -> None:
    with mesh.plain_client() as client:
        error = refused(client, None, action)
    assert isinstance(error, flight.FlightUnauthenticatedError)
    assert "asks for a token" in str(error)
    was_logged(mesh, "this mesh asks for a token, and the call had none")


def test_without_a_token_nothing_else_is_answered_either(mesh: SecuredMesh) -> None:
    with mesh.plain_client() as client:
        options = flight.FlightCallOptions(timeout=SECONDS)
        descriptor = flight.FlightDescriptor.for_command(b"select 1")
        for call in (
            lambda: client.get_flight_info(descriptor, options),
            lambda: list(client.list_flights(b"", options)),
            lambda: list(client.list_actions(options)),
            lambda: client.do_get(flight.Ticket(b"x"), options).read_chunk(),
            lambda: client.do_put(descriptor, pa.schema([("a", pa.int64())]), options)[0].close(),
        ):
            with pytest.raises((flight.FlightError, pa.ArrowException), match="asks for a token"):
                call()


def test_a_token_of_nobody(mesh: SecuredMesh) -> None:
    stranger = new_token(Kind.CLIENT, mesh.state.authority.fingerprint)
    with mesh.plain_client() as client:
        error = refused(client, f"Bearer {stranger.text}")
    assert "none of this mesh's, or was revoked" in str(error)
    assert stranger.text.partition("-")[2] not in str(error)
    with pytest.raises(Unauthenticated, match="none of this mesh's"):
        mesh.connect(stranger.text)
    was_logged(mesh, f"the token {stranger.id} is none of this mesh's")
    assert stranger.text.partition("-")[2] not in mesh.driver.said


def test_a_workers_token_is_no_clients(mesh: SecuredMesh) -> None:
    with pytest.raises(InvalidToken, match="a worker's token, and a client's is needed"):
        mesh.connect(mesh.token(Kind.WORKER).text)


def test_a_revoked_token_of_a_client(mesh: SecuredMesh) -> None:
    token = mesh.token(Kind.CLIENT)
    with mesh.connect(token.text) as session:
        info = session.sql("select 1 as one")
        assert info.to_arrow().num_rows == 1
        mesh.state.tokens.revoke(token.id)
        with pytest.raises(Unauthenticated, match="was revoked"):
            session.sql("select 2").to_arrow()


def test_workers_ask_for_a_token_too(mesh: SecuredMesh) -> None:
    with mesh.connect() as session:
        (worker,) = [node for node in nodes_of(session) if node.role == "worker" and node.state == "alive"]
    roots = {"tls_root_certs": mesh.state.authority.certificate, "override_hostname": f"{MESH}.flightmesh"}
    refusal = pytest.raises(flight.FlightUnauthenticatedError, match="asks for a token")
    with flight.connect(worker.client, **roots) as client, refusal:
        client.do_get(flight.Ticket(b"x"), flight.FlightCallOptions(timeout=SECONDS)).read_chunk()
    wait_until(lambda: "asks for a token" in mesh.workers[0].said, SECONDS, "the worker to log it")


def nodes_of(session: flightmesh.RemoteSession) -> Any:
    from flightmesh.protocol.client_messages import Nodes

    return session._link.ask("nodes", None, Nodes).nodes


def test_a_worker_with_a_wrong_token(mesh: SecuredMesh) -> None:
    stranger = new_token(Kind.WORKER, mesh.state.authority.fingerprint)
    worker = mesh.start_worker(stranger.text)
    assert worker.wait_code() == 1
    assert "error: the token" in worker.said and "lets no node in" in worker.said
    assert stranger.text.partition("-")[2] not in worker.said + mesh.driver.said
    was_logged(mesh, f"the token '{stranger.id}' lets no node in")


def test_a_worker_without_a_token(mesh: SecuredMesh) -> None:
    worker = mesh.start_worker(None)
    assert worker.wait_code() == 2
    assert "--token-file" in worker.said


def test_a_worker_with_a_token_of_another_mesh(mesh: SecuredMesh) -> None:
    worker = mesh.start_worker(new_token(Kind.WORKER, new_authority("other").fingerprint).text)
    assert worker.wait_code() == 1
    assert "is not the one that this token is for" in " ".join(worker.said.split())


def test_a_worker_whose_token_is_revoked_is_put_out(mesh: SecuredMesh) -> None:
    token = mesh.token(Kind.WORKER)
    worker = mesh.start_worker(token.text, name="guest")
    worker.wait_said("worker guest ready")
    mesh.state.tokens.revoke(token.id)
    assert worker.wait_code() == 1
    assert "revoked" in worker.said
    was_logged(mesh, "the token that let it in was revoked")


def test_a_node_without_a_certificate(mesh: SecuredMesh) -> None:
    assert isinstance(knock(mesh, None), flight.FlightUnavailableError)
    was_logged(mesh, "refused a connection: it showed no certificate")


def test_a_certificate_that_has_expired(mesh: SecuredMesh) -> None:
    token = mesh.token(Kind.WORKER)
    expired = identity(mesh.state.authority, f"{token.id}-5f0e9a1b", hours=-0.01)
    assert isinstance(knock(mesh, expired), flight.FlightUnavailableError)
    was_logged(mesh, "refused a connection: its certificate has expired")


def test_a_node_of_another_mesh(mesh: SecuredMesh) -> None:
    stranger = identity(new_authority(MESH), "w3f9a2c1-5f0e9a1b")
    assert isinstance(knock(mesh, stranger), flight.FlightUnavailableError)
    was_logged(mesh, "refused a connection: its certificate is not of this mesh")


def test_a_client_in_plain_text(mesh: SecuredMesh) -> None:
    with flight.connect(f"grpc://{mesh.address}") as client:
        assert isinstance(refused(client, None), flight.FlightUnavailableError)
    with pytest.raises(NodeUnavailable, match="no driver answers") as caught:
        flightmesh.connect(f"grpc://{mesh.address}")
    assert "TLS" in caught.value.render()
    was_logged(mesh, "refused a connection: it does not speak TLS")


def test_a_worker_may_not_speak_as_another(mesh: SecuredMesh) -> None:
    """A node of the mesh, with a good certificate: only what is its own is taken from it."""
    from flightmesh.protocol.enrolment import Hello
    from flightmesh.protocol.node_messages import Heartbeat, Load, Reports

    with mesh.connect() as session:
        (worker,) = [node for node in nodes_of(session) if node.role == "worker" and node.state == "alive"]
    token = mesh.token(Kind.WORKER)
    good = identity(mesh.state.authority, f"{token.id}-5f0e9a1b")
    options = flight.FlightCallOptions(timeout=SECONDS)
    roots = {"tls_root_certs": good.roots, "override_hostname": f"{MESH}.flightmesh"}
    shown = {"cert_chain": good.certificate, "private_key": good.key}
    beat = encode(Heartbeat(worker.id, Load(1, 0, 0, 0, 0.0, 1, 0)))
    refusal = pytest.raises(flight.FlightUnauthorizedError, match="speaks in the name of worker")
    with flight.connect(mesh.peers, **roots, **shown) as client, refusal:
        list(client.do_action(flight.Action("heartbeat", beat), options))
    with flight.connect(worker.mesh, **roots, **shown) as client:
        for action in ("orders", "look-up", "drop-table", "ping"):
            with pytest.raises(flight.FlightUnauthorizedError, match="only the driver may ask this"):
                list(client.do_action(flight.Action(action, b""), options))
        command = flight.FlightDescriptor.for_command(b"flightmesh-action orders")
        with pytest.raises(flight.FlightUnauthorizedError, match="only the driver may ask this"):
            writer, _ = client.do_put(command, pa.schema([pa.field("body", pa.binary(), nullable=False)]), options)
            writer.close()
        with pytest.raises(flight.FlightUnauthorizedError, match="only the driver may ask this"):
            along_a_line(client, command, b"", options)
    with flight.connect(mesh.uri, **roots) as client:
        (hello,) = client.do_action(flight.Action("hello", b""), options)
    driver: Hello = decode(hello.body.to_pybytes(), Hello)
    reports = encode(Reports(driver.driver, worker.id, 0, ()))
    refusal = pytest.raises(flight.FlightUnauthorizedError, match="speaks in the name of worker")
    with flight.connect(mesh.peers, **roots, **shown) as client, refusal:
        along_a_line(client, flight.FlightDescriptor.for_command(b"flightmesh-action reports"), reports, options)


def along_a_line(
    client: flight.FlightClient, command: flight.FlightDescriptor, body: bytes, options: flight.FlightCallOptions
) -> None:
    """Asks along a line, and waits for the answer."""
    writer, reader = client.do_exchange(command, options)
    writer.write_metadata(b"\1" + body)  # may find that the call has ended
    reader.read_chunk()


def test_a_worker_may_not_lead_others_to_where_no_tls_is(mesh: SecuredMesh) -> None:
    """Clients would send their tokens there, and the driver its orders."""
    from flightmesh.kernel.hash import VERSION
    from flightmesh.protocol.node_messages import PROTOCOL_VERSION, NodeAddress, Register

    good = identity(mesh.state.authority, f"{mesh.token(Kind.WORKER).id}-5f0e9a1b")
    roots = {"tls_root_certs": good.roots, "override_hostname": f"{MESH}.flightmesh"}
    address = NodeAddress("grpc+tls://127.0.0.1:9", "grpc://127.0.0.1:9")
    said = Register("astray", 1, 1 << 20, 0, address, "here", 1, PROTOCOL_VERSION, VERSION)
    refusal = pytest.raises(flight.FlightError, match=r"cannot be reached at 'grpc://127\.0\.0\.1:9'")
    with flight.connect(mesh.peers, **roots, cert_chain=good.certificate, private_key=good.key) as client, refusal:
        list(client.do_action(flight.Action("register", encode(said)), flight.FlightCallOptions(timeout=SECONDS)))
    with mesh.connect() as session:
        assert "astray" not in {node.name for node in nodes_of(session)}


def test_rows_come_through_the_driver(mesh: SecuredMesh) -> None:
    """It has no client's token to show to workers: it comes as what it is."""
    with mesh.connect(results="through-driver") as session:
        assert session.sql("select 6 * 7 as answer").to_arrow().to_pylist() == [{"answer": 42}]


def test_no_query_reads_what_is_secret_of_the_mesh(mesh: SecuredMesh) -> None:
    """Not even where it lies below an allowed root, as here: who has the authority's key can be the driver."""
    with mesh.connect() as session:
        state = mesh.state.folder
        hidden = (f"{state.parent}/*/ca.key", f"{state.parent.parent}/**/worker.token", f"{state.parent}/[l]ab/tokens.json")
        for path in (f"{state}/ca.key", f"{state}/*", "/proc/self/environ", *hidden):
            with pytest.raises(NotAllowed, match="secret of the mesh"):
                session.sql(f"select * from read_csv('{path}')").to_arrow()


def test_a_clients_certificate_is_no_drivers(mesh: SecuredMesh) -> None:
    """Who holds a worker's certificate cannot stand in for the driver."""
    token = mesh.token(Kind.WORKER)
    posing = identity(mesh.state.authority, f"{token.id}-5f0e9a1b")

    class Posing(flight.FlightServerBase):  # type: ignore[misc]
        def do_action(self, context: Any, action: Any) -> list[bytes]:
            return [mesh.state.authority.certificate]

    refusal = pytest.raises(NotTrusted, match="has a certificate for another name")
    with Posing("grpc+tls://127.0.0.1:0", tls_certificates=[(posing.certificate, posing.key)]) as server, refusal:
        flightmesh.connect(f"grpc+tls://127.0.0.1:{server.port}", token=mesh.state.client_token())


def test_a_handshake_that_is_played_again(mesh: SecuredMesh) -> None:
    token = mesh.token(Kind.WORKER)
    _, request = new_request(["127.0.0.1"])
    options = flight.FlightCallOptions(timeout=SECONDS)
    with mesh.plain_client() as client:
        (said,) = client.do_action(flight.Action("hello", b""), options)
        hello: Hello = decode(said.body.to_pybytes(), Hello)
        body = encode(Enrol(token.id, hello.nonce, request, proof(token.secret, hello.nonce, request)))
        assert len(list(client.do_action(flight.Action("enrol", body), options))) == 1
        with pytest.raises(flight.FlightUnauthorizedError, match="not fresh"):
            list(client.do_action(flight.Action("enrol", body), options))
    assert token.secret not in body
    was_logged(mesh, "this answer to the handshake is not fresh")


def test_somebody_in_the_middle(mesh: SecuredMesh) -> None:
    """He hands on the real CA, since it is public, and has a certificate that he made himself."""
    own = new_authority(MESH).identity_of_driver("d-01020304", ["127.0.0.1"], 1)
    heard: list[str] = []

    class Middle(flight.FlightServerBase):  # type: ignore[misc]
        def do_action(self, context: Any, action: Any) -> list[bytes]:
            heard.append(action.type)
            return [mesh.state.authority.certificate]

    token = mesh.token(Kind.WORKER)
    with Middle("grpc+tls://127.0.0.1:0", tls_certificates=[(own.certificate, own.key)]) as server:
        at = f"127.0.0.1:{server.port}"
        with pytest.raises(NotTrusted, match="that this mesh did not make"):
            flightmesh.connect(f"grpc+tls://{at}", token=mesh.state.client_token())
        given = ("worker", "--driver", at, "--name", "w", *ON_LOOPBACK)
        with command(*given, FLIGHTMESH_TOKEN=token.text) as worker:
            assert worker.wait_code() == 1
        assert "a certificate that this mesh did not make" in " ".join(worker.said.split())
    assert set(heard) == {"ca"}  # he never hears a token, a nonce or a request


def test_bytes_that_are_no_handshake(mesh: SecuredMesh) -> None:
    import socket

    for garbage in (b"", b"\x16\x03\x01" + bytes(64), b"GET / HTTP/1.0\r\n\r\n", bytes(range(256)) * 64):
        host, port = mesh.address.split(":")
        with socket.create_connection((host, int(port)), timeout=SECONDS) as raw:
            raw.sendall(garbage)
    started = time.monotonic()
    with mesh.connect() as session:
        assert session.sql("select 1").to_arrow().num_rows == 1
    assert time.monotonic() - started < SECONDS


def test_no_secret_is_on_a_command_line_or_in_a_log(mesh: SecuredMesh) -> None:
    token = mesh.state.worker_token()
    assert token is not None
    secret = token.partition("-")[2]
    for worker in mesh.workers:
        assert secret not in worker.said
        if worker.process.poll() is None:
            assert secret.encode() not in Path(f"/proc/{worker.process.pid}/cmdline").read_bytes()
    logged = [line for line in mesh.driver.said.splitlines() if line.startswith("driver |")]
    assert logged and not any(secret in line for line in logged)
