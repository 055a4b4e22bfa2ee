"""`europol.json`: the package as plain values, each element with its evaluation and its category."""

from __future__ import annotations

import json
from collections.abc import Mapping

from adapters.europol import plan
from broker.spi import Json, MinimisedReferral, Party

CATEGORIES = {"persons": "reported, not established as a suspect", "victims": "victim or presumed victim"}


def compose(referral: MinimisedReferral) -> dict[str, Json]:
    """Everything that both documents say. Deterministic; holds no value that the referral lacks."""
    elements = {
        collection: [_element(referral, collection, e) for e in sorted(held)]
        for collection in plan.ELEMENTS
        if (held := referral.entities.get(collection))
    }
    made: dict[str, Json] = {
        "schema": "broker-europol/1",
        "basis": plan.BASIS,
        "addressee": _party(referral.addressee),
        "relay": _party(referral.carrier),
        "reference": referral.reference,
        "release": referral.release,
        "version": referral.version,
        "kind": referral.kind,
        "supersedes": referral.supersedes,
        "issuer": referral.issuer,
        "drafted_at": referral.drafted_at.isoformat(),
        "unconfirmed": referral.unconfirmed,
        "purposes": _purposes(referral),
        "handling": _handling(referral),
        "article_30": _article_30(referral),
        "facts": _facts(referral),
        "elements": elements,
    }
    summary = referral.facts.get("summary", {}).get("text")
    return made | ({"summary": summary} if isinstance(summary, str) else {})


def encode(made: Mapping[str, Json]) -> bytes:
    """Members sorted, UTF-8, one line an entry."""
    return (json.dumps(made, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _party(party: Party) -> dict[str, str]:
    return {"name": party.name, "class": party.recipient_class, "country": party.country}


def _purposes(referral: MinimisedReferral) -> list[Json]:
    """The letters of Art. 18(2), each once, in their order."""
    letters = {plan.LETTERS[purpose] for purpose in referral.purposes if purpose in plan.LETTERS}
    return [
        {"letter": letter, "article": f"Art. 18(2)({letter})", "text": plan.PURPOSES[letter]}
        for letter in sorted(letters)
    ]


def _handling(referral: MinimisedReferral) -> dict[str, Json]:
    """H codes as a proposal, whoever wrote them: only a national unit or Europol sets them."""
    codes = referral.facts.get("handling", {}).get("codes")
    held: Mapping[str, Json] = codes if isinstance(codes, Mapping) else {}
    europol = held.get("europol")
    given = europol.get("codes") if isinstance(europol, Mapping) else europol
    h3 = europol.get("h3") if isinstance(europol, Mapping) else None
    conditions = held.get("conditions")
    others = {scheme: held[scheme] for scheme in ("tlp", "pap") if held.get(scheme)}
    return {
        "codes": sorted(given) if isinstance(given, list) else [],
        "status": "proposed",
        "h3": h3 if isinstance(h3, list) else [],
        "conditions": conditions if isinstance(conditions, list) else [],
        **others,
    }


def _article_30(referral: MinimisedReferral) -> list[str]:
    """Element ids whose data concern victims or persons under 18."""
    concerned = [e for c in plan.ARTICLE_30 for e in referral.entities.get(c, {})]
    persons = referral.entities.get("persons", {})
    concerned += [e for e, person in persons.items() if person.get("minor_flag") == "minor"]
    return sorted(concerned)


def _facts(referral: MinimisedReferral) -> dict[str, Json]:
    found = {
        section: {name: held[name] for name in names if held.get(name) is not None}
        for section, names in plan.FACTS.items()
        if (held := referral.facts.get(section))
    }
    return {section: values for section, values in found.items() if values}


def _element(referral: MinimisedReferral, collection: str, element: str) -> dict[str, Json]:
    held = referral.entities[collection][element]
    names = plan.ELEMENTS[collection]
    made: dict[str, Json] = {name: held[name] for name in names if held.get(name) is not None}
    made["id"] = element
    if collection in plan.EVALUATED:
        made["evaluation"] = _evaluation(held.get("evaluation"))
    if collection in CATEGORIES:
        made["category"] = CATEGORIES[collection]
    return made


def _evaluation(value: Json) -> dict[str, Json]:
    """The 4x4 as given, or X/4; half an evaluation is none."""
    source = value.get("source") if isinstance(value, Mapping) else None
    info = value.get("info") if isinstance(value, Mapping) else None
    if source in plan.SOURCE and info in plan.INFORMATION:
        return {"source": source, "info": info, "assessed": True}
    return {"source": plan.UNASSESSED[0], "info": plan.UNASSESSED[1], "assessed": False}
