"""Cut a referral's folder down to a part that still verifies (docs/spec/seal.md)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from broker.core import seal
from broker.core.canonical import b64u, encode, encode_trusted
from broker.errors import Refused
from broker.sealing.files import canonical_json, fail, payload, read, text
from broker.sealing.package import MAX_JSON
from broker.spi import Json


def redact_folder(
    folder: Path, *, keep: Collection[str] | None = None, drop: Collection[str] | None = None
) -> bytes:
    """A redacted form as canonical JSON. Give `keep` or `drop`: pointers, or how pointers begin.

    `*` stands for any one step (`/entities/items/*/url`). Handling, conditions and addressee stand
    in the seal and stay. The folder's values are checked against its seal, not against trust.
    """
    seal_jws = text(folder, "seal.jws")
    sealed = payload(seal_jws, "referral-seal+jws")
    doc = payload(text(folder, "referral.jws"), "referral+jws").get("doc")
    opening = canonical_json(read(folder, "opening.json", MAX_JSON), "opening.json")
    units = seal.units_of(doc)
    chosen = _select(units, keep if keep is not None else drop or ())
    kept = chosen if keep is not None else units.keys() - chosen
    if (keep is None) == (drop is None):
        raise Refused("redact-choice", "say either what to keep or what to drop")
    form = seal.redact(seal_jws, doc, opening, keep=kept)
    if encode_trusted(sealed.get("root")) != encode_trusted(_root_text(form)):
        fail("seal-root", "the folder's values are not those that were sealed")
    return encode(form)


def _select(units: Collection[str], selectors: Collection[str]) -> set[str]:
    chosen: set[str] = set()
    for selector in selectors:
        matching = {pointer for pointer in units if _matches(pointer, selector)}
        if not matching:
            raise Refused(
                "redact-pointer",
                "a pointer names no value of this referral",
                hint="opening.json lists the pointers under `units`",
            )
        chosen |= matching
    return chosen


def _matches(pointer: str, selector: str) -> bool:
    steps, wanted = pointer.split("/"), selector.split("/")
    return len(wanted) <= len(steps) and all(
        want in ("*", step) for want, step in zip(wanted, steps, strict=False)
    )


def _root_text(form: Json) -> str:
    return b64u(seal.recompute(form["doc"], form["opening"]))
