"""One ICCAM report with its content items to one case draft."""

from __future__ import annotations

from adapters.iccam_in.codes import Codes
from adapters.iccam_in.content import Content
from adapters.iccam_in.reading import MAX_CONTENTS, Members, refuse
from broker.spi import CaseDraft, Finding, Json


def case_of(report: Members, contents: dict[int, Content], codes: Codes) -> CaseDraft:
    """Takes the report's items out of `contents`; those named but not sent are missing, and said so."""
    number = report.whole("reportId", 1, 2**53 - 1)
    if number is None:
        refuse(report.at("reportId"), "required", "is required")
    received = report.instant("hotlineReceivedDate")
    if received is None:
        refuse(report.at("hotlineReceivedDate"), "required", "is required: when the report came")
    findings: list[Finding] = []
    held: list[Content] = []
    for entry in report.entries("reportContents", MAX_CONTENTS):
        wanted = entry.whole("contentId", 1, 2**53 - 1)
        if wanted is not None and wanted in contents:
            held.append(contents.pop(wanted))
        else:
            findings.append(Finding("iccam-content-not-sent", "warn", entry.pointer))
    if not held:
        refuse(report.at("reportContents"), "required", "names no content item that was sent")
    source = _source(report, codes, findings)
    case: dict[str, Json] = {
        "kind": "content_report",
        "origin_channel": "iccam_in",
        "offence_type": "csam_dissemination",
        "dates": {"opened_at": received},
        "related_refs": [{"system": "ICCAM", "ref": str(number)}],
    }
    draft = {"schema": "broker-case/1", "case": case, "reporter": {"type": "organisation"}}
    draft |= _parts(report, held, source, findings, case["related_refs"])
    findings += report.ignored()
    return CaseDraft(draft, "iccam_in", tuple(findings))


def _source(report: Members, codes: Codes, findings: list[Finding]) -> dict[str, Json]:
    """What the report says of the page it is about; ICCAM's test credentials are not taken over."""
    where: dict[str, Json] = {}
    site = report.whole("sourceUrlSiteType", 0, 2**31)
    if site is not None and site not in codes.site_types:
        findings.append(Finding("iccam-code-unknown", "warn", report.at("sourceUrlSiteType")))
    if site is not None and codes.site_types.get(site):
        where["site"] = {"type": codes.site_types[site]}
    trade = report.whole("sourceUrlCommerciality", 0, 2**31)
    methods = _payments(report, codes, findings)
    if trade is not None and trade in codes.commercialities:
        where["commerce"] = {"commerciality": codes.commercialities[trade]}
        if methods:
            where["commerce"]["payment_methods"] = methods
    elif trade is not None:
        findings.append(Finding("iccam-code-unknown", "warn", report.at("sourceUrlCommerciality")))
    referrer = None if report.raw("sourceUrlReferrer") == "" else report.url("sourceUrlReferrer")
    if referrer is not None:
        where["referrer"] = referrer
    for name in ("sourceUrlUsername", "sourceUrlPassword"):
        if report.raw(name):
            findings += [Finding("iccam-credentials-not-carried", "note", report.at(name))]
    report.raw("reportingAnalystName")  # a person of another hotline: not taken over
    return where


def _payments(report: Members, codes: Codes, findings: list[Finding]) -> list[str]:
    numbers = report.raw("sourceUrlPaymentMethods") or []
    where = report.at("sourceUrlPaymentMethods")
    if not isinstance(numbers, list) or len(numbers) > 50:
        refuse(where, "type", "must be a short list of numbers")
    words: list[str] = []
    for i, number in enumerate(numbers):
        if isinstance(number, bool) or not isinstance(number, int):
            refuse(f"{where}/{i}", "type", "must be a whole number")
        if number not in codes.payment_methods:
            findings.append(Finding("iccam-code-unknown", "warn", f"{where}/{i}"))
        word = codes.payment_methods.get(number)
        words += [] if word is None else [word]
    return words


def _parts(
    report: Members,
    held: list[Content],
    source: dict[str, Json],
    findings: list[Finding],
    references: list[Json],
) -> dict[str, Json]:
    """Items, locations, verdicts, memos and removals; the source URL's facts stay with its location."""
    items: dict[str, Json] = {}
    locations: dict[str, Json] = {}
    confirmations: list[Json] = []
    removals: list[Json] = []
    hotline = report.whole("reportingHotlineId", 1, 2**53 - 1)
    organisation = "ICCAM" if hotline is None else f"INHOPE hotline {hotline}"
    memos = [report.filled("memo", 4000)]
    mine = report.filled("hotlineReference")
    page = next((one.location["url"] for one in held if one.source_url), None)
    for n, one in enumerate(held, 1):
        where = f"location{n}"
        locations[where] = one.location | (source if one.source_url else {})
        if page is not None and not one.source_url:
            locations[where]["page_url"] = page
        items[f"item{n}"] = {**one.item, "found_at": [where]}
        removals += [{**removal, "about": [where]} for removal in one.removals]
        memos.append(one.memo)
        findings += [*one.findings, _receipt(one)]
        references += [{"system": "ICCAM", "ref": f"content {one.content_id}"}]
        if one.confirmed and one.verdict_at is not None:
            confirmations.append(
                {
                    "claim": "content_illegal",
                    "organisation": organisation,
                    "at": one.verdict_at,
                    "basis": "iccam",
                    "about": [f"item{n}"],
                }
            )
    if mine is not None:
        references.append({"system": "INHOPE", "ref": mine})
    narrative = [{"text": m, "type": "assessment", "source": "partner"} for m in memos if m]
    parts: dict[str, Json] = {"items": items, "locations": locations}
    if confirmations or narrative:
        parts["assessment"] = {"confirmations": confirmations, "narrative": narrative}
    if removals:
        parts["actions"] = {"removal": removals}
    return parts


def _receipt(one: Content) -> Finding:
    """The reference set in ICCAM is the receipt; whoever imports must still set it, or has done so."""
    if one.reference is None:
        return Finding("iccam-receipt-owed", "note", "", {"content": one.content_id})
    return Finding("iccam-already-receipted", "note", "", {"content": one.content_id})
