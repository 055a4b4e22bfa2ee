"""PAdES: sign a PDF by incremental update, and check such a signature against the pinned root.

The approved PDF stays a byte prefix of the signed one, so a releaser's approval of the unsigned
bytes can be seen in what went out. The PDF is a rendering; the signed JSON document is what counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from io import BytesIO
from typing import Any

from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import signers
from pyhanko.sign.fields import SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.validation import SignatureCoverageLevel, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext
from pyhanko_certvalidator.registry import SimpleCertificateStore

from broker.errors import NotAuthentic, Refused
from broker.sealing.certificates import DocumentKey

FIELD = "BrokerSignature"


class _DatedSigner(signers.PdfSigner):  # type: ignore[misc]
    """pyHanko's signer with the time as an argument; on its own it reads the clock."""

    def __init__(self, when: datetime, **options: Any) -> None:
        super().__init__(**options)
        self._when = when

    def init_signing_session(self, *arguments: Any, **options: Any) -> Any:
        session = super().init_signing_session(*arguments, **options)
        session.system_time = self._when
        return session


def pades_sign(pdf: bytes, key: DocumentKey, when: datetime) -> bytes:
    """The same PDF with a PAdES B-B signature appended. Not to be called inside an event loop."""
    store = SimpleCertificateStore()
    store.register(_certificate(key.root))
    signer = signers.SimpleSigner(
        signing_cert=_certificate(key.certificate),
        signing_key=asn1_keys.PrivateKeyInfo.load(
            key.private.private_bytes(
                serialization.Encoding.DER,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        ),
        cert_registry=store,
    )
    meta = signers.PdfSignatureMetadata(
        field_name=FIELD, md_algorithm="sha256", subfilter=SigSeedSubFilter.PADES
    )
    dated = _DatedSigner(when, signature_meta=meta, signer=signer, new_field_spec=SigFieldSpec(FIELD))
    try:
        writer = IncrementalPdfFileWriter(BytesIO(pdf))
        signed: bytes = dated.sign_pdf(writer).getvalue()
    except PdfError:
        raise Refused("pdf-form", "the document is not a PDF that can be signed") from None
    if not signed.startswith(pdf):
        raise Refused("pdf-prefix", "signing changed the approved bytes of the document")
    return signed


def is_signed(pdf: bytes) -> bool:
    """Whether the PDF carries any signature."""
    try:
        return bool(PdfFileReader(BytesIO(pdf)).embedded_signatures)
    except PdfError:
        return False


def pades_verify(pdf: bytes, roots: Sequence[x509.Certificate], at: datetime) -> None:
    """Raise `NotAuthentic` unless exactly one signature covers the whole file and leads to a root.

    `at`: the time for which certificates are judged (when the referral was drafted).
    """
    try:
        signatures = PdfFileReader(BytesIO(pdf)).embedded_signatures
        status = [_status(signature, roots, at) for signature in signatures]
    except (PdfError, ValueError):
        status = []
    whole = SignatureCoverageLevel.ENTIRE_FILE
    if len(status) != 1 or not status[0].bottom_line or status[0].coverage is not whole:
        raise NotAuthentic(
            "pdf-signature",
            "the signature in the PDF does not hold, does not cover the whole file or is another's",
            "Do not use the PDF; the signed referral document is what counts.",
        )


def _status(signature: Any, roots: Sequence[x509.Certificate], at: datetime) -> Any:
    context = ValidationContext(
        trust_roots=[_certificate(root) for root in roots],
        moment=at,
        allow_fetching=False,
        revocation_mode="soft-fail",
    )
    return validate_pdf_signature(signature, signer_validation_context=context)


def _certificate(certificate: x509.Certificate) -> Any:
    return asn1_x509.Certificate.load(certificate.public_bytes(serialization.Encoding.DER))
