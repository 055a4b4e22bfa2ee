"""One ICCAM content item: where it stands, what was assessed, what was done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.iccam_in.codes import FINAL, Codes
from adapters.iccam_in.reading import Members
from broker.spi import Finding, Json

MAX_HISTORY = 200

_BASELINES = {"baseline": "baseline", "national": "national"}


@dataclass(slots=True)
class Content:
    """What one content item gives to the case of its report."""

    content_id: int
    location: dict[str, Json]
    item: dict[str, Json]
    verdict_at: str | None = None
    confirmed: bool = False
    removals: list[dict[str, Json]] = field(default_factory=list)
    memo: str | None = None
    reference: str | None = None
    source_url: bool = False
    findings: list[Finding] = field(default_factory=list)

    def say(self, code: str, severity: str, pointer: str, **params: str | int) -> None:
        """Adds a finding."""
        self.findings.append(Finding(code, severity, pointer, params))  # type: ignore[arg-type]


def content(members: Members, codes: Codes, version: str, country: str | None) -> Content:
    """Reads one item as `GET rest/Content/{id}` gives it. Raises `Refused`."""
    number = members.whole("contentId", 1, 2**53 - 1)
    if number is None:
        members.refuse(members.at("contentId"), "required", "is required")
    url = members.child("url")
    if url is None:
        members.refuse(members.at("url"), "required", "is required: where the content stands")
    findings: list[Finding] = []
    found = Content(number, _location(url, findings), {}, findings=findings)
    found.source_url = url.flag("isSourceUrl") or False
    found.findings += url.ignored()
    found.memo = members.filled("memo", 4000)
    found.reference = members.filled("hotlineReference")
    _assigned(members, found, country)
    _assessment(members, found, codes, version)
    _actions(members, found, codes)
    for name in ("reportId", "countryAssignmentDate", "contentType"):
        members.raw(name)
    found.findings += members.ignored()
    return found


def _location(url: Members, findings: list[Finding]) -> dict[str, Json]:
    address = url.url("urlString")
    if address is None:
        url.refuse(url.at("urlString"), "required", "is required")
    location: dict[str, Json] = {"url": address}
    host = {"ip": url.fact("hostingIpAddress", "ip", findings), "provider": url.filled("hostingIsp")}
    country = url.fact("hostingCountryCode", "country", findings)
    organisation = url.child("hostingOrganization")
    if organisation is not None:
        host["provider"] = host["provider"] or organisation.filled("organizationName")
        number = organisation.whole("autonomousSystemNumber", 0, 2**32 - 1)
        if number:
            host["asn"] = f"AS{number}"
        cdn = organisation.flag("isContentDeliveryNetwork")
        if cdn is not None:
            location["cdn"] = {"is_cdn": cdn}
    held = {name: value for name, value in host.items() if value is not None}
    if held:
        location["host"] = held
    if country is not None:
        location["country"] = country
    return location


def _assigned(members: Members, found: Content, country: str | None) -> None:
    """Only the hotline of the assigned country may act; what is another's is shown, never routed."""
    assigned = members.filled("assignedCountryCode", 2)
    where = members.at("assignedCountryCode")
    if assigned is None:
        found.say("iccam-orphaned", "note", where)
    elif country is not None and assigned.upper() != country:
        found.say("iccam-assigned-elsewhere", "block", where)


def _assessment(members: Members, found: Content, codes: Codes, version: str) -> None:
    """The last assessment counts, as INHOPE told SCART's authors."""
    assessments = members.entries("assessments", MAX_HISTORY)
    if not assessments:
        found.say("iccam-not-assessed", "warn", members.at("assessments"))
        return
    last = assessments[-1]
    word = _word(last, "classification", codes.classifications, found)
    if word == "ignore":
        found.say("iccam-assessed-not-illegal", "block", last.at("classification"))
    if word in _BASELINES:
        found.item["baseline"] = _BASELINES[word]
        found.confirmed = True
        found.verdict_at = last.instant("assessmentDate")
        if found.verdict_at is None:
            found.say("iccam-verdict-without-time", "warn", last.pointer)
    labels = [
        (f"age:{_word(last, 'ageCategorization', codes.ages, found)}"),
        (f"sex:{_word(last, 'genderCategorization', codes.genders, found)}"),
        ("virtual:yes" if _yes(last, "virtualContentCategorization", found) else "virtual:None"),
    ]
    kept = [label for label in labels if not label.endswith(":None")]
    if kept:
        found.item["labels"] = [{"scheme": "INHOPE", "version": f"iccam-{version}", "label": k} for k in kept]
    own = _yes(last, "userGeneratedContentCategorization", found)
    modelling = _yes(last, "childModelingCategorization", found)
    if own is not None or modelling is not None:
        found.item["self_generated"] = {"self_generated": _said(own), "modelling": _said(modelling)}
    last.raw("assessingAnalystName")  # a person of another hotline: not taken over
    found.findings += last.ignored()


def _yes(members: Members, name: str, found: Content) -> bool | None:
    number = members.whole(name, 0, 2**31)
    if number is not None and number > 1:
        found.say("iccam-code-unknown", "warn", members.at(name))
        return None
    return None if number is None else number == 1


def _said(flag: bool | None) -> str:
    return "unknown" if flag is None else "yes" if flag else "no"


def _word(members: Members, name: str, table: Mapping[int, str | None], found: Content) -> str | None:
    number = members.whole(name, 0, 2**31)
    if number is None:
        return None
    if number not in table:
        found.say("iccam-code-unknown", "warn", members.at(name))
    return table.get(number)


def _actions(members: Members, found: Content, codes: Codes) -> None:
    """What other hotlines did: notices and removals; a final action ends ICCAM's part."""
    for action in members.entries("actions", MAX_HISTORY):
        word = _word(action, "actionType", codes.actions, found)
        _word(action, "reasonId", codes.reasons, found)
        at = action.instant("actionDate")
        for name in ("actioningAnalystName", "reasonText"):
            action.raw(name)  # a person of another hotline, and free text about the code
        found.findings += action.ignored()
        if word is not None:
            _act(found, word, at, action.pointer)


def _act(found: Content, word: str, at: str | None, pointer: str) -> None:
    if word in FINAL:
        found.say("iccam-final-action", "block" if word == "not-illegal" else "warn", pointer)
    if word == "reported-to-lea":
        found.say("iccam-police-already-told", "warn", pointer)
    if at is None:
        found.say("iccam-action-without-time", "warn", pointer)
        return
    host = found.location.get("host", {}).get("provider", "hosting provider")
    if word in {"reported-to-isp", "removed"}:
        status = "removed" if word == "removed" else "requested"
        found.removals.append({"to": host, "at": at, "status": status})
    elif word == "unavailable":
        found.location["last_check"] = {"online": False, "at": at}
