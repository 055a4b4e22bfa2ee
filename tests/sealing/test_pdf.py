"""PAdES by incremental update: the approved bytes stay a prefix, any change is seen."""

from __future__ import annotations

from datetime import timedelta
from io import BytesIO

import pytest
from pypdf import PdfReader, PdfWriter

from broker.errors import NotAuthentic, Refused
from broker.sealing import pdf
from broker.sealing.keyring import Keyring
from tests.sealing.building import DRAFTED, blank_pdf
from tests.sealing.conftest import NOW, PASSPHRASE


def test_signed_is_an_extension_of_the_approved_bytes(keyring: Keyring) -> None:
    plain = blank_pdf()
    signed = pdf.pades_sign(plain, keyring.pades(), DRAFTED)
    assert signed.startswith(plain)
    assert len(PdfReader(BytesIO(signed)).pages) == 1
    assert b"ETSI.CAdES.detached" in signed
    assert b"20260302100000Z" in signed
    pdf.pades_verify(signed, [keyring.pades().root], DRAFTED)
    assert pdf.is_signed(signed)
    assert not pdf.is_signed(plain)
    assert not pdf.is_signed(b"text")


def test_changed_bytes_are_refused(keyring: Keyring) -> None:
    plain = blank_pdf()
    signed = pdf.pades_sign(plain, keyring.pades(), DRAFTED)
    for place in range(9, len(plain), 97):
        changed = bytearray(signed)
        changed[place] ^= 1
        with pytest.raises(NotAuthentic):
            pdf.pades_verify(bytes(changed), [keyring.pades().root], DRAFTED)


def test_additions_and_absence_are_refused(keyring: Keyring) -> None:
    root = keyring.pades().root
    signed = pdf.pades_sign(blank_pdf(), keyring.pades(), DRAFTED)
    writer = PdfWriter(BytesIO(signed), incremental=True)
    writer.add_blank_page(100, 100)
    longer = BytesIO()
    writer.write(longer)
    assert longer.getvalue().startswith(signed)
    for content in (longer.getvalue(), signed + b"\n% more\n", blank_pdf(), b"", b"not a PDF"):
        with pytest.raises(NotAuthentic):
            pdf.pades_verify(content, [root], DRAFTED)
    with pytest.raises(Refused):
        pdf.pades_sign(b"not a PDF", keyring.pades(), DRAFTED)


def test_another_root_and_another_time_are_refused(
    keyring: Keyring, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("other")
    folder.chmod(0o700)
    other = Keyring.init(folder, PASSPHRASE, NOW, {"pades"})
    signed = pdf.pades_sign(blank_pdf(), keyring.pades(), DRAFTED)
    for roots, at in [
        ([other.pades().root], DRAFTED),
        ([], DRAFTED),
        ([keyring.pades().root], DRAFTED - timedelta(days=30)),
        ([keyring.pades().root], DRAFTED + timedelta(days=3000)),
    ]:
        with pytest.raises(NotAuthentic):
            pdf.pades_verify(signed, roots, at)
    pdf.pades_verify(signed, [other.pades().root, keyring.pades().root], DRAFTED)
