"""The delivered PDF under other people's eyes: pdfsig (NSS), pyHanko and OpenSSL."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import pypdf
import pytest
from asn1crypto import x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import SignatureCoverageLevel, validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from broker.desk.draft import Drafted
from tests.interop.conftest import Pulled
from tests.needs import needs

NAME = "referral.pdf"
_RANGE = re.compile(rb"/ByteRange\s*\[\s*(\d+)\s+(\d+)\s+(\d+)\s+(\d+)\s*\]")


@pytest.fixture
def pdf(pulled: Pulled, tmp_path: Path) -> Path:
    """A copy of the police's document."""
    return Path(shutil.copy(pulled.of("police")[0] / "documents" / NAME, tmp_path / NAME))


def flipped(pdf: Path, place: int) -> Path:
    data = bytearray(pdf.read_bytes())
    data[place] ^= 1
    other = pdf.with_name("changed.pdf")
    other.write_bytes(data)
    return other


def nss(folder: Path, root: Path | None) -> Path:
    """An NSS database, with the broker's document root trusted for documents or without it."""
    folder.mkdir()
    certutil = ["certutil", "-d", f"sql:{folder}"]
    subprocess.run([*certutil, "-N", "--empty-password"], check=True, timeout=60)
    if root is not None:
        command = [*certutil, "-A", "-n", "broker document root", "-t", ",C,C", "-a", "-i", str(root)]
        subprocess.run(command, check=True, timeout=60)
    return folder


def pdfsig(pdf: Path, database: Path) -> str:
    command = ["pdfsig", "-nssdir", f"sql:{database}", str(pdf)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.stdout


@needs("pdfsig", "certutil")
def test_pdfsig(pulled: Pulled, pdf: Path, tmp_path: Path) -> None:
    root = pulled.served.trust / "pades-root.pem"
    said = pdfsig(pdf, nss(tmp_path / "trusting", root))
    assert said.count("Signature Validation:") == 1
    assert "Signature Validation: Signature is Valid." in said
    assert "Certificate Validation: Certificate is Trusted." in said
    assert "Total document signed" in said
    assert "ETSI.CAdES.detached" in said
    stranger = pdfsig(pdf, nss(tmp_path / "stranger", None))
    assert "Certificate is Trusted" not in stranger
    assert "Signature is Valid" not in pdfsig(flipped(pdf, 2000), tmp_path / "trusting")


def status(pdf: Path, root: Path) -> Any:
    reader = PdfFileReader(BytesIO(pdf.read_bytes()))
    (signature,) = reader.embedded_signatures
    anchor = x509.Certificate.load(_der(root))
    context = ValidationContext(
        trust_roots=[anchor], moment=datetime.now(UTC), allow_fetching=False, revocation_mode="soft-fail"
    )
    return validate_pdf_signature(signature, signer_validation_context=context)


def _der(pem: Path) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509 import load_pem_x509_certificate

    return load_pem_x509_certificate(pem.read_bytes()).public_bytes(Encoding.DER)


def test_pyhanko_from_the_pinned_root(pulled: Pulled, pdf: Path) -> None:
    root = pulled.served.trust / "pades-root.pem"
    found = status(pdf, root)
    assert found.bottom_line
    assert found.coverage is SignatureCoverageLevel.ENTIRE_FILE
    assert not status(flipped(pdf, 2000), root).bottom_line


def cut(pdf: Path, to: Path) -> tuple[Path, Path]:
    """What the ByteRange covers, and the signature that stands in its gap."""
    data = pdf.read_bytes()
    ((start, length, second, rest),) = [tuple(map(int, m.groups())) for m in _RANGE.finditer(data)]
    assert start == 0
    assert second + rest == len(data), "the signature covers the file to its end"
    content, signature = to / "content", to / "signature.der"
    content.write_bytes(data[:length] + data[second:])
    held = bytes.fromhex(data[length + 1 : second - 1].decode())
    size = 4 + int.from_bytes(held[2:4], "big")
    assert held[:2] == b"\x30\x82"
    assert not held[size:].strip(b"\0")
    signature.write_bytes(held[:size])
    return content, signature


@needs("openssl")
def test_openssl_cms(pulled: Pulled, pdf: Path, tmp_path: Path) -> None:
    content, signature = cut(pdf, tmp_path)
    command = [
        "openssl", "cms", "-verify", "-binary", "-inform", "DER", "-in", str(signature), "-content",
        str(content), "-CAfile", str(pulled.served.trust / "pades-root.pem"), "-no-CApath", "-purpose", "any",
        "-cades", "-out", "/dev/null",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    content.write_bytes(content.read_bytes()[:-1] + b" ")
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode != 0


def test_what_was_approved_is_a_prefix_and_what_is_attached_is_the_payload(pulled: Pulled) -> None:
    """Of each release: the releaser approved bytes that stand unchanged at the start of the signed file."""
    for _, folder in pulled.folders:
        signed = (folder / "documents" / NAME).read_bytes()
        made: Drafted = pulled.served.made[folder.name]
        approved = next(d for d in made.composition.record.documents if d.name == NAME)
        assert signed.startswith(approved.content)
        assert len(signed) > len(approved.content)
        attached = pypdf.PdfReader(BytesIO(signed)).attachments
        assert attached == {"referral.json": [(folder / "referral.json").read_bytes()]}
