"""Keys, requests and certificates of nodes.

Handed names and addresses; hands on a key with its signing request; handed PEM, hands on what a certificate says. What always
holds: keys are on the curve P-256 and leave memory only as PEM that the caller asked for; a node's names are, in order, its
id, the mesh-wide name, and what it is reached by.
"""

from __future__ import annotations

import datetime
import ipaddress
from collections.abc import Iterable
from dataclasses import field

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from flightmesh.dataclass import dataclass

DOMAIN = "flightmesh"
SKEW_SECONDS = 300.0
"""Certificates begin so long before they are made, since clocks differ."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a node shows: its certificate and key, and the CA that made it (all PEM). `node` is its id."""

    node: str
    mesh: str
    roots: bytes
    certificate: bytes
    key: bytes = field(repr=False)
    starts: float = 0.0
    ends: float = 0.0

    @property
    def renew_at(self) -> float:
        """When to ask for the next certificate: after two thirds of this one's life. Seconds since the epoch."""
        return self.ends - (self.ends - self.starts - SKEW_SECONDS) / 3


def mesh_name(mesh: str) -> str:
    """The name that every node's certificate carries."""
    return f"{mesh}.{DOMAIN}"


def driver_name(mesh: str) -> str:
    """The name that only a driver's certificate carries."""
    return f"driver.{mesh}.{DOMAIN}"


def new_request(addresses: Iterable[str]) -> tuple[bytes, bytes]:
    """A new key (PEM) and a request for a certificate (DER) that names `addresses`: IP addresses and host names."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder().subject_name(x509.Name([]))
    names = alternative_names(addresses)
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    request = builder.sign(key, hashes.SHA256())
    return key_pem(key), request.public_bytes(serialization.Encoding.DER)


def alternative_names(addresses: Iterable[str]) -> list[x509.GeneralName]:
    """Addresses as a certificate names them, each once."""
    found: dict[str, x509.GeneralName] = {}
    for text in addresses:
        try:
            found[text] = x509.IPAddress(ipaddress.ip_address(text.partition("%")[0].strip("[]")))
        except ValueError:
            found[text] = x509.DNSName(text)
    return list(found.values())


def requested_addresses(request: x509.CertificateSigningRequest) -> tuple[str, ...]:
    """The addresses that a request names."""
    try:
        names = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return (
        *(str(address) for address in names.get_values_for_type(x509.IPAddress)),
        *names.get_values_for_type(x509.DNSName),
    )


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    """A key as PEM, not encrypted: whoever keeps it keeps it private."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def certificate_pem(certificate: x509.Certificate) -> bytes:
    """A certificate as PEM."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def lifetime(certificate: bytes) -> tuple[float, float]:
    """From when and until when a certificate (PEM) is good, in seconds since the epoch."""
    loaded = x509.load_pem_x509_certificate(certificate)
    return loaded.not_valid_before_utc.timestamp(), loaded.not_valid_after_utc.timestamp()


def self_signed(hours: float = 1.0) -> tuple[bytes, bytes]:
    """A certificate and key (PEM) that nobody trusts: what a listener shows until it has been given its own."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a node that has not joined yet")])
    now = datetime.datetime.now(datetime.UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(hours=hours))
    )
    return certificate_pem(builder.sign(key, hashes.SHA256())), key_pem(key)
