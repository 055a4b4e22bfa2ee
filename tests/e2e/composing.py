"""Compose a draft for any class of the pack, under fixed ids, salts, keys and time; no database."""

from __future__ import annotations

import io
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

from pypdf import PdfReader

from broker.core.confirmation import Released
from broker.core.pack import load_pack
from broker.core.referral import Header
from broker.demo.house import AGENCIES
from broker.desk.compose import OWN_SYSTEMS, Composition, Ingredients, compose
from broker.desk.context import Desk
from broker.runtime import adapters
from broker.settings import Settings
from broker.spi import Document, Party
from broker.store.engine import Database
from tests.core.minimising import COUNTRY, grounds_for, terms

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
REFERRED = ("BEP", "BEM", "FLE", "INH", "EUR", "INT", "NCM", "HSP")
LANGUAGE = {agency.recipient_class: agency.language for agency in AGENCIES.values()}
NAMES = {"HSP": "198.51.100.11"}
"""The host of the test stands at the second location of the full case."""


@cache
def desk() -> Desk:
    return Desk(
        settings=Settings(state=Path("unused"), keys=Path("unused")),
        db=Database({}),
        pack=load_pack("be"),
        adapters=adapters(),
        clock=lambda: AT,
        random=bytes,
    )


def composed(
    released: Released, recipient_class: str, *purposes: str, grounded: bool = False, **changes: Any
) -> Composition:
    """What this class gets; with `grounded` every field of action C has a ground. Masks are cleared."""
    party = Party(
        "pt_synthetic", recipient_class, COUNTRY.get(recipient_class, "FR"), "Synthetic Partner (example)"
    )
    header = Header(
        release="r" * 26,
        issuer="https://broker.example",
        addressee=party,
        carrier=party,
        reference="CF-2026-000123-7",
        version=1,
        kind="new",
        supersedes=None,
        drafted_at=AT,
        language=LANGUAGE.get(recipient_class, "en"),  # type: ignore[arg-type]
        purposes=purposes,
    )
    base: dict[str, Any] = {
        "released": released,
        "header": header,
        "provider": NAMES.get(recipient_class),
        "terms": terms(recipient_class, purposes),
        "agreement_version": 3,
        "statutory": False,
        "removed": frozenset(),
        "grounds": grounds_for(recipient_class) if grounded else {},
        "clear": {},
        "add_rows": {},
        "element_key": b"k" * 32,
        "pseudonym_key": b"p" * 32,
        "case_alias": "a" * 16,
        "prior_recipients": (),
        "seed": b"s" * 32,
        "case_salt": b"c" * 16,
    }
    return compose(desk(), Ingredients(**{**base, **changes}))


def cleared(released: Released, recipient_class: str, *purposes: str, **changes: Any) -> Composition:
    """As `composed`, after a person cleared every masked text as it was proposed."""
    first = composed(released, recipient_class, *purposes, **changes)
    clear = {at: text.after for at, text in first.minimised.masked.items()}
    return composed(released, recipient_class, *purposes, **{**changes, "clear": clear}) if clear else first


def reading(name: str, media_type: str, content: bytes) -> dict[str, str]:
    """A document as a person or program reads it: name, page text, metadata, attachments."""
    if media_type != "application/pdf":
        return {name: content.decode(), f"{name}#name": name}
    reader = PdfReader(io.BytesIO(content))
    parts = {
        f"{name}#name": name,
        f"{name}#metadata": "\n".join(f"{k}={v}" for k, v in sorted((reader.metadata or {}).items())),
    }
    for number, page in enumerate(reader.pages):
        parts[f"{name}#page{number}"] = page.extract_text()
    for attached, contents in sorted(reader.attachments.items()):
        for number, each in enumerate(contents):
            parts[f"{name}#{attached}{number}"] = each.decode("utf-8", "replace")
    return parts


def parts_of(payload: bytes, documents: tuple[Document, ...]) -> Mapping[str, str]:
    """Every plaintext of a referral."""
    found = {"referral.json": payload.decode()}
    for document in documents:
        found |= reading(document.name, document.media_type, document.content)
    return found


__all__ = ["AT", "OWN_SYSTEMS", "REFERRED", "cleared", "composed", "desk", "parts_of", "reading"]
