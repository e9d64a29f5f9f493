"""A mesh's certificate authority: makes the certificates by which its nodes know each other.

Handed requests of nodes that have shown that they belong; hands on certificates. What always holds: only the driver's machine
has the CA's key; a certificate names the node's id first, then the mesh, and no request can put a name of the mesh's own
domain into it.
"""

from __future__ import annotations

import datetime
import hashlib
import ipaddress
import re
from collections.abc import Iterable

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from flightmesh.errors import InvalidConfig, InvalidToken, NotAllowed
from flightmesh.trust.certificates import (
    DOMAIN,
    SKEW_SECONDS,
    Identity,
    alternative_names,
    certificate_pem,
    driver_name,
    key_pem,
    mesh_name,
    new_request,
    requested_addresses,
)

CA_YEARS = 20
SKEW = datetime.timedelta(seconds=SKEW_SECONDS)
MOST_ADDRESSES = 64
LONGEST_NAME = 253
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_NAME = re.compile(rf"{_LABEL}(\.{_LABEL})*\.?")
_UNREADABLE = (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.DuplicateExtension)
"""What the library raises for requests that are damaged, or that it does not know its way about."""


class Authority:
    """The CA of one mesh, with its key."""

    def __init__(self, certificate: bytes, key: bytes) -> None:
        """`certificate` and `key` as PEM. Raises InvalidConfig where they are none, or do not belong together."""
        try:
            self._certificate = x509.load_pem_x509_certificate(certificate)
            loaded = serialization.load_pem_private_key(key, None)
        except (ValueError, TypeError) as error:
            raise InvalidConfig(f"the files of this mesh's authority are damaged: {error}") from None
        if not isinstance(loaded, ec.EllipticCurvePrivateKey) or loaded.public_key() != self._certificate.public_key():
            raise InvalidConfig("the key of this mesh's authority does not belong to its certificate")
        self._key = loaded
        self.mesh = mesh_of(certificate)
        self.certificate = certificate
        self.fingerprint = fingerprint(certificate)

    @property
    def key(self) -> bytes:
        """The CA's key as PEM."""
        return key_pem(self._key)

    def issue(self, request: bytes, node: str, hours: float) -> bytes:
        """A certificate (PEM) for the node with id `node`, for `request` (DER), good for so many hours. Raises NotAllowed for a
        request that is damaged or asks for what it may not have."""
        asked = _read_request(request)
        return self._sign(asked.public_key(), node, [mesh_name(self.mesh)], _allowed(asked), hours)

    def identity_of_driver(self, node: str, addresses: Iterable[str], hours: float) -> Identity:
        """A driver's own identity."""
        key, request = new_request(addresses)
        asked = _read_request(request)
        names = [mesh_name(self.mesh), driver_name(self.mesh)]
        certificate = self._sign(asked.public_key(), node, names, _allowed(asked), hours)
        loaded = x509.load_pem_x509_certificate(certificate)
        starts, ends = loaded.not_valid_before_utc.timestamp(), loaded.not_valid_after_utc.timestamp()
        return Identity(node, self.mesh, self.certificate, certificate, key, starts, ends)

    def _sign(self, public: object, node: str, names: list[str], addresses: tuple[str, ...], hours: float) -> bytes:
        assert isinstance(public, ec.EllipticCurvePublicKey), "requests with other keys are refused"
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, node)]))
            .issuer_name(self._certificate.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - SKEW)
            .not_valid_after(now + datetime.timedelta(hours=hours))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
            )
            .add_extension(x509.SubjectAlternativeName(alternative_names([node, *names, *addresses])), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificate_pem(certificate)


def new_authority(mesh: str) -> Authority:
    """The CA of a new mesh."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, DOMAIN), x509.NameAttribute(NameOID.COMMON_NAME, mesh)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + datetime.timedelta(days=365 * CA_YEARS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate_pem(certificate), key_pem(key))


def fingerprint(certificate: bytes) -> str:
    """The SHA-256 of a certificate (PEM) in DER form, in hex. Raises InvalidToken for what is no certificate."""
    return hashlib.sha256(_load(certificate).public_bytes(serialization.Encoding.DER)).hexdigest()


def mesh_of(certificate: bytes) -> str:
    """The name of the mesh whose CA certificate (PEM) this is."""
    names = _load(certificate).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""


def _load(certificate: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(certificate)
    except ValueError:
        raise InvalidToken("what should be the certificate of a mesh's authority is none") from None


def _read_request(request: bytes) -> x509.CertificateSigningRequest:
    try:
        asked = x509.load_der_x509_csr(request)
        sound = asked.is_signature_valid
        key = asked.public_key()
    except _UNREADABLE:
        raise NotAllowed("what should be a request for a certificate is none") from None
    if not sound or not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise NotAllowed("the request for a certificate is not signed by the key that it names, or not on P-256")
    return asked


def _allowed(asked: x509.CertificateSigningRequest) -> tuple[str, ...]:
    """The addresses of a request, unless it asks for too many or for a name of the mesh itself."""
    try:
        addresses = requested_addresses(asked)
    except _UNREADABLE:
        raise NotAllowed("the request for a certificate names addresses that are none") from None
    if len(addresses) > MOST_ADDRESSES:
        raise NotAllowed(f"the request for a certificate names {len(addresses)} addresses, at most {MOST_ADDRESSES} are taken")
    for address in addresses:
        name = address.lower().rstrip(".")
        if name == DOMAIN or name.endswith("." + DOMAIN) or "*" in name or _looks_like_a_node(name):
            raise NotAllowed(f"a node cannot be named {address[:80]!r}: such names are the mesh's own")
        if not _is_host(address):
            raise NotAllowed(f"a node cannot be named {address[:80]!r}: that is neither an address nor the name of a host")
    return addresses


def _is_host(text: str) -> bool:
    """Whether a name can be a host's: nothing in it is read in two ways (a NUL, for some, is where a name ends)."""
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return len(text) <= LONGEST_NAME and _NAME.fullmatch(text) is not None
    return True


def _looks_like_a_node(name: str) -> bool:
    """Whether a name has the form of node ids, which say what a node may do."""
    head, dash, _ = name.partition("-")
    return bool(dash) and "." not in name and (head == "d" or (head[:1] in "wc" and len(head) == 8 and _is_hex(head[1:])))


def _is_hex(text: str) -> bool:
    return all(digit in "0123456789abcdef" for digit in text)
