"""Notices to providers: XARF v4 reports and a letter with the elements of Art. 16(2) DSA.

Three adapters, because a host, a CDN and a registrar are asked for different things and the referral
does not say which of them its addressee is. See docs/adapters/xarf_notice.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from adapters.xarf_notice import checks, letter, mail
from adapters.xarf_notice.facts import Facts, Target, applies, gather
from adapters.xarf_notice.plan import NEEDS
from adapters.xarf_notice.xarf import VERSION, Reports, reports
from broker.spi import (
    AdapterInfo,
    DeliveryReceipt,
    Document,
    Finding,
    Issue,
    Json,
    Line,
    MinimisedReferral,
    Report,
)
from broker.spi_out import address_issues, hand_over, read_report

JSON = "application/json"
_NAMES: dict[Target, tuple[str, str]] = {
    "host": ("xarf_notice", "Notice to a hosting provider"),
    "cdn": ("xarf_notice_cdn", "Notice to a content delivery network"),
    "registrar": ("xarf_notice_registrar", "Notice to a registrar"),
}


class Connected:
    """One notice to one abuse contact. Implements `spi.Delivers`."""

    def __init__(self, line: Line) -> None:
        self._line = line

    def send(self, documents: Sequence[Document], *, key: str) -> DeliveryReceipt:
        """See `spi.Delivers.send`; the receipt proves submission only."""
        return self._hand_over(mail.write(self._line, documents, key), key)

    def retract(self, remote_reference: str, *, key: str) -> DeliveryReceipt:
        """A mail that the notice is withdrawn; what was done meanwhile they answer themselves."""
        del remote_reference
        return self._hand_over(mail.retraction(self._line, key), f"{key}.retract")

    def _hand_over(self, message: bytes, envelope_id: str) -> DeliveryReceipt:
        return hand_over(self._line.house, str(self._line.endpoint["address"]), message, envelope_id)


class XarfNotice:
    """Implements `spi.Renders`, `spi.Connects` and `spi.ReadsReports` for one kind of addressee."""

    repeatable = False
    """As with every mail: one that was sent cannot be told from one that was not."""

    def __init__(self, target: Target) -> None:
        name, title = _NAMES[target]
        self.target = target
        self.info = AdapterInfo(
            name=name,
            title=title,
            speaks=f"XARF {VERSION} content/csam by SMTP; notice under Art. 16 of Regulation (EU) 2022/2065",
            version="1",
            tried_live=False,
            needs=NEEDS,
            media_types=("text/plain", JSON),
        )

    def render(self, referral: MinimisedReferral) -> Sequence[Document]:
        """`notice.txt`; for a provider also `locations.json` and `notice.json`, `notice-2.json`, …"""
        facts = gather(referral, self.target)
        documents = [Document("notice.txt", "text/plain", letter.write(referral, facts).encode())]
        if not applies(referral) or not facts.places:
            return tuple(documents)
        made = reports(referral, facts)
        names = {e: f"notice{f'-{n}' if n > 1 else ''}.json" for n, e in enumerate(made.by_place, 1)}
        documents.append(Document("locations.json", JSON, _encoded(_locations(referral, facts, names))))
        documents += [Document(names[e], JSON, _encoded(report)) for e, report in made.by_place.items()]
        return tuple(documents)

    def lint(self, referral: MinimisedReferral, documents: Sequence[Document]) -> Sequence[Finding]:
        """Blocks what must not go out; warns where a notice says less than it could."""
        facts = gather(referral, self.target)
        made = reports(referral, facts) if applies(referral) else Reports({}, ())
        return tuple(checks.lint(referral, documents, facts, made))

    def endpoint_issues(self, endpoint: Mapping[str, Json]) -> Sequence[Issue]:
        """The abuse contact's address."""
        unknown = [Issue("", "unknown-member", "has a member that is not known")]
        return [*address_issues(endpoint), *(unknown if set(endpoint) - {"address"} else ())]

    def connect(self, line: Line) -> Connected:
        """See `spi.Connects.connect`."""
        return Connected(line)

    def read_report(self, content: bytes) -> Report:
        """See `spi.ReadsReports.read_report`."""
        return read_report(content)


def _locations(referral: MinimisedReferral, facts: Facts, names: dict[str, str]) -> Json:
    """The exact addresses, in the letter's order; a report is named where there is one."""
    found = []
    for number, place in enumerate(facts.places, 1):
        entry: dict[str, Json] = {"number": number, "url": place.url}
        if place.page_url:
            entry["page_url"] = place.page_url
        entry["report"] = names.get(place.element)
        found.append(entry)
    return {"reference": referral.reference, "target": facts.target, "locations": found}


def _encoded(value: Json) -> bytes:
    return (json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()


adapter = XarfNotice("host")
cdn = XarfNotice("cdn")
registrar = XarfNotice("registrar")
