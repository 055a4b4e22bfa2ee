"""The offline verifier: a folder of files against a trust folder.

Needs no network, no database and no settings. It cannot know what was withdrawn since: every report
ends by saying so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from broker.core.canonical import encode_trusted, sha256_hex
from broker.errors import NotAuthentic
from broker.sealing.encrypt import MAX_DOCUMENT
from broker.sealing.files import fail, read, text
from broker.sealing.jose import KeySet
from broker.sealing.package import (
    MAX_JSON,
    Check,
    Trail,
    VerifiedRedaction,
    VerifiedReferral,
    verify_package,
    verify_redacted,
)
from broker.sealing.receipts import part_digests, read_receipt
from broker.sealing.redaction import redact_folder
from broker.sealing.trust import Trust, parse_time

OFFLINE = "withdrawals not checked: offline"
DOCUMENTS = "documents"
_CHECKED = {
    "referral.jws",
    "seal.jws",
    "opening.json",
    "proof.tlog",
    "apart.jws",
    "referral.json",
    "withheld.json",
    "redacted.json",
    "apart.json",
    DOCUMENTS,
}
_NAMED_ONLY = {"referral.jwe", "apart.jwe", "receipt.jws"}


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked, in order. The first check that failed ends the verification."""

    checks: tuple[Check, ...]
    not_checked: tuple[str, ...]
    referral: VerifiedReferral | None

    @property
    def ok(self) -> bool:
        """Whether everything held."""
        return all(check.ok for check in self.checks)

    @property
    def failure(self) -> Check | None:
        """The check that failed."""
        return next((check for check in self.checks if not check.ok), None)

    def lines(self) -> list[str]:
        """The report as plain text, a line each."""
        checks = [f"{'ok' if c.ok else 'FAILED'}  {c.name}: {c.what}" for c in self.checks]
        hints = [check.hint for check in self.checks if check.hint]
        return [*checks, *hints, *(f"not checked: {name}" for name in self.not_checked), OFFLINE]


def verify_redacted_file(path: Path, trust: Path) -> Report:
    """Check a redacted form that came alone. Its publication is not shown: that needs the proof."""
    pinned = Trust.load(trust)
    trail = Trail()
    try:
        verify_redacted(read(path.parent, path.name, MAX_JSON), pinned)
        trail.passed("redacted", "what is left of the referral is what was sealed, conditions included")
    except NotAuthentic as error:
        trail.checks.append(_failed(error))
    return Report(tuple(trail.checks), (), None)


def _failed(error: NotAuthentic) -> Check:
    return Check(error.code, False, error.message[:1].upper() + error.message[1:] + ".", error.hint)


def verify_folder(
    folder: Path, trust: Path, *, not_collected: Collection[str] = (), receipt_keys: KeySet | None = None
) -> Report:
    """Check a referral's folder. A failure is a check that is not ok; missing trust raises.

    `receipt_keys` come from the partner's registration file; without them a receipt is compared with
    the files beside it and its signature is not checked.
    """
    pinned = Trust.load(trust)
    trail = Trail()
    referral = None
    try:
        referral = _verify(folder, pinned, not_collected, trail)
        if {"receipt.jws", "referral.jwe"} <= _names(folder):
            _receipt(folder, referral, receipt_keys, trail)
    except NotAuthentic as error:
        trail.checks.append(_failed(error))
    return Report(tuple(trail.checks), _not_checked(folder, signed=receipt_keys is not None), referral)


def _verify(folder: Path, trust: Trust, not_collected: Collection[str], trail: Trail) -> VerifiedReferral:
    referral = text(folder, "referral.jws")
    apart = text(folder, "apart.jws") if (folder / "apart.jws").exists() else None
    proof = text(folder, "proof.tlog", "utf-8")
    verified = verify_package(
        referral,
        text(folder, "seal.jws"),
        read(folder, "opening.json", MAX_JSON),
        trust,
        documents=_documents(folder),
        not_collected=not_collected,
        apart_jws=apart,
        proof_text=proof,
        trail=trail,
    )
    _copies(folder, verified, trail)
    if (folder / "redacted.json").exists():
        form = verify_redacted(read(folder, "redacted.json", MAX_JSON), trust, proof)
        if form.seal["release"] != verified.seal["release"]:
            fail("package-mixed", "redacted.json belongs to another release")
        trail.passed("redacted", "the redacted form still verifies")
    _signatures(folder, verified, trust, trail)
    return verified


def _receipt(folder: Path, verified: VerifiedReferral, keys: KeySet | None, trail: Trail) -> None:
    """What the receipt says is compared with the bytes beside it."""
    said = read_receipt(text(folder, "receipt.jws"), keys)
    parts = part_digests(said)
    expected = {
        "release": verified.seal["release"],
        "object_sha256": sha256_hex(read(folder, "referral.jwe", MAX_JSON * 2)),
        "partner": verified.seal["carrier"]["partner"],
    }
    if any(said[name] != value for name, value in expected.items()):
        fail("receipt-differs", "the receipt or the encrypted referral is not the one that belongs here")
    if said["seal_sha256"] not in (None, sha256_hex(text(folder, "seal.jws").encode())):
        fail("receipt-differs", "the receipt is about another seal")
    listed = {f"documents/{entry['name']}" for entry in verified.seal["documents"]}
    if not parts.keys() <= listed | {"apart"}:
        fail("receipt-differs", "the receipt names a document that this referral does not have")
    if (folder / "apart.jwe").exists() and parts.get("apart") != sha256_hex(
        read(folder, "apart.jwe", MAX_JSON * 2)
    ):
        fail("receipt-differs", "what is sealed apart is not what the receipt names")
    signature = "" if keys is None else ", and is signed with the partner's registered key"
    trail.passed("receipt", f"names exactly these bytes{signature}")


def _copies(folder: Path, verified: VerifiedReferral, trail: Trail) -> None:
    copies = {
        "referral.json": verified.payload_bytes,
        "withheld.json": encode_trusted(verified.payload["withheld"]),
        "apart.json": encode_trusted(verified.apart),
    }
    for name, expected in copies.items():
        if (folder / name).exists():
            if read(folder, name, MAX_JSON) != expected:
                fail("copy-changed", f"{name} is not what the signed document says")
            trail.passed(name, "equal to what is signed")


def _signatures(folder: Path, verified: VerifiedReferral, trust: Trust, trail: Trail) -> None:
    """The PDF's own signature; its digest is sealed already, this is for who has a PDF only."""
    if not trust.pades_roots:
        return
    from broker.sealing import pdf  # heavy, and needed only where there is a signed PDF

    at = parse_time(verified.seal["drafted_at"])
    for entry in verified.seal["documents"]:
        path = folder / DOCUMENTS / entry["name"]
        if entry["media_type"] == "application/pdf" and path.exists():
            content = path.read_bytes()
            if pdf.is_signed(content):
                pdf.pades_verify(content, trust.pades_roots, at)
                trail.passed(entry["name"], "carries a valid signature of the pinned root")


def _documents(folder: Path) -> dict[str, bytes]:
    place = folder / DOCUMENTS
    if not place.is_dir():
        return {}
    found = {}
    for path in sorted(place.iterdir()):
        if not path.is_file():
            fail("document-unlisted", "the documents folder holds something that is not a document")
        found[path.name] = read(place, path.name, MAX_DOCUMENT)
    return found


def _not_checked(folder: Path, *, signed: bool) -> tuple[str, ...]:
    present = _names(folder)
    paired = {"receipt.jws", "referral.jwe"} <= present
    known = set() if paired else present & _NAMED_ONLY
    receipt = ("the receipt's signature (--registration)",) if paired and not signed else ()
    # The name of a file we do not know may say anything; it is counted, not repeated.
    other = len(present - _CHECKED - _NAMED_ONLY)
    return (*sorted(known), *receipt, *((f"{other} other files",) if other else ()))


def _names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()} if folder.is_dir() else set()


__all__ = [
    "OFFLINE",
    "Check",
    "Report",
    "Trust",
    "VerifiedRedaction",
    "VerifiedReferral",
    "redact_folder",
    "verify_folder",
    "verify_package",
    "verify_redacted",
]
