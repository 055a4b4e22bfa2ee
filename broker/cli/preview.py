"""The preview in words: held, sent, why; exceptions first, the rest folded (interface.md §3.2).

Values are shown to the person who asked, never stored; locators are shown broken.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from broker.cli.console import FINDINGS, unlinked
from broker.core import quality
from broker.desk.context import Desk
from broker.desk.draft import Drafted
from broker.spi import Finding


def finding_words(desk: Desk, finding: Finding) -> str:
    """A finding in words; never a value."""
    if finding.code in FINDINGS:
        return FINDINGS[finding.code]
    try:
        return quality.texts(desk.pack, (finding.code,), "en")[0]
    except (KeyError, IndexError):
        return finding.code.replace("-", " ")


def preview_words(desk: Desk, result: Drafted) -> tuple[str, dict[str, Any]]:
    """(for a terminal, as a document)."""
    document = _document(desk, result)
    return "\n".join(_lines(document)), document


def _document(desk: Desk, result: Drafted) -> dict[str, Any]:
    c = result.composition
    decisions = c.minimised.view.decisions
    names = {field_id: rule.name for field_id, rule in desk.pack.fields.items()}
    return {
        "addressee": {"partner": result.addressee.id, "class": result.addressee.recipient_class},
        "carrier": result.carrier.id,
        "purposes": list(c.header.purposes),
        "rows": [
            {"id": local, "kept": row.kept, "why": row.reason}
            for local, row in sorted(c.minimised.rows.items())
        ],
        "sent": [u.pointer for u in c.minimised.units],
        "apart": [u.pointer for u in c.minimised.apart],
        "transformed": [
            {"field": f, "name": names[f], "how": d.action}
            for f, d in decisions.items()
            if d.state == "transformed"
        ],
        "withheld": [
            {"field": f, "name": names[f], "why": d.clause}
            for f, d in decisions.items()
            if d.state == "withheld"
        ],
        "masked": [
            {"pointer": p, "before": text.before, "after": text.after}
            for p, text in sorted(c.minimised.masked.items())
        ],
        "documents": [d.name for d in c.record.documents],
        "channel": result.channel,
        "notices": dict(result.notices),
        "conditions": [condition["text"] for condition in c.record.conditions],
        "missing": list(quality.texts(desk.pack, c.record.gaps, "en")),
        "completeness": c.record.score,
        "priority": c.record.priority,
        "findings": [
            {"code": f.code, "severity": f.severity, "pointer": f.pointer, "words": finding_words(desk, f)}
            for f in c.findings
        ],
    }


def _lines(d: dict[str, Any]) -> Iterator[str]:
    to = d["addressee"]
    yield f"What {to['class']} {to['partner']} would get, for {' '.join(d['purposes'])}. Nothing is stored."
    if d["channel"] != "pull":
        yield f"Delivered by {d['channel']}; sealed-apart values do not travel this way."
    yield from _notice_lines(d["notices"])
    blocking = [f for f in d["findings"] if f["severity"] == "block"]
    if blocking:
        yield "Blocks:"
        yield from dict.fromkeys(f"  × {f['pointer'] or 'the whole'}: {f['words']}" for f in blocking)
    dropped = [r for r in d["rows"] if not r["kept"]]
    yield f"Rows: {len(d['rows']) - len(dropped)} kept, {len(dropped)} not for this recipient."
    yield from (f"  – {r['id']}: {r['why'].replace('-', ' ')}" for r in dropped)
    if d["masked"]:
        yield "Masked, to be cleared by you (`--clear-to`):"
        for m in d["masked"]:
            yield f"  ~ {m['pointer']}"
            yield f"      held  {unlinked(m['before'])}"
            yield f"      sent  {unlinked(m['after'])}"
    yield f"Sent: {len(d['sent'])} values; {len(d['apart'])} sealed apart."
    yield from (f"  ≈ {t['name']} as {t['how']}" for t in d["transformed"])
    yield f"Withheld: {len(d['withheld'])} fields."
    yield from (f"  – {w['name']}: {w['why']}" for w in d["withheld"] if w["why"] != "matrix:-")
    yield "Missing: " + ("; ".join(d["missing"]) or "nothing that was asked")
    yield f"Completeness {d['completeness']}, priority {d['priority']} (neither leaves the house)."


def _notice_lines(notices: dict[str, Any]) -> Iterator[str]:
    """What keeps notices to providers back."""
    for held in notices.get("held", ()):
        yield f"Police hold on {held['location']} until {held['until']}: no notice to its provider."
    waiting = notices.get("waiting")
    if waiting is not None:
        until = waiting["until"] or "the police has it"
        yield f"Notices to providers wait for the police answer, or until {until} ({waiting['why']})."
    elif notices:
        yield "Notices to providers need not wait for the police."
