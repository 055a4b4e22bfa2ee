"""The offline verifier: a folder of files against a trust folder, and redaction of what it holds.

Needs no network, no database and no settings. It cannot know what was withdrawn since: every report
ends by saying so.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from broker.core import seal
from broker.core.canonical import b64u, decode, encode, encode_trusted, sha256_hex
from broker.errors import NotAuthentic, Refused
from broker.sealing.encrypt import MAX_DOCUMENT
from broker.sealing.jose import parse
from broker.sealing.package import (
    MAX_JSON,
    Check,
    Trail,
    VerifiedRedaction,
    VerifiedReferral,
    verify_package,
    verify_redacted,
)
from broker.sealing.trust import Trust, parse_time
from broker.spi import Json

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


def verify_folder(folder: Path, trust: Path, *, not_collected: Collection[str] = ()) -> Report:
    """Check a referral's folder. A failure is a check that is not ok; missing trust raises."""
    pinned = Trust.load(trust)
    trail = Trail()
    referral = None
    try:
        referral = _verify(folder, pinned, not_collected, trail)
    except NotAuthentic as error:
        sentence = error.message[:1].upper() + error.message[1:] + "."
        trail.checks.append(Check(error.code, False, sentence, error.hint))
    return Report(tuple(trail.checks), _not_checked(folder), referral)


def redact_folder(
    folder: Path, *, keep: Collection[str] | None = None, drop: Collection[str] | None = None
) -> bytes:
    """A redacted form as canonical JSON. Give `keep` or `drop`: pointers, or how pointers begin.

    `*` stands for any one step (`/entities/items/*/url`). Handling, conditions and addressee stand
    in the seal and stay. The folder's values are checked against its seal, not against trust.
    """
    seal_jws = _text(folder, "seal.jws")
    sealed = _payload(seal_jws, "referral-seal+jws")
    doc = _payload(_text(folder, "referral.jws"), "referral+jws").get("doc")
    opening = _json(_read(folder, "opening.json", MAX_JSON))
    units = seal.units_of(doc)
    chosen = _select(units, keep if keep is not None else drop or ())
    kept = chosen if keep is not None else units.keys() - chosen
    if (keep is None) == (drop is None):
        raise Refused("redact-choice", "say either what to keep or what to drop")
    form = seal.redact(seal_jws, doc, opening, keep=kept)
    if encode_trusted(sealed.get("root")) != encode_trusted(_root_text(form)):
        _fail("seal-root", "the folder's values are not those that were sealed")
    return encode(form)


def _verify(folder: Path, trust: Trust, not_collected: Collection[str], trail: Trail) -> VerifiedReferral:
    apart = _text(folder, "apart.jws") if (folder / "apart.jws").exists() else None
    proof = _text(folder, "proof.tlog", "utf-8")
    verified = verify_package(
        _text(folder, "referral.jws"),
        _text(folder, "seal.jws"),
        _read(folder, "opening.json", MAX_JSON),
        trust,
        documents=_documents(folder),
        not_collected=not_collected,
        apart_jws=apart,
        proof_text=proof,
        trail=trail,
    )
    _copies(folder, verified, trail)
    if (folder / "redacted.json").exists():
        form = verify_redacted(_read(folder, "redacted.json", MAX_JSON), trust, proof)
        if form.seal["release"] != verified.seal["release"]:
            _fail("package-mixed", "redacted.json belongs to another release")
        trail.passed("redacted", "the redacted form still verifies")
    _signatures(folder, verified, trust, trail)
    if {"receipt.jws", "referral.jwe"} <= {path.name for path in folder.iterdir()}:
        _receipt(folder, verified, trail)
    return verified


def _receipt(folder: Path, verified: VerifiedReferral, trail: Trail) -> None:
    """What the receipt says is compared with the bytes beside it. Whose signature it bears is the
    partner's own matter: its key is not among what the broker pinned for it."""
    said = _payload(_text(folder, "receipt.jws"), "receipt+jws")
    parts = {entry["name"]: entry["sha256"] for entry in said.get("parts", ()) if isinstance(entry, dict)}
    expected = {
        "release": verified.seal["release"],
        "object_sha256": sha256_hex(_read(folder, "referral.jwe", MAX_JSON * 2)),
        "partner": verified.seal["carrier"]["partner"],
    }
    if any(said.get(name) != value for name, value in expected.items()):
        _fail("receipt-differs", "the receipt or the encrypted referral is not the one that belongs here")
    if said.get("seal_sha256") not in (None, sha256_hex(_text(folder, "seal.jws").encode())):
        _fail("receipt-differs", "the receipt is about another seal")
    if (folder / "apart.jwe").exists() and parts.get("apart") != sha256_hex(
        _read(folder, "apart.jwe", MAX_JSON * 2)
    ):
        _fail("receipt-differs", "what is sealed apart is not what the receipt names")
    trail.passed("receipt", "names exactly these bytes; its signature is checked by the broker")


def _copies(folder: Path, verified: VerifiedReferral, trail: Trail) -> None:
    copies = {
        "referral.json": verified.payload_bytes,
        "withheld.json": encode_trusted(verified.payload["withheld"]),
    }
    for name, expected in copies.items():
        if (folder / name).exists():
            if _read(folder, name, MAX_JSON) != expected:
                _fail("copy-changed", f"{name} is not what the signed document says")
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
            _fail("document-unlisted", "the documents folder holds something that is not a document")
        found[path.name] = _read(place, path.name, MAX_DOCUMENT)
    return found


def _not_checked(folder: Path) -> tuple[str, ...]:
    present = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    known = present & _NAMED_ONLY if not {"receipt.jws", "referral.jwe"} <= present else set()
    # The name of a file we do not know may say anything; it is counted, not repeated.
    other = len(present - _CHECKED - _NAMED_ONLY)
    return (*sorted(known), *((f"{other} other files",) if other else ()))


def _select(units: Collection[str], selectors: Collection[str]) -> set[str]:
    chosen: set[str] = set()
    for selector in selectors:
        matching = {pointer for pointer in units if _matches(pointer, selector)}
        if not matching:
            raise Refused("redact-pointer", "a pointer names no value of this referral")
        chosen |= matching
    return chosen


def _matches(pointer: str, selector: str) -> bool:
    steps, wanted = pointer.split("/"), selector.split("/")
    return len(wanted) <= len(steps) and all(
        want in ("*", step) for want, step in zip(wanted, steps, strict=False)
    )


def _root_text(form: Json) -> str:
    return b64u(seal.recompute(form["doc"], form["opening"]))


def _payload(token: str, typ: str) -> dict[str, Json]:
    value = _json(parse(token, require_typ=typ).payload)
    if type(value) is not dict:
        _fail("package-form", "a signed object is not a JSON object")
    return value


def _json(data: bytes) -> Json:
    try:
        return decode(data, max_bytes=MAX_JSON, canonical=True)
    except Refused:
        _fail("package-form", "a file is not canonical JSON")


def _text(folder: Path, name: str, encoding: str = "ascii") -> str:
    try:
        return _read(folder, name, 2 * MAX_JSON).decode(encoding)
    except UnicodeDecodeError:
        _fail("package-form", f"{name} is not the text it should be")


def _read(folder: Path, name: str, limit: int) -> bytes:
    path = folder / name
    if not path.is_file():
        _fail("package-missing", f"the folder has no {name}")
    with path.open("rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        _fail("package-size", f"{name} is larger than such a file can be")
    return data


def _fail(code: str, message: str) -> NoReturn:
    raise NotAuthentic(code, message, "Do not use it; ask the broker for the original.")


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
