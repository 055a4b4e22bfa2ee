"""The broker's own document root and signing certificate, for PAdES signatures on PDF dossiers.

Self-made: the root is handed over with the trust folder. A qualified certificate can take the place
of the signing certificate later without touching anything else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ROOT_LIFE = timedelta(days=3650)
DOCUMENT_LIFE = timedelta(days=1096)
EARLY = timedelta(days=2)
"""A draft can be older than the key that signs it; certificates are judged at the draft's time."""
_NO_USE = {
    "data_encipherment": False,
    "key_agreement": False,
    "key_encipherment": False,
    "encipher_only": False,
    "decipher_only": False,
}


@dataclass(frozen=True, slots=True)
class DocumentKey:
    """What signs PDF documents."""

    private: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    root: x509.Certificate


def make_root(key: ec.EllipticCurvePrivateKey, now: datetime) -> x509.Certificate:
    """A self-signed root that may sign certificates and nothing else."""
    name = _name("Referral broker document root")
    builder = _builder(name, name, key.public_key(), now, ROOT_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    usage = x509.KeyUsage(
        digital_signature=False,
        content_commitment=False,
        key_cert_sign=True,
        crl_sign=True,
        **_NO_USE,
    )
    return builder.add_extension(usage, critical=True).sign(key, hashes.SHA256())


def make_document(
    public: ec.EllipticCurvePublicKey,
    root: x509.Certificate,
    root_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> x509.Certificate:
    """The certificate for signing documents (digital signature, content commitment)."""
    builder = _builder(_name("Referral broker documents"), root.subject, public, now, DOCUMENT_LIFE)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_cert_sign=False,
        crl_sign=False,
        **_NO_USE,
    )
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key())
    builder = builder.add_extension(usage, critical=True).add_extension(issuer, critical=False)
    return builder.sign(root_key, hashes.SHA256())


def to_pem(certificate: x509.Certificate) -> bytes:
    """PEM text."""
    return certificate.public_bytes(serialization.Encoding.PEM)


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    public: ec.EllipticCurvePublicKey,
    now: datetime,
    life: timedelta,
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - EARLY)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
