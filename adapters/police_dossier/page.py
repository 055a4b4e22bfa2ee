"""`referral.pdf`: the dossier as data for the template, compiled to tagged PDF/A-3a by typst.

Data enters as one JSON value; the template never evaluates it. The compiler uses the fonts built
into the typst wheel only and takes its date from the referral, so the same referral gives the same
bytes on every machine with the same typst.
"""

from __future__ import annotations

import json
from importlib import resources
from threading import Lock
from typing import Any, Final, Literal

import typst

from adapters.police_dossier import identification
from adapters.police_dossier.dossier import Dossier, Row, Section
from adapters.police_dossier.identification import DASH
from adapters.police_dossier.leaves import LIST, Leaf, Line
from adapters.police_dossier.locators import breakable, defang, escapes, printable
from broker.spi import MinimisedReferral

_TEMPLATE = resources.files(__package__).joinpath("dossier.typ").read_bytes()
_STANDARDS: Final[list[Literal["a-3a", "ua-1"]]] = ["a-3a", "ua-1"]
_FRONT = ("ask", "apart")
"""Sentences of what is not here that stand on the first page; the others at the end."""
_LOCK = Lock()
_COMPILER = typst.Compiler(ignore_system_fonts=True, font_paths=[])


def write(referral: MinimisedReferral, dossier: Dossier) -> bytes:
    """The PDF. The compiler is shared and kept warm; it is used by one thread at a time."""
    inputs = {
        "data": json.dumps(_data(referral, dossier), ensure_ascii=False),
        "payload": referral.payload.decode(),
    }
    with _LOCK:
        pdf = _COMPILER.compile(input=_TEMPLATE, format="pdf", sys_inputs=inputs, pdf_standards=[*_STANDARDS])
    if not isinstance(pdf, bytes):  # several pages as images, or nothing: not for this format
        raise TypeError("the compiler gave no single document")
    return pdf


def _data(referral: MinimisedReferral, dossier: Dossier) -> dict[str, Any]:
    words = dossier.words
    at = referral.drafted_at
    phone, desk, organisation = _desk(dossier)
    say = words.say
    return {
        "lang": words.language,
        "region": words.region,
        "author": organisation or printable(defang(referral.issuer)),
        "date": [at.year, at.month, at.day, at.hour, at.minute, at.second],
        "title": say("ui.title"),
        "subtitle": say("ui.subtitle.prosecutor" if dossier.for_prosecutor else "ui.subtitle"),
        "organisation": organisation,
        "reference": printable(dossier.reference),
        "reference-label": say("env.reference"),
        "version-line": f"{say('env.version')} {referral.version}",
        "release": printable(dossier.release),
        "page": say("ui.page"),
        "of": say("ui.of"),
        "notices": _notices(dossier),
        "parties": _parties(dossier),
        "desk-title": say("ui.desk"),
        "phone": phone,
        "desk": _lines(desk),
        "quote": say("ui.quote"),
        "conditions": {"title": say("ui.conditions"), "lines": _conditions(dossier)},
        "front": _front(dossier),
        "sections": [_section(section) for section in dossier.sections],
        "paste": {
            "title": say("ui.paste"),
            "note": say("ui.paste.note"),
            "head": say("ui.paste.head"),
            "lines": [breakable(line) for line in identification.lines(referral, dossier.names)],
        },
        "back": _back(dossier),
        "attachment": say("ui.proof"),
    }


def _notices(dossier: Dossier) -> list[dict[str, Any]]:
    """Urgency, the state of confirmation, and what this version does to an earlier one."""
    say = dossier.words.say
    notices: list[dict[str, Any]] = []
    urgency = dossier.front.get("F06")
    reason = _lines(dossier.front.get("F07", []))
    if urgency:
        code = urgency[0][0].shown
        known = code in {"U1", "U2", "U3", "U4"}
        text = [[_text(say(f"ui.urgency.{code}"))]] if known else []
        title = f"{say('ui.urgency')} {code}"
        notices.append({"title": title, "lines": text + reason, "strong": code == "U1"})
    elif reason:
        notices.append({"title": say("ui.urgency"), "lines": reason, "strong": False})
    if dossier.unconfirmed:
        text = [[_text(say("ui.unconfirmed.text"))]]
        notices.append({"title": say("ui.unconfirmed"), "lines": text, "strong": False})
    if dossier.kind in {"supplement", "correct", "restrict", "erase", "withdraw"}:
        notices.append({"title": say(f"ui.kind.{dossier.kind}"), "lines": [], "strong": False})
    return notices


def _parties(dossier: Dossier) -> list[list[str]]:
    say = dossier.words.say
    parties = [[say("ui.addressee"), breakable(printable(defang(dossier.addressee)))]]
    if dossier.carrier != dossier.addressee:
        parties.append([say("ui.carrier"), breakable(printable(defang(dossier.carrier)))])
    parties += [
        [row.label, breakable(row.lines[0][0].shown)]
        for row in _of_referral(dossier, "drafted_at", "purposes")
    ]
    return parties


def _of_referral(dossier: Dossier, *names: str) -> list[Row]:
    rows = [row for group in dossier.sections[0].groups for row in group.rows]
    return [row for row in rows if row.lines[0][0].pointer[1:] in names]


def _desk(dossier: Dossier) -> tuple[str, list[Line], str]:
    """(telephone, the other lines, organisation): the number stands out, the name heads the page."""
    leaves = [leaf for line in dossier.front.get("F72", []) for leaf in line]
    by_member = {leaf.pointer.rsplit("/", 1)[-1]: leaf for leaf in leaves}
    phone, organisation = by_member.get("phone"), by_member.get("organisation")
    lines = [
        [leaf for leaf in line if leaf is not phone and leaf is not organisation] for line in _split(leaves)
    ]
    rest = [line for line in lines if line]
    shown = breakable(phone.shown) if phone else ""
    return shown, rest, organisation.shown if organisation else ""


def _split(leaves: Line) -> list[Line]:
    """A line for each member; the entries of a list stay together."""
    lines: list[Line] = []
    for leaf in leaves:
        if lines and leaf.glue == LIST:
            lines[-1].append(leaf)
        else:
            lines.append([leaf])
    return lines


def _conditions(dossier: Dossier) -> list[list[dict[str, Any]]]:
    lines = _lines(dossier.front.get("F67", []))
    return lines or [[_text(dossier.words.say("ui.conditions.none"))]]


def _front(dossier: Dossier) -> list[dict[str, Any]]:
    say = dossier.words.say
    parts: list[dict[str, Any]] = []
    if "summary" in dossier.front:
        lines = _lines(dossier.front["summary"])
        parts.append({"title": say("ui.summary"), "lines": lines, "note": say("ui.summary.note")})
    gaps = _lines(dossier.front.get("F63", []))
    asked = [[_text(printable(dossier.withheld[k]))] for k in _FRONT if k in dossier.withheld]
    if gaps or asked:
        parts.append({"title": say("ui.gaps"), "lines": gaps + asked, "note": ""})
    return parts


def _back(dossier: Dossier) -> list[dict[str, Any]]:
    say = dossier.words.say
    limits = [say("ui.limits.text")]
    limits += [printable(s) for key, s in dossier.withheld.items() if key not in _FRONT]
    if any(escapes(leaf.text) for _, _, leaf in dossier.leaves()):
        limits.append(say("ui.escaped"))
    rows = [
        {"label": say("env.release"), "lines": [[_text(printable(dossier.release), exact=True)]]},
        {"label": say("env.payload"), "lines": [[_text(dossier.payload_sha256, exact=True)]]},
    ]
    group = {"name": "", "element": "", "rows": rows}
    return [
        {"title": say("ui.limits"), "paragraphs": limits, "groups": []},
        {
            "title": say("ui.proof"),
            "paragraphs": [say("ui.proof.text"), say("ui.proof.phone")],
            "groups": [group],
        },
    ]


def _section(section: Section) -> dict[str, Any]:
    return {
        "record": section.record,
        "title": section.title,
        "groups": [
            {
                "name": group.name,
                "element": group.element,
                "rows": [{"label": r.label, "lines": _lines(r.lines) or [[_text(DASH)]]} for r in group.rows],
            }
            for group in section.groups
        ],
    }


def _lines(lines: list[Line]) -> list[list[dict[str, Any]]]:
    """The lines that say something."""
    return [printed for line in lines if (printed := _line(line))]


def _line(line: Line) -> list[dict[str, Any]]:
    return [_leaf(leaf) for leaf in line if not leaf.tacit]


def _leaf(leaf: Leaf) -> dict[str, Any]:
    return {"l": printable(leaf.label), "t": breakable(leaf.shown), "x": leaf.exact, "g": leaf.glue}


def _text(text: str, *, exact: bool = False) -> dict[str, Any]:
    return {"l": "", "t": breakable(text), "x": exact, "g": ""}
