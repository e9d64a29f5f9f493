"""The certificates that a mesh's authority makes, and the handshake by which nodes get them."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from flightmesh.errors import NotAllowed
from flightmesh.trust.authority import Authority, fingerprint, mesh_of, new_authority
from flightmesh.trust.certificates import Identity, driver_name, mesh_name, new_request
from flightmesh.trust.joining import Doorkeeper, Nonces, proof
from flightmesh.trust.token_store import TokenStore
from flightmesh.trust.tokens import Kind


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority("lab")


@pytest.fixture
def tokens(authority: Authority, tmp_path: Path) -> TokenStore:
    return TokenStore(tmp_path / "tokens.json", authority.fingerprint)


def names_in(certificate: bytes) -> list[str]:
    loaded = x509.load_pem_x509_certificate(certificate)
    found = loaded.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return [str(name.value) for name in found]


def test_a_certificate_names_the_node_first_then_the_mesh_then_addresses(authority: Authority) -> None:
    _, request = new_request(["192.168.1.7", "rack-3.example.org", "fe80::1"])
    certificate = authority.issue(request, "w3f9a2c1-5f0e9a1b", 24)
    names = names_in(certificate)
    assert names[:2] == ["w3f9a2c1-5f0e9a1b", "lab.flightmesh"]
    assert sorted(names[2:]) == ["192.168.1.7", "fe80::1", "rack-3.example.org"]
    loaded = x509.load_pem_x509_certificate(certificate)
    loaded.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate))
    life = loaded.not_valid_after_utc - loaded.not_valid_before_utc
    assert 24 * 3600 <= life.total_seconds() <= 24 * 3600 + 600


def test_only_a_driver_has_the_drivers_name(authority: Authority) -> None:
    identity = authority.identity_of_driver("d-01020304", ["10.0.0.1"], 24)
    assert names_in(identity.certificate)[:3] == ["d-01020304", mesh_name("lab"), driver_name("lab")]
    assert identity.starts < identity.renew_at < identity.ends


@pytest.mark.parametrize(
    "name",
    ["driver.lab.flightmesh", "lab.flightmesh", "flightmesh", "x.FLIGHTMESH.", "*.example.org", "d-01020304", "w3f9a2c1-1"],
)
def test_no_node_gets_a_name_of_the_meshs_own(authority: Authority, name: str) -> None:
    _, request = new_request([name])
    with pytest.raises(NotAllowed, match="such names are the mesh's own"):
        authority.issue(request, "w3f9a2c1-5f0e9a1b", 24)


@pytest.mark.parametrize(
    "name",
    ["driver.lab.flightmesh\0", "driver.lab.flightmesh\0.example.org", "driver.lab.flightmesh ", "a" * 300, "", "a\n", "a:1"],
)
def test_no_node_gets_a_name_that_no_host_has(authority: Authority, name: str) -> None:
    """Some would read them as another's."""
    _, request = new_request([name])
    with pytest.raises(NotAllowed, match="neither an address nor the name of a host"):
        authority.issue(request, "w3f9a2c1-5f0e9a1b", 24)


def test_requests_that_are_none(authority: Authority) -> None:
    with pytest.raises(NotAllowed, match="is none"):
        authority.issue(b"nonsense", "w3f9a2c1-5f0e9a1b", 24)
    weak = rsa.generate_private_key(65537, 2048)
    request = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([])).sign(weak, hashes.SHA256())
    with pytest.raises(NotAllowed, match="not on P-256"):
        authority.issue(request.public_bytes(serialization.Encoding.DER), "w3f9a2c1-5f0e9a1b", 24)
    other_curve = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    request = other_curve.sign(ec.generate_private_key(ec.SECP384R1()), hashes.SHA256())
    with pytest.raises(NotAllowed, match="not on P-256"):
        authority.issue(request.public_bytes(serialization.Encoding.DER), "w3f9a2c1-5f0e9a1b", 24)
    with pytest.raises(NotAllowed, match="at most 64"):
        authority.issue(new_request([f"10.0.0.{number}" for number in range(65)])[1], "w3f9a2c1-5f0e9a1b", 24)
    _, good = new_request(["10.0.0.1"])
    with pytest.raises(NotAllowed):
        authority.issue(good[:-3] + bytes(3), "w3f9a2c1-5f0e9a1b", 24)


def test_a_request_asks_for_no_rights_of_its_own(authority: Authority) -> None:
    """What a request says of itself beside its addresses does not come into the certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    request = (
        x509.CertificateSigningRequestBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "driver.lab.flightmesh")]))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    der = request.public_bytes(serialization.Encoding.DER)
    made = x509.load_pem_x509_certificate(authority.issue(der, "w3f9a2c1-5f0e9a1b", 24))
    assert not made.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert [str(part.value) for part in made.subject] == ["w3f9a2c1-5f0e9a1b"]


def test_the_fingerprint_is_that_of_the_certificate(authority: Authority) -> None:
    loaded = x509.load_pem_x509_certificate(authority.certificate)
    assert authority.fingerprint == loaded.fingerprint(hashes.SHA256()).hex() == fingerprint(authority.certificate)
    assert mesh_of(authority.certificate) == "lab"
    assert Authority(authority.certificate, authority.key).fingerprint == authority.fingerprint


def test_a_node_that_knows_the_secret_is_let_in(authority: Authority, tokens: TokenStore) -> None:
    keeper, token = Doorkeeper(authority, tokens, 24), tokens.make(Kind.WORKER)
    _, request = new_request(["10.0.0.1"])
    nonce = keeper.nonce()
    node, certificate = keeper.let_in(token.id, nonce, request, proof(token.secret, nonce, request))
    assert node.startswith(f"{token.id}-")
    assert names_in(certificate)[0] == node


def test_an_answer_counts_once(authority: Authority, tokens: TokenStore) -> None:
    keeper, token = Doorkeeper(authority, tokens, 24), tokens.make(Kind.WORKER)
    _, request = new_request(["10.0.0.1"])
    nonce = keeper.nonce()
    shown = proof(token.secret, nonce, request)
    keeper.let_in(token.id, nonce, request, shown)
    with pytest.raises(NotAllowed, match="not fresh"):
        keeper.let_in(token.id, nonce, request, shown)


def test_what_does_not_fit_is_refused_the_same_way(authority: Authority, tokens: TokenStore) -> None:
    keeper, token, client = Doorkeeper(authority, tokens, 24), tokens.make(Kind.WORKER), tokens.make(Kind.CLIENT)
    revoked, expired = tokens.make(Kind.WORKER), tokens.make(Kind.WORKER, seconds=-1)
    tokens.revoke(revoked.id)
    _, request = new_request(["10.0.0.1"])
    _, other = new_request(["10.0.0.2"])
    for id, secret, asked in (
        ("w0000000", token.secret, request),  # unknown
        (token.id, bytes(32), request),  # another secret
        (token.id, token.secret, other),  # for another request
        (client.id, client.secret, request),
        (revoked.id, revoked.secret, request),
        (expired.id, expired.secret, request),
    ):
        nonce = keeper.nonce()
        with pytest.raises(NotAllowed, match="lets no node in"):
            keeper.let_in(id, nonce, request, proof(secret, nonce, asked))
    forged = bytes(32)
    with pytest.raises(NotAllowed, match="not fresh"):
        keeper.let_in(token.id, forged, request, proof(token.secret, forged, request))


def test_a_failed_answer_uses_its_nonce_up(authority: Authority, tokens: TokenStore) -> None:
    keeper, token = Doorkeeper(authority, tokens, 24), tokens.make(Kind.WORKER)
    _, request = new_request(["10.0.0.1"])
    nonce = keeper.nonce()
    with pytest.raises(NotAllowed):
        keeper.let_in(token.id, nonce, request, bytes(32))
    with pytest.raises(NotAllowed, match="not fresh"):
        keeper.let_in(token.id, nonce, request, proof(token.secret, nonce, request))


def test_renewal_ends_with_the_token_not_with_its_time(authority: Authority, tokens: TokenStore) -> None:
    keeper, expired = Doorkeeper(authority, tokens, 24), tokens.make(Kind.WORKER, seconds=-1)
    _, request = new_request(["10.0.0.1"])
    assert names_in(keeper.renew(f"{expired.id}-5f0e9a1b", request))[0] == f"{expired.id}-5f0e9a1b"
    tokens.revoke(expired.id)
    with pytest.raises(NotAllowed, match="was revoked"):
        keeper.renew(f"{expired.id}-5f0e9a1b", request)


def test_nonces_are_bounded() -> None:
    nonces = Nonces()
    first = nonces.give()
    for _ in range(5000):
        nonces.give()
    assert not nonces.use(first)


def test_a_key_is_not_shown() -> None:
    identity = Identity("n", "lab", b"roots", b"certificate", b"the key itself")
    assert "the key itself" not in repr(identity)
