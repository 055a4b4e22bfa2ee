"""Put a draft together: minimise → seal tree → payload → documents → findings → record.

Nothing here reads the database or a clock; what a draft depends on comes in as `Ingredients`.
"""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from broker.core import handling, package, quality, taint
from broker.core.agreement import AgreementTerms
from broker.core.checks import Process
from broker.core.confirmation import Released, UrgentCase
from broker.core.minimise import Minimised, MinimiseRequest, Recipient, minimise
from broker.core.referral import Header, build_payload, seal_tree
from broker.desk.context import Desk
from broker.desk.record import Record
from broker.errors import BrokerError, NotFound
from broker.sealing.encrypt import MAX_DOCUMENT
from broker.spi import Document, Finding, Json, MinimisedReferral, Renders

RESERVED = "referral.json"
"""The name the payload itself goes by, in a folder and in the taint scan."""
SIGNATURE_ROOM = 256 * 1024
"""What a signature may add to a document. Too large is found here: once it is approved, a document that
cannot be sealed would be tried again for ever and never leave."""
OWN_SYSTEMS: Mapping[str, frozenset[str]] = {
    "hotline": frozenset({"iccam"}),
    "clearing_house": frozenset({"ncmec"}),
    "europol": frozenset({"siena"}),
    "interpol": frozenset({"icse"}),
}
"""role → reference systems whose ids are the recipient's own (action G8 of F09)."""


@dataclass(frozen=True, slots=True)
class Ingredients:
    """Everything random, dated or looked up that a draft depends on."""

    released: Released
    header: Header
    provider: str | None
    terms: AgreementTerms | None
    agreement_version: int | None
    statutory: bool
    removed: frozenset[str]
    grounds: Mapping[str, str]
    clear: Mapping[str, str]
    add_rows: Mapping[str, str]
    element_key: bytes
    pseudonym_key: bytes
    case_alias: str
    prior_recipients: Sequence[Mapping[str, str]]
    seed: bytes
    case_salt: bytes
    open_referral: bool = False
    channel_adapter: str | None = None
    """The adapter that will deliver it, where the carrier does not pull: it may render documents too."""
    opens_apart: bool = True
    """The carrier has a key for what is sealed apart, or does not pull."""
    render: bool = True
    """False for a look at rows and fields alone: documents cost most of a draft's time."""


@dataclass(frozen=True, slots=True)
class Composition:
    """A draft in full, for preview, trial and storage."""

    header: Header
    agreement_version: int | None
    minimised: Minimised
    referral: MinimisedReferral
    record: Record
    findings: tuple[Finding, ...]


def compose(desk: Desk, ingredients: Ingredients) -> Composition:
    """Raises `Refused` when there is no lawful view at all; findings come back as values."""
    i, pack = ingredients, desk.pack
    codes = handling.default(pack, i.header.addressee.recipient_class)
    conditions = handling.as_json(codes, pack, i.header.language)
    minimised = minimise(i.released, pack, _request(desk, i, conditions))
    tree = seal_tree(minimised, i.seed)
    payload, referral = build_payload(minimised, i.header, tree.root, tree.depth)
    documents, findings = _render(desk, referral, i.channel_adapter) if i.render else ((), [])
    found = [*minimised.findings, *findings]
    given = taint.locators(minimised)
    found += taint.scan(taint.subjects(minimised), plain_parts(payload, documents), given)
    if minimised.apart and not i.opens_apart:  # it would be approved and could never be signed
        found.append(Finding("no-apart-key", "block"))
    judged = _judge(desk, i, minimised, found)
    found += [Finding(code, "block") for code in judged.blocks if code != "text-leak"]
    distinct = _distinct(found)
    record = Record(
        release=i.header.release,
        payload=payload,
        seed=i.seed,
        units=minimised.units,
        apart=minimised.apart,
        withheld=minimised.withheld,
        documents=documents,
        handling={k: v for k, v in conditions.items() if k != "conditions"},
        conditions=conditions["conditions"],
        case_version=package.hidden_case_version(i.case_salt, i.released.case.digest),
        fields=_applied(minimised),
        grounds=dict(i.grounds),
        cleared=tuple(sorted(set(i.clear) & set(minimised.masked))),
        implied=tuple(sorted({f.pointer for f in found if f.code == "implied"})),
        gaps=judged.gaps,
        score=judged.score,
        priority=judged.priority,
        case_kind=i.released.case.kind,
        urgency=i.released.case.urgency or "U4",
        extra={
            "minor": _has_minor(minimised),
            "removed": sorted(i.removed),
            **_added(i, minimised),
            "findings": [[f.code, f.severity, f.pointer] for f in distinct],
        },
    )
    return Composition(i.header, i.agreement_version, minimised, referral, record, distinct)


def plain_parts(payload: bytes, documents: Sequence[Document]) -> dict[str, str | bytes]:
    """Every plaintext a recipient will see, by name: what the taint scan reads (ruling 28).

    A PDF is read as a reader shows it: page text, metadata and attachments; its raw bytes hide text.
    """
    from pypdf import PdfReader  # costs half a second: only who drafts pays it

    parts: dict[str, str | bytes] = {"referral.json": payload}
    for document in documents:
        parts[f"{document.name}#name"] = document.name
        if document.media_type != "application/pdf":
            parts[document.name] = document.content
            continue
        reader = PdfReader(io.BytesIO(document.content))
        parts[document.name] = "\n".join(page.extract_text() for page in reader.pages)
        parts[f"{document.name}#metadata"] = "\n".join(str(v) for v in (reader.metadata or {}).values())
        for name, contents in reader.attachments.items():
            for n, content in enumerate(contents):
                parts[f"{document.name}#{name}{n}"] = content
    return parts


def _request(desk: Desk, i: Ingredients, conditions: Mapping[str, Json]) -> MinimiseRequest:
    pack = desk.pack
    role = pack.role(i.header.addressee.recipient_class) or ""
    return MinimiseRequest(
        recipient=Recipient(
            party=i.header.addressee,
            language=i.header.language,
            statutory=i.statutory,
            names=frozenset({i.provider} if i.provider else ()),
            systems=OWN_SYSTEMS.get(role, frozenset()),
        ),
        terms=i.terms,
        purposes=i.header.purposes,
        element_key=i.element_key,
        pseudonym_key=i.pseudonym_key,
        case_alias=i.case_alias,
        reference=i.header.reference,
        desk={
            "organisation": pack.desk.organisation,
            "phone": pack.desk.phone,
            "mail": pack.desk.mail,
            "hours": pack.desk.hours,
            "languages": list(pack.desk.languages),
        },
        day=i.header.drafted_at.astimezone(ZoneInfo(pack.timezone)).date(),
        prior_recipients=tuple(i.prior_recipients),
        handling=conditions,
        legal_basis=_legal_basis(i),
        grounds=i.grounds,
        clearances=i.clear,
        added_rows=i.add_rows,
        removed=i.removed,
    )


def _legal_basis(i: Ingredients) -> dict[str, Json]:
    """F68: purposes and what they rest on, as the agreement records it; statute where there is none."""
    purposes: list[Json] = []
    for purpose in i.header.purposes:
        bases = {} if i.terms is None else i.terms.legal_bases.get(purpose, {})
        purposes.append({"purpose": purpose, "bases": sorted(set(bases.values())) or ["statute"]})
    return {
        "purposes": purposes,
        "agreement": i.agreement_version,
        "transfer": None if i.terms is None else i.terms.transfer_mechanism,
    }


def _render(
    desk: Desk, referral: MinimisedReferral, channel: str | None
) -> tuple[tuple[Document, ...], list[Finding]]:
    """The documents of every format the pack names for this class, and what their lints found.

    A delivering adapter adds what it sends (a mail text, a JSON body). A class without formats gets
    the referral document alone. Names are unique over all of them: a
    recipient, a seal and a folder know a document by its name only.
    """
    documents: list[Document] = []
    findings: list[Finding] = []
    names = list(desk.pack.formats.get(referral.addressee.recipient_class, ()))
    if channel is not None and channel not in names and isinstance(desk.adapters.get(channel), Renders):
        names.append(channel)
    for name in names:
        rendered, found = _render_one(desk, name, referral)
        taken = {RESERVED, *(document.name for document in documents)}
        findings += found
        for document in rendered:
            if len(document.content) > MAX_DOCUMENT - SIGNATURE_ROOM:
                findings.append(Finding("document-too-large", "block", "", {"adapter": name}))
            elif document.name in taken:
                findings.append(Finding("document-name-taken", "block", "", {"adapter": name}))
            else:
                documents.append(document)
    return tuple(documents), findings


def _render_one(
    desk: Desk, name: str, referral: MinimisedReferral
) -> tuple[Sequence[Document], Sequence[Finding]]:
    adapter = desk.adapters.get(name)
    if not isinstance(adapter, Renders):
        raise NotFound(f"adapter {name}")
    try:
        documents = tuple(adapter.render(referral))
        return documents, adapter.lint(referral, documents)
    except BrokerError:
        raise
    except Exception:  # an adapter is somebody else's code; what it choked on may hold values
        return (), [Finding("adapter-failed", "block", "", {"adapter": name})]


def _judge(desk: Desk, i: Ingredients, minimised: Minimised, found: Sequence[Finding]) -> quality.Quality:
    data = i.released.case.data
    needed = quality.minor_check_needed(i.released.rows, data)
    codes = {f.code for f in found if f.severity == "block"}
    urgent = isinstance(i.released, UrgentCase)
    return quality.assess(
        minimised.facts,
        minimised.entities,
        pack=desk.pack,
        recipient_class=i.header.addressee.recipient_class,
        kind=i.released.case.kind,
        mask=minimised.view.mask,
        now=i.header.drafted_at,
        process=Process(
            confirmed=not urgent,
            urgent=urgent,
            legal_basis=i.statutory or i.terms is not None,
            statutory=i.statutory,
            agreement_in_force=i.terms is not None,
            payload_clean="taint" not in codes,
            text_cleared="text-leak" not in codes,
            minor_check_done=data.get("assessment", {}).get("minor_check") is not None,
            minor_check_needed=needed and not urgent,
            other_open_referral=i.open_referral,
        ),
    )


def _applied(minimised: Minimised) -> dict[str, str]:
    """Field id → action applied to what this recipient gets; for the register."""
    return {
        field_id: "apart" if decision.state == "apart" else decision.action
        for field_id, decision in sorted(minimised.view.decisions.items())
        if decision.state != "withheld"
    }


def _added(i: Ingredients, minimised: Minimised) -> dict[str, Json]:
    """Rows that went because a person added them, with the reason; for who approves and who reviews."""
    rows = minimised.rows.items()
    went: list[Json] = [[local_id, i.add_rows[local_id]] for local_id, row in rows if row.reason == "added"]
    return {"added": went} if went else {}


def _distinct(found: Sequence[Finding]) -> tuple[Finding, ...]:
    """Each finding once; its parameters are a mapping, so it has no hash of its own."""
    return tuple({(f.code, f.severity, f.pointer, *sorted(f.params.items())): f for f in found}.values())


def _has_minor(minimised: Minimised) -> bool:
    persons = minimised.entities.get("persons", {}).values()
    return any(person.get("minor_flag") == "minor" for person in persons) or bool(minimised.view.minor_open)
