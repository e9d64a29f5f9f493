"""Tokens as people hand them on: read back, refused when damaged, never shown by accident; and the file that keeps them."""

from __future__ import annotations

import json
import stat
import threading
import time
from pathlib import Path

import pytest

from flightmesh.errors import FlightmeshError, InvalidConfig, InvalidInput, InvalidToken, NotAllowed, Position, Unauthenticated
from flightmesh.session.driver_access import token_in
from flightmesh.setting_kinds import Role
from flightmesh.settings import BadFlag, effective
from flightmesh.trust.access import MOST_WAITING, NEWS_SECONDS, Access, StoredAccess, ToldAccess, list_of
from flightmesh.trust.authority import new_authority
from flightmesh.trust.private_files import read_private, write_private
from flightmesh.trust.state import find_state, open_state
from flightmesh.trust.token_store import TokenStore
from flightmesh.trust.tokens import Kind, new_token, read_token

FINGERPRINT = "ab" * 32


@pytest.fixture
def store(tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "tokens.json", FINGERPRINT)


@pytest.mark.parametrize("kind", list(Kind))
def test_a_token_is_read_back(kind: Kind) -> None:
    token = new_token(kind, FINGERPRINT)
    assert read_token(f" {token.text}\n") == token
    assert read_token(token.text, kind).kind is kind
    assert token.text.startswith(f"fm1.{FINGERPRINT}.{token.id}-")


def test_no_error_shows_a_token_that_was_pasted_where_something_else_belongs(store: TokenStore) -> None:
    text = new_token(Kind.WORKER, FINGERPRINT).text
    secret = text.partition("-")[2]
    for paste in (lambda: store.revoke(text), lambda: token_in(Path(text)), lambda: open_state(Path("/proc"), text)):
        with pytest.raises(FlightmeshError) as caught:
            paste()
        shown = repr(caught.value) + str(caught.value) + repr(caught.value.to_wire())
        assert text.partition("-")[0] in shown
        assert secret not in shown
    line = FlightmeshError("no such key", text=f"node: {{token: {text}}}", position=Position(1, 8, 5))
    assert secret[:8] not in line.render()
    with pytest.raises(InvalidConfig) as refused:
        effective(Role.WORKER, None, {"FLIGHTMESH_TOKEN_FILE": text}, {})
    with pytest.raises(BadFlag) as flag:
        effective(Role.WORKER, None, {}, {"node.token_file": text})
    assert secret not in refused.value.render() + str(flag.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"id": "zz"},
        {"id": "x0000000"},
        {"secret": "no hex"},
        {"secret": "00"},
        {"created": "now"},
        {"expires": "soon"},
        {"id": 7},
    ],
    ids=repr,
)
def test_a_record_that_nobody_here_wrote_damages_the_file(
    store: TokenStore, tmp_path: Path, changed: dict[str, object]
) -> None:
    """It is said as such, whoever looks first: nothing that looks after the mesh may break on it."""
    store.make(Kind.CLIENT)
    body = json.loads((tmp_path / "tokens.json").read_text())
    body["tokens"].append(body["tokens"][0] | changed)
    write_private(tmp_path / "tokens.json", json.dumps(body).encode())
    with pytest.raises(InvalidConfig, match="cannot be read"):
        list_of(store)


def test_no_text_of_a_token_but_its_own_shows_the_secret() -> None:
    token = new_token(Kind.CLIENT, FINGERPRINT)
    secret = token.text.partition("-")[2]
    assert secret not in repr(token) + str(token)
    assert token.secret.hex() not in repr(token) + str(token)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda text: "", "no token"),
        (lambda text: "hello", "no token"),
        (lambda text: text.replace("fm1", "fm2"), "newer form"),
        (lambda text: text.rpartition(".")[0], "2 parts"),
        (lambda text: text[:-1], "a piece of it is missing"),
        (lambda text: text + ".x", "4 parts"),
        (lambda text: text.replace("ab", "xy", 1), "damaged"),
        (lambda text: text.replace("-", "", 1), "damaged"),
        (lambda text: text + "AAAA", "damaged"),
    ],
)
def test_a_damaged_token_is_refused_without_being_repeated(damage, words: str) -> None:  # type: ignore[no-untyped-def]
    text = new_token(Kind.WORKER, FINGERPRINT).text
    with pytest.raises(InvalidToken, match=words) as caught:
        read_token(damage(text))
    assert text[-20:-2] not in caught.value.render()


def test_a_token_of_the_other_kind_is_told_apart() -> None:
    with pytest.raises(InvalidToken, match="a client's token, and a worker's is needed"):
        read_token(new_token(Kind.CLIENT, FINGERPRINT).text, Kind.WORKER)


def test_of_a_clients_token_only_a_hash_is_kept(store: TokenStore, tmp_path: Path) -> None:
    client, worker = store.make(Kind.CLIENT, "dashboard"), store.make(Kind.WORKER)
    kept = (tmp_path / "tokens.json").read_text()
    assert client.secret.hex() not in kept
    assert store.worker_secret(worker.id) == worker.secret
    assert store.worker_secret(client.id) is None
    assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600
    assert client.secret.hex() not in repr(store.all())


def test_what_another_process_changes_is_seen(store: TokenStore, tmp_path: Path) -> None:
    token = store.make(Kind.WORKER)
    access = StoredAccess(store)
    access.check_node(f"{token.id}-5f0e9a1b")
    TokenStore(tmp_path / "tokens.json", FINGERPRINT).revoke(token.id)
    assert store.worker_secret(token.id) is None
    with pytest.raises(NotAllowed, match="revoked"):
        access.check_node(f"{token.id}-5f0e9a1b")


def test_rotating_makes_a_new_token_and_revokes_the_old(store: TokenStore) -> None:
    old = store.make(Kind.CLIENT, "dashboard")
    new = store.rotate(old.id)
    states = {record.id: (record.state(time.time()), record.label) for record in store.all()}
    assert states == {old.id: ("revoked", "dashboard"), new.id: ("good", "dashboard")}
    with pytest.raises(InvalidInput, match="has been revoked"):
        store.rotate(old.id)
    with pytest.raises(InvalidInput, match="no token 'c0000000'"):
        store.revoke("c0000000")


@pytest.mark.parametrize("kind", list(Kind))
def test_the_token_of_this_machine_is_rotated_where_its_people_find_it(kind: Kind, tmp_path: Path) -> None:
    state = open_state(tmp_path, "lab")
    found = state.worker_token if kind is Kind.WORKER else state.client_token
    first, another = read_token(found() or ""), state.tokens.make(kind)
    state.rotate(another.id)
    assert found() == first.text
    new = state.rotate(first.id)
    assert found() == new.text != first.text


def test_a_client_is_let_in_by_a_good_token_alone(store: TokenStore) -> None:
    good, expired, revoked = store.make(Kind.CLIENT), store.make(Kind.CLIENT, seconds=-1.0), store.make(Kind.CLIENT)
    store.revoke(revoked.id)
    access = StoredAccess(store)
    assert access.check_client(f"Bearer {good.text}") == good.id
    assert access.check_client(f"bearer {good.text}") == good.id
    other = new_token(Kind.CLIENT, FINGERPRINT)
    forged = good.text.partition("-")[0] + "-" + other.text.partition("-")[2]
    for header in (
        None,
        "",
        "Bearer",
        f"Basic {good.text}",
        "Bearer nonsense",
        f"Bearer {store.make(Kind.WORKER).text}",
        f"Bearer {expired.text}",
        f"Bearer {revoked.text}",
        f"Bearer {other.text}",
        f"Bearer {forged}",
    ):
        with pytest.raises(Unauthenticated) as caught:
            access.check_client(header)
        assert header is None or header[-20:] not in caught.value.render() or len(header) < 20


def test_a_token_that_expires_after_the_list_was_told_is_refused_then(store: TokenStore) -> None:
    token = store.make(Kind.CLIENT, seconds=3600.0)
    access = Access(list_of(store))
    access.check_client(f"Bearer {token.text}")
    listed = access.now()
    past = type(listed.clients[0])(token.id, listed.clients[0].digest, time.time() - 1)
    access.set(type(listed)("later", (past,), ()))
    with pytest.raises(Unauthenticated, match="expired"):
        access.check_client(f"Bearer {token.text}")


def test_a_token_that_was_made_just_now_is_waited_for(store: TokenStore) -> None:
    access, token = ToldAccess(), store.make(Kind.CLIENT)
    threading.Timer(0.1, lambda: access.set(list_of(store))).start()
    assert access.check_client(f"Bearer {token.text}") == token.id


def test_whoever_makes_tokens_up_holds_few_threads(store: TokenStore) -> None:
    """Each call that waits for news holds a thread of the worker."""
    access, took = ToldAccess(), []

    def show() -> None:
        started = time.monotonic()
        with pytest.raises(Unauthenticated):
            access.check_client(f"Bearer {new_token(Kind.CLIENT, FINGERPRINT).text}")
        took.append(time.monotonic() - started)

    threads = [threading.Thread(target=show) for _ in range(4 * MOST_WAITING)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(seconds >= NEWS_SECONDS for seconds in took) == MOST_WAITING
    assert sum(seconds < NEWS_SECONDS / 2 for seconds in took) == 3 * MOST_WAITING


def test_the_version_of_the_list_changes_with_what_it_says(store: TokenStore) -> None:
    first = list_of(store).version
    token = store.make(Kind.CLIENT)
    second = list_of(store).version
    store.revoke(token.id)
    third = list_of(store).version
    assert first == third != second


def test_a_secret_that_others_can_read_is_not_taken(tmp_path: Path) -> None:
    path = tmp_path / "token"
    write_private(path, b"secret")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_private(path) == b"secret"
    path.chmod(0o644)
    with pytest.raises(InvalidConfig, match="others than its owner may read it"):
        read_private(path)


def test_a_mesh_is_made_once(tmp_path: Path) -> None:
    made = open_state(tmp_path, "lab")
    again = open_state(tmp_path, "lab")
    assert made.authority.fingerprint == again.authority.fingerprint
    assert made.worker_token() == again.worker_token()
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.folder.iterdir() if not path.name.startswith(".")}
    assert {name: mode for name, mode in modes.items() if mode & 0o077} == {}
    assert {"ca.pem", "ca.key", "tokens.json", "client.token", "worker.token"} <= set(modes)
    assert find_state(tmp_path, "other") is None


def test_a_revoked_first_token_is_not_handed_out(tmp_path: Path) -> None:
    state = open_state(tmp_path, "lab")
    token = state.worker_token()
    assert token is not None
    state.tokens.revoke(read_token(token).id)
    assert state.worker_token() is None


@pytest.mark.parametrize("name", ["Lab", "a_b", "", "-a", "a" * 41, "../x", "a.b"])
def test_names_that_no_mesh_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidConfig, match="is no name of a mesh"):
        open_state(tmp_path, name)


def test_a_key_of_another_mesh_is_noticed(tmp_path: Path) -> None:
    state = open_state(tmp_path, "lab")
    write_private(state.folder / "ca.key", new_authority("lab").key)
    with pytest.raises(InvalidConfig, match="does not belong to its certificate"):
        find_state(tmp_path, "lab")
