"""What elements are called on the page: `Item 1`, by the numbers they came with where these serve."""

from __future__ import annotations

import re
from collections.abc import Mapping

from adapters.police_dossier import plan
from adapters.police_dossier.words import Words
from broker.spi import Json, MinimisedReferral


def number(referral: MinimisedReferral, words: Words) -> dict[str, str]:
    """Element id → `Item 1`: by F16 and F50 where these number every element, else by element id."""
    names: dict[str, str] = {}
    for collection, columns in plan.COLLECTIONS.items():
        elements = referral.entities.get(collection, {})
        numbered = (
            {e: _own_number(elements[e].get("ref")) for e in elements} if columns[0].name == "ref" else {}
        )
        given = [n for n in numbered.values() if n is not None]
        if len(given) != len(elements) or len(set(given)) != len(given):
            numbered = {e: i for i, e in enumerate(sorted(elements), 1)}
        names |= {e: f"{words.say(f'one.{collection}')} {n}" for e, n in numbered.items()}
    return names


def _own_number(ref: Json) -> int | None:
    text = ref.get("ref") if isinstance(ref, Mapping) else ref
    found = re.fullmatch(r"(?:item|victim) (\d{1,6})", text) if isinstance(text, str) else None
    return int(found[1]) if found else None
