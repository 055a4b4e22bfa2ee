"""What stands where: the fields of the dossier in reading order, and the field ids it needs.

Names and ids are those of docs/spec/referral.md. Not rendered: what is sealed apart (F12, F54, F61),
what nobody gets (F13), and F83, which is for a hotline exchange and not for a dossier.
"""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A field of a section: `/facts/<section>/<name>`."""

    section: str
    name: str
    field: str


class Column(NamedTuple):
    """A field of an entity: `/entities/<collection>/<id>/<name>`."""

    name: str
    field: str


def _places(section: str, **names: str) -> tuple[Place, ...]:
    return tuple(Place(section, name, field) for name, field in names.items())


FRONT = (
    *_places("case", urgency="F06", urgency_reason="F07"),
    *_places("operator", desk="F72"),
    *_places("handling", codes="F67"),
    *_places("assessment", known_gaps="F63"),
)
"""Fields of the first page."""

CASE = _places(
    "case",
    kind="F84",
    offence_type="F03",
    offence_at="F82",
    dates="F08",
    origin_channel="F02",
    times_reported="F10",
    jurisdiction_basis="F05",
    related_refs="F09",
)
REFERRAL = (*_places("referral", reference="F71"), *_places("case", case_ref="F01"))
REPORTER = _places("reporter", type="F11", consent_to_contact="F15", statement="F14")
NARRATIVE = _places("assessment", narrative="F64")
ASSESSMENT = _places("assessment", confirmations="F60")
ACTIONS = (
    *_places("evidence", custody="F65", preservation="F66"),
    *_places("actions", removal="F69", hold="F81"),
    *_places("disclosure", prior_recipients="F70"),
)
LEGAL = (*_places("case", legal_refs="F04"), *_places("legal", basis="F68"))


def _columns(**names: str) -> tuple[Column, ...]:
    return tuple(Column(name, field) for name, field in names.items())


COLLECTIONS: dict[str, tuple[Column, ...]] = {
    "items": _columns(
        ref="F16",
        crypto_hash="F17",
        perceptual_hash="F18",
        media="F19",
        filename="F20",
        known_status="F23",
        baseline="F59",
        labels="F58",
        synthetic_flag="F24",
        self_generated="F79",
        seen="F25",
        publicly_available="F27",
        human_viewed="F26",
        viewed_scope="F80",
        exif="F22",
        media_pointer="F21",
        orb_ref="F28",
        evaluation="F62",
    ),
    "locations": _columns(
        url="F29",
        page_url="F30",
        referrer="F77",
        site="F31",
        access_note="F32",
        host="F33",
        country="F34",
        cdn="F76",
        trace="F35",
        last_check="F36",
        commerce="F78",
    ),
    "persons": _columns(
        account="F37",
        handle="F38",
        self_declared_name="F39",
        contact="F40",
        payment_ref="F41",
        profile="F42",
        minor_flag="F43",
        child_access="F44",
        country_estimate="F45",
        evaluation="F62",
    ),
    "events": _columns(
        event="F49",
        ip="F46",
        port="F47",
        timestamp="F48",
        ip_role="F75",
        evaluation="F62",
    ),
    "victims": _columns(
        ref="F50",
        age_band="F51",
        sex="F52",
        identification="F53",
        account_id="F55",
        location_clues="F56",
        series_ref="F57",
    ),
    "links": _columns(link="F73"),
    "contacts": _columns(history="F74"),
}

SECTIONS = (
    "referral",
    "case",
    "reporter",
    "narrative",
    *COLLECTIONS,
    "assessment",
    "actions",
    "legal",
)
"""The sections in the order an officer reads them."""

PROSECUTOR = ("referral", "legal", *(name for name in SECTIONS if name not in {"referral", "legal"}))
"""The same for a prosecutor: what it rests on comes first."""

NEEDS = frozenset(
    {
        place.field
        for group in (FRONT, CASE, REFERRAL, REPORTER, NARRATIVE, ASSESSMENT, ACTIONS, LEGAL)
        for place in group
    }
    | {column.field for columns in COLLECTIONS.values() for column in columns}
)

ORDER: dict[str, tuple[str, ...]] = {
    "F04": ("statute", "article", "version_date"),
    "F05": ("country", "reason", "confidence"),
    "F08": ("opened_at", "confirmed_at"),
    "F09": ("system", "ref"),
    "F16": ("ref", "found_at"),
    "F17": ("alg", "value"),
    "F18": ("alg", "value"),
    "F19": ("type", "size"),
    "F23": ("status", "match", "lists"),
    "F25": ("first", "last"),
    "F26": ("viewed", "by_org"),
    "F31": ("type", "domain"),
    "F33": ("ip", "asn", "provider"),
    "F36": ("online", "at"),
    "F37": ("service", "account_id"),
    "F42": ("url", "bio"),
    "F45": ("country", "confidence"),
    "F49": ("type", "isp", "account_of"),
    "F50": ("ref", "of"),
    "F58": ("scheme", "version", "label"),
    "F60": ("claim", "organisation", "analyst", "at", "basis", "match", "organisations"),
    "F62": ("source", "info"),
    "F64": ("type", "text", "source"),
    "F65": ("at", "action", "actor_role", "hash"),
    "F66": ("requested_to", "at", "expires"),
    "F67": ("code", "text", "conditions", "codes", "tlp", "pap", "iep"),
    "F68": ("purpose", "bases", "purposes", "agreement", "transfer"),
    "F69": ("to", "status", "at"),
    "F72": ("organisation", "phone", "mail", "hours", "languages"),
    "F73": ("subject", "relation", "item", "event", "victims", "type", "confidence"),
    "F74": (
        "person",
        "victims",
        "platform",
        "medium",
        "first",
        "last",
        "count",
        "demands",
        "transcript",
    ),
    "F80": ("whole_file", "exif", "by_org"),
    "F81": ("state", "by", "until"),
    "F82": ("start", "end", "basis"),
}
"""Members in the order an officer reads them; the rest follow by name."""

REFERENCES = frozenset({"about", "account_of", "found_at", "subject", "item", "event", "person", "victims"})
"""Members whose value is an element id or a list of them."""

UNLABELLED = frozenset(
    {
        ("F05", "country"),
        ("F16", "ref"),
        ("F17", "alg"),
        ("F17", "value"),
        ("F18", "alg"),
        ("F18", "value"),
        ("F19", "type"),
        ("F23", "status"),
        ("F31", "type"),
        ("F45", "country"),
        ("F49", "type"),
        ("F50", "ref"),
        ("F60", "claim"),
        ("F64", "text"),
        ("F64", "type"),
        ("F65", "action"),
        ("F65", "at"),
        ("F67", "codes"),
        ("F67", "text"),
        ("F73", "event"),
        ("F73", "item"),
        ("F73", "relation"),
        ("F73", "subject"),
        ("F73", "type"),
        ("F73", "victims"),
    }
)
"""Members whose value needs no label of its own."""
