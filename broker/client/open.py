"""Open sealed referrals and verify them without network: at the pull, or later elsewhere."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from broker.client.folder import Folder, sync_directory, write_files
from broker.client.keys import PartnerKey, PartnerKeys
from broker.core.canonical import decode, encode, encode_trusted, sha256_hex
from broker.errors import NotAuthentic, Refused
from broker.sealing.encrypt import MAX_PACKAGE, decrypt, read_header
from broker.sealing.jose import KeySet, PinnedKey, parse, sign, verify
from broker.sealing.trust import Trust, parse_time, time_text
from broker.sealing.verify import VerifiedReferral, verify_package
from broker.spi import Json

SEALED_DOCUMENTS = "documents.jwe"
OPENED = "referral.json"
"""Written last: a folder that has it is open, one that does not is opened from the start."""
APART = "apart.json"
_CTY = "application/json"


@dataclass(frozen=True, slots=True)
class Sealed:
    """The objects of one release as collected: JWE bytes and the proof's text."""

    referral: bytes
    documents: Mapping[str, bytes]
    proof: bytes
    apart: bytes | None = None

    def parts(self) -> list[dict[str, str]]:
        """The receipt's list of the other objects, by name."""
        named = {f"documents/{name}": jwe for name, jwe in self.documents.items()}
        if self.apart is not None:
            named["apart"] = self.apart
        return [{"name": name, "sha256": sha256_hex(named[name])} for name in sorted(named)]

    def files(self) -> dict[str, bytes]:
        """As they are stored unopened."""
        files = {"referral.jwe": self.referral, "proof.tlog": self.proof}
        if self.apart is not None:
            files["apart.jwe"] = self.apart
        return files | {f"{SEALED_DOCUMENTS}/{n}": jwe for n, jwe in self.documents.items()}


@dataclass(frozen=True, slots=True)
class Opened:
    """A referral that was decrypted and verified."""

    verified: VerifiedReferral
    seal_jws: str
    files: Mapping[str, bytes]
    """What opening adds to the folder, `OPENED` last."""


def open_sealed(
    sealed: Sealed,
    keys: PartnerKeys,
    trust: Trust,
    *,
    release: str,
    partner: str,
    with_apart: bool = False,
) -> Opened:
    """Decrypt and verify everything; raises `NotAuthentic` rather than give a part.

    `with_apart` opens what is sealed apart too, which needs the key `apart` and a reason.
    """
    package = _package(decrypted(sealed.referral, keys, "referral-package+jwe", _CTY))
    seal = decode(parse(package["seal"], require_typ="referral-seal+jws").payload, max_bytes=1 << 23)
    documents = {
        name: decrypted(jwe, keys, "referral-document+jwe", _media_type(seal, name))
        for name, jwe in sealed.documents.items()
    }
    apart_jws = None
    if with_apart and sealed.apart is not None:
        apart = decrypted(sealed.apart, keys, "referral-apart+jwe", "referral-apart+jws", "apart")
        apart_jws = _text(apart)
    verified = verify_package(
        package["referral"],
        package["seal"],
        encode_trusted(package["opening"]),
        trust,
        documents=documents,
        apart_jws=apart_jws,
        proof_text=_text(sealed.proof, "utf-8"),
    )
    if verified.seal["release"] != release or verified.seal["carrier"] != {"partner": partner}:
        raise NotAuthentic(
            "package-other",
            "the package is genuine, but not the one that was asked for, or for another carrier",
            "Report it to the broker's operator: it handed out the wrong object.",
        )
    files = {
        "referral.jws": package["referral"].encode("ascii"),
        "seal.jws": package["seal"].encode("ascii"),
        "opening.json": encode_trusted(package["opening"]),
        "withheld.json": encode_trusted(verified.payload["withheld"]),
        **({} if apart_jws is None else apart_files(apart_jws, verified)),
        **{f"documents/{name}": content for name, content in documents.items()},
        OPENED: verified.payload_bytes,
    }
    return Opened(verified, package["seal"], files)


def make_receipt(
    key: PartnerKey,
    sealed: Sealed,
    *,
    release: str,
    partner: str,
    received_at: datetime,
    seal_jws: str | None,
) -> str:
    """The signed receipt (docs/spec/receipt.md); `seal_jws` None says that nothing was opened."""
    payload = {
        "schema": "broker-receipt/1",
        "release": release,
        "partner": partner,
        "object_sha256": sha256_hex(sealed.referral),
        "seal_sha256": None if seal_jws is None else sha256_hex(seal_jws.encode("ascii")),
        "parts": sealed.parts(),
        "verified": seal_jws is not None,
        "received_at": time_text(received_at),
    }
    return sign(encode(payload), key.signer("receipt+jws"), "receipt+jws")


def is_open(place: Path) -> bool:
    """Whether the release in this folder was opened to the end."""
    return (place / OPENED).is_file()


def open_release(
    folder: Folder,
    release: str,
    keys: PartnerKeys,
    trust: Trust,
    *,
    partner: str,
    with_apart: bool = False,
) -> VerifiedReferral:
    """Open a release that was stored sealed. Needs no network; the next pull sends the receipt.

    A crash at any point leaves the folder unopened with its sealed objects, to be opened again.
    """
    place = folder.release(release)
    sealed = _stored(place)
    opened = open_sealed(sealed, keys, trust, release=release, partner=partner, with_apart=with_apart)
    key = keys.get("receipt")
    receipt = make_receipt(
        key,
        sealed,
        release=release,
        partner=partner,
        received_at=_received_at(place / "receipt.jws", key),
        seal_jws=opened.seal_jws,
    )
    files = dict(opened.files)
    last = files.pop(OPENED)
    write_files(place, {**files, "receipt.jws": receipt.encode("ascii")})
    folder.mark_unsent(release)
    write_files(place, {OPENED: last})
    shutil.rmtree(place / SEALED_DOCUMENTS, ignore_errors=True)
    sync_directory(place)
    return opened.verified


def apart_files(apart_jws: str, verified: VerifiedReferral) -> dict[str, bytes]:
    """As signed, and the same to read: pointer → value."""
    return {"apart.jws": apart_jws.encode("ascii"), APART: encode_trusted(dict(verified.apart))}


def _stored(place: Path) -> Sealed:
    if is_open(place):
        raise Refused("already-open", "this release is open already")
    try:
        apart, documents = place / "apart.jwe", place / SEALED_DOCUMENTS
        return Sealed(
            (place / "referral.jwe").read_bytes(),
            {p.name: p.read_bytes() for p in sorted(documents.iterdir())} if documents.is_dir() else {},
            (place / "proof.tlog").read_bytes(),
            apart.read_bytes() if apart.is_file() else None,
        )
    except FileNotFoundError as error:
        name = Path(error.filename).name
        raise NotAuthentic("package-missing", f"the release's folder has no {name}") from None


def _received_at(path: Path, key: PartnerKey) -> datetime:
    """The time of the first receipt: opening later does not change when it was received."""
    typs = frozenset({"receipt+jws"})
    own = KeySet([PinnedKey(key.kid, "ES256", typs, key.private.public_key())])
    said = decode(verify(_text(path.read_bytes()), own, "receipt+jws"), max_bytes=1 << 20)
    return parse_time(said["received_at"])


def decrypted(jwe: bytes, keys: PartnerKeys, typ: str, cty: str, use: str = "enc") -> bytes:
    token = _text(jwe)
    kid = read_header(token, typ)["kid"]
    key = keys.opener(kid, use, f"{use}-next")
    if key is None:
        raise NotAuthentic(
            "jwe-other-key",
            f"it is encrypted to a key that does not lie in the key folder as {use}.pem",
            "Bring the key back, or ask the broker to seal it again to the present one.",
        )
    return decrypt(token, key.private, typ, expect_cty=cty)


def _package(plaintext: bytes) -> dict[str, Json]:
    try:
        package = decode(plaintext, max_bytes=MAX_PACKAGE, canonical=True)
    except Refused:
        package = None
    whole = type(package) is dict and package.keys() == {"opening", "referral", "seal"}
    if not whole or type(package["referral"]) is not str or type(package["seal"]) is not str:
        raise NotAuthentic("package-form", "what was encrypted is not a referral package")
    found: dict[str, Json] = package
    return found


def _media_type(seal: Json, name: str) -> str:
    """What the seal says; checked again, signature and all, by `verify_package`."""
    listed = seal.get("documents") if type(seal) is dict else None
    for entry in listed if type(listed) is list else []:
        if type(entry) is dict and entry.get("name") == name:
            return str(entry.get("media_type"))
    raise NotAuthentic("document-unlisted", "a document is not one of those that were sealed")


def _text(data: bytes, encoding: str = "ascii") -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        raise NotAuthentic("package-form", "an object is not the text it should be") from None
