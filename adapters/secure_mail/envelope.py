"""CMS EnvelopedData for one recipient certificate, RSA or EC, AES-256-CBC: what mail programs open.

RSA by `cryptography`; EC (which it lacks) is built here after RFC 5753: ephemeral-static ECDH, X9.63
key derivation with SHA-256, AES-256 key wrap. Both are what `openssl cms -decrypt` reads.
"""

from __future__ import annotations

import os
from datetime import datetime

from asn1crypto import cms, core, keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.x963kdf import X963KDF
from cryptography.hazmat.primitives.keywrap import aes_key_wrap
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.hazmat.primitives.serialization.pkcs7 import PKCS7EnvelopeBuilder, PKCS7Options

from broker.spi import Issue

MIN_RSA = 3072
_CURVES = (ec.SECP256R1, ec.SECP384R1, ec.SECP521R1)
_ECDH = "1.3.132.1.11.1"  # dhSinglePass-stdDH-sha256kdf-scheme
_WRAP = "2.16.840.1.101.3.4.1.45"  # id-aes256-wrap


def certificate_issues(pem: object, at: datetime | None = None) -> list[Issue]:
    """What is wrong with a certificate as one to be pinned; with `at`, whether it is valid then."""
    try:
        if not isinstance(pem, str):
            raise ValueError
        certificate = x509.load_pem_x509_certificate(pem.encode())
        key = certificate.public_key()
    except ValueError:
        return [Issue("/certificate", "pem", "must be one X.509 certificate in PEM")]
    issues = []
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA:
            issues.append(Issue("/certificate", "key-size", f"an RSA key has at least {MIN_RSA} bits"))
    elif not (isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, _CURVES)):
        issues.append(Issue("/certificate", "key-type", "must be RSA or a NIST curve"))
    if at is not None and not certificate.not_valid_before_utc <= at < certificate.not_valid_after_utc:
        issues.append(Issue("/certificate", "validity", "is not valid now"))
    return issues


def seal(content: bytes, pem: str) -> bytes:
    """DER of the CMS message that only the holder of the certificate's key opens."""
    certificate = x509.load_pem_x509_certificate(pem.encode())
    key = certificate.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return (
            PKCS7EnvelopeBuilder()
            .set_data(content)
            .add_recipient(certificate)
            .set_content_encryption_algorithm(algorithms.AES256)
            .encrypt(Encoding.DER, [PKCS7Options.Binary])
        )
    if not isinstance(key, ec.EllipticCurvePublicKey):
        raise TypeError("the certificate was not checked before it was pinned")
    return _seal_ec(content, certificate, key)


def _seal_ec(content: bytes, certificate: x509.Certificate, key: ec.EllipticCurvePublicKey) -> bytes:
    content_key, iv = os.urandom(32), os.urandom(16)
    padder = PKCS7(128).padder()
    padded = padder.update(content) + padder.finalize()
    encryptor = Cipher(algorithms.AES256(content_key), modes.CBC(iv)).encryptor()
    info = cms.EncryptedContentInfo(
        {
            "content_type": "data",
            "content_encryption_algorithm": {"algorithm": "aes256_cbc", "parameters": iv},
            "encrypted_content": encryptor.update(padded) + encryptor.finalize(),
        }
    )
    enveloped = cms.EnvelopedData(
        {
            "version": "v2",
            "recipient_infos": [cms.RecipientInfo("kari", _agree(content_key, certificate, key))],
            "encrypted_content_info": info,
        }
    )
    return bytes(cms.ContentInfo({"content_type": "enveloped_data", "content": enveloped}).dump())


def _agree(
    content_key: bytes, certificate: x509.Certificate, key: ec.EllipticCurvePublicKey
) -> cms.KeyAgreeRecipientInfo:
    ephemeral = ec.generate_private_key(key.curve)
    wrap = _Algorithm({"algorithm": _WRAP})
    shared_info = _SharedInfo({"key_info": wrap, "supp_pub_info": (256).to_bytes(4, "big")})
    secret = ephemeral.exchange(ec.ECDH(), key)
    wrapping = X963KDF(hashes.SHA256(), 32, shared_info.dump()).derive(secret)
    public = ephemeral.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    parsed = asn1_x509.Certificate.load(certificate.public_bytes(Encoding.DER))
    return cms.KeyAgreeRecipientInfo(
        {
            "version": "v3",
            "originator": cms.OriginatorIdentifierOrKey("originator_key", keys.PublicKeyInfo.load(public)),
            "key_encryption_algorithm": cms.KeyEncryptionAlgorithm(
                {"algorithm": _ECDH, "parameters": core.Any(wrap)}
            ),
            "recipient_encrypted_keys": [
                {
                    "rid": cms.KeyAgreementRecipientIdentifier(
                        "issuer_and_serial_number",
                        {"issuer": parsed.issuer, "serial_number": parsed.serial_number},
                    ),
                    "encrypted_key": aes_key_wrap(wrapping, content_key),
                }
            ],
        }
    )


class _Algorithm(core.Sequence):  # type: ignore[misc]
    """AlgorithmIdentifier without parameters, as key wrap has it (RFC 3565)."""

    _fields = [("algorithm", core.ObjectIdentifier)]  # noqa: RUF012 - how asn1crypto wants it


class _SharedInfo(core.Sequence):  # type: ignore[misc]
    """ECC-CMS-SharedInfo (RFC 5753, 7.2) without entityUInfo."""

    _fields = [  # noqa: RUF012
        ("key_info", _Algorithm),
        ("supp_pub_info", core.OctetString, {"explicit": 2}),
    ]
