"""Generated minimised referrals: any subset of the 84 fields, full and coarsened values, hostile text.

Places come from `broker.core.fields`, so that a field added there is generated here at once; a field
without a strategy of its own fails the test that looks for it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from broker.conformance import referral_from
from broker.core.fields import COLLECTIONS, SEALED_APART, SECTIONS

HOSTILE = [
    '#raw(read("/etc/passwd"))',
    '#eval("1") $x$ *bold* _it_ `raw` @ref <label> // c',
    '=HYPERLINK("http://bad.example/";"x")',
    "+32 2 555 01 10",
    "-1+1",
    "@SUM(A1)",
    "'quoted",
    "\tTab first",
    'a;b"c"\r\nnext line',
    "right \u202eto left, zero\u200bwidth, soft\u00adhyphen",
    "\u4e2d\u6587 \u0627\u0644 \U0001f600",
    "combining x\u0302",
    "see www.bad.example/page and http://bad.example:8080/a.b?c=d.e#f",
    "javascript:alert(1) data:text/html,x mailto:a@b.example",
    "{0} {names} %s \\u{1f} \\n",
    "word" * 60,
    "Ünïcödé – “quotes” … €",
]
WORDS = ["alpha", "beta", "gamma 12", "delta/epsilon", "Zeta, eta.", "theta: iota"]


def _text(longest: int = 200) -> st.SearchStrategy[str]:
    letters = st.text(
        st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=min(longest, 40)
    )
    return st.one_of(st.sampled_from(WORDS), st.sampled_from(HOSTILE), letters).map(lambda t: t[:longest])


def _one(*values: Any) -> st.SearchStrategy[Any]:
    return st.sampled_from(values)


def _some(required: dict[str, Any], **optional: Any) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(required, optional=optional)


def _many(entry: st.SearchStrategy[Any], most: int = 3) -> st.SearchStrategy[list[Any]]:
    return st.lists(entry, min_size=1, max_size=most)


INSTANT = _one(
    "2026-03-01T11:00:00Z",
    "2026-03-29T00:59:59Z",
    "2026-07-01T23:30:00+02:00",
    "1999-12-31T23:59:59.5-05:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59Z",
)
DATE = _one("2026-03-01", "2026-03")
MOMENT = st.one_of(
    DATE,
    _some(
        {"at": st.one_of(INSTANT, DATE)},
        meaning=_one("observed", "uploaded", "taken"),
        clock=_one("hotline", "unknown"),
        zone=_one("Europe/Brussels", "America/New_York", "Not/AZone", "../../etc/passwd"),
    ),
)
URL = _one(
    "https://files.host-one.example/a/" + "b1" * 120 + "?q=1&r=2#s",
    "http://192.0.2.77:8080/pub/x.bin",
    "http://[2001:db8::1]/x",
    "https://user:pw@host.example/=cmd",
    "HTTPS://UPPER.EXAMPLE/Path",
    "ftp://host.example/f",
    "magnet:?xt=urn:btih:00ff",
    "ipfs://bafy/x",
)
CONFIDENCE = _one("low", "medium", "high")
TEXT = _text()
WHO = _text(60)
COUNT = _one(0, 0, 1, 2)
PARTY = st.fixed_dictionaries(
    {"partner": _one("pt_a"), "class": _one("BEP", "FLE", "XXX"), "country": _one("BE", ""), "name": WHO}
)


IDS = {c: [f"{n}{c[:5]}2x3y"[:10].ljust(10, "q") for n in "ab"] for c in COLLECTIONS}
"""Two element ids for each collection; references point to these, whether they are there or not."""


def _values() -> dict[str, st.SearchStrategy[Any]]:
    """Field id → strategy: full values and the coarser forms of the legend."""
    ref = st.sampled_from([*(e for group in IDS.values() for e in group), "zdropped2a"])
    about = st.lists(ref, max_size=2)
    hashes = _many(_some({"alg": _one("sha256", "sha1", "md5"), "value": _one("9f" * 32, "ab" * 20)}))
    evaluation = _some({"source": _one("A", "B", "C", "X"), "info": _one("1", "2", "3", "4")})
    return {
        "F01": _one("p7c2k4m6"),
        "F02": _one("public_report", "arachnid", "public", "partner"),
        "F03": _one("csam_dissemination", "grooming", "other", "newer_code"),
        "F04": _many(_some({"statute": WHO, "article": WHO, "version_date": DATE})),
        "F05": st.one_of(
            _many(
                _some(
                    {"country": _one("BE", "NL"), "reason": _one("host", "ip"), "confidence": CONFIDENCE},
                    about=about,
                )
            ),
            st.just(["BE", "NL"]),
        ),
        "F06": _one("U1", "U2", "U3", "U4"),
        "F07": _text(500),
        "F08": st.one_of(_some({"opened_at": st.one_of(INSTANT, DATE)}, confirmed_at=INSTANT), DATE),
        "F09": _many(_some({"system": WHO}, ref=WHO)),
        "F10": st.integers(1, 10**6),
        "F11": _one("anon", "victim", "person"),
        "F14": _text(),
        "F15": st.booleans(),
        "F16": st.one_of(
            st.just("item 7"), _some({"ref": _one("item 1", "item 2", "item 3")}, found_at=about)
        ),
        "F17": hashes,
        "F18": _many(_some({"alg": _one("pdq", "photodna"), "value": _one("Zm9v" * 90)})),
        "F19": _some({"type": _one("image/png", "video/mp4")}, size=st.integers(0, 2**53 - 1)),
        "F20": WHO,
        "F21": WHO,
        "F22": _some({}, device=WHO, latitude=_one("-50.1"), longitude=_one("4.0"), original_at=INSTANT),
        "F23": st.one_of(
            _some(
                {"status": _one("known", "new", "unknown"), "match": _one("exact", "near", "none")},
                lists=_many(WHO),
            ),
            st.just({"known": True}),
        ),
        "F24": _one("real", "ai", "unknown"),
        "F25": st.one_of(DATE, _some({"first": MOMENT}, last=MOMENT)),
        "F26": _some({"viewed": st.booleans()}, by_org=WHO),
        "F27": _one("open", "onion"),
        "F28": WHO,
        "F29": URL,
        "F30": URL,
        "F31": _some({"type": _one("forum", "p2p")}, domain=_one("forum.example", "a.b.example")),
        "F32": _text(500),
        "F33": _some({}, ip=_one("192.0.2.1", "2001:db8::1"), asn=_one("AS64500"), provider=WHO),
        "F34": _one("BE", "NL"),
        "F35": _some({"method": _one("dns", "rdap"), "at": INSTANT}, tool_version=WHO),
        "F36": _some({"online": st.booleans(), "at": INSTANT}),
        "F37": st.one_of(_some({"service": WHO}, account_id=WHO), WHO),
        "F38": WHO,
        "F39": WHO,
        "F40": _some({"verified": st.booleans()}, email=WHO, phone=WHO),
        "F41": WHO,
        "F42": _some({}, url=URL, bio=_text(500)),
        "F43": _one("adult", "minor", "unknown"),
        "F44": _one("none", "claimed", "confirmed"),
        "F45": _some({"country": _one("BE"), "confidence": CONFIDENCE}),
        "F46": _one("198.51.100.23", "198.51.100.0/24", "2001:db8:1::/48"),
        "F47": st.integers(1, 65535),
        "F48": MOMENT,
        "F49": _some({"type": _one("upload", "login")}, isp=WHO, account_of=ref),
        "F50": st.one_of(
            _some({"ref": _one("victim 1", "victim 2"), "of": st.integers(1, 9)}), st.just({"of": "2-5"})
        ),
        "F51": _one("7-9", "3-13"),
        "F52": _one("female", "unknown"),
        "F53": _one("unknown", "safeguarded"),
        "F55": WHO,
        "F56": _text(),
        "F57": WHO,
        "F58": st.one_of(
            _many(_some({"scheme": _one("UCS", "INHOPE"), "version": _one("v3"), "label": WHO})),
            st.just({"csam": True}),
        ),
        "F59": _one("baseline", "national"),
        "F60": _many(
            _some(
                {"claim": _one("content_illegal", "child_in_danger"), "organisation": WHO, "at": INSTANT},
                analyst=WHO,
                basis=_one("human", "iccam"),
                match=_one("exact", "near"),
                organisations=st.integers(1, 9),
                about=about,
            )
        ),
        "F62": evaluation,
        "F63": _many(_one("no-hash", "no-context", "newer-check")),
        "F64": _many(_some({"text": _text(), "type": _one("fact", "assessment")}, source=WHO)),
        "F65": _many(
            _some(
                {"actor_role": _one("analyst"), "action": _one("observed"), "at": INSTANT},
                hash=_one("ab" * 32),
                about=about,
            )
        ),
        "F66": _many(_some({"requested_to": WHO, "at": INSTANT}, expires=INSTANT)),
        "F67": st.one_of(
            st.just(
                {
                    "europol": [],
                    "tlp": None,
                    "pap": None,
                    "status": "set",
                    "conditions": ["criminal-proceedings", "x-new"],
                }
            ),
            st.just({"europol": ["H0"], "status": "proposed", "conditions": []}),
            _some({"conditions": _many(_some({"code": _one("C-1"), "text": _text()}))}, tlp=_one("AMBER")),
        ),
        "F68": _some({"refs": _many(WHO)}, purposes=_many(_one("P1", "P9"))),
        "F69": _many(_some({"to": WHO, "at": INSTANT, "status": _one("requested", "removed")}, about=about)),
        "F70": st.one_of(
            _many(_some({"partner_type": WHO, "at": INSTANT})), st.just({"another_authority": False})
        ),
        "F71": _one("CF-2026-000123-7"),
        "F72": _some(
            {"organisation": WHO},
            phone=_one("+32 2 555 01 10"),
            mail=WHO,
            hours=WHO,
            languages=_many(_one("nl", "fr")),
        ),
        "F73": st.one_of(
            _some(
                {
                    "subject": ref,
                    "relation": _one("posted", "shared"),
                    "type": _one("fact"),
                    "confidence": CONFIDENCE,
                },
                item=ref,
                event=ref,
                victims=about,
            ),
            st.just({"relation": "posted"}),
        ),
        "F74": _some(
            {"person": ref, "platform": WHO, "transcript": _one("available")},
            victims=about,
            first=MOMENT,
            last=MOMENT,
            count=st.integers(0, 999),
            demands=_many(_one("images", "money")),
            medium=_one("text"),
        ),
        "F75": _one("upload", "tor"),
        "F76": _some({"is_cdn": st.booleans()}, provider=WHO),
        "F77": URL,
        "F78": _some({"commerciality": _one("commercial")}, payment_methods=st.lists(WHO, max_size=2)),
        "F79": _some({"self_generated": _one("yes", "unknown"), "modelling": _one("no")}),
        "F80": _some({"whole_file": st.booleans(), "exif": st.booleans()}, by_org=WHO),
        "F81": st.one_of(
            _some({"state": _one("active", "none")}, by=WHO, until=INSTANT), st.just({"hold": True})
        ),
        "F82": st.one_of(_some({"start": DATE, "basis": _one("stated")}, end=DATE), DATE),
        "F83": _some({"username": WHO, "password": WHO}),
        "F84": _one("content_report", "danger"),
    }


VALUES = _values()

NEVER_IN_A_DOC = SEALED_APART | {"F13"}
"""Sealed apart, or given to nobody."""


def _subset(names: Mapping[str, str]) -> st.SearchStrategy[dict[str, Any]]:
    """Any subset of the fields of a section or an element."""
    return st.fixed_dictionaries(
        {}, optional={n: VALUES[f] for n, f in names.items() if f not in NEVER_IN_A_DOC}
    )


SUBSETS = {group: _subset(names) for group, names in (*SECTIONS.items(), *COLLECTIONS.items())}


@st.composite
def docs(draw: st.DrawFn) -> dict[str, Any]:
    """`doc` of docs/spec/referral.md: no empty section, collection or element."""
    facts = {section: chosen for section in SECTIONS if (chosen := draw(SUBSETS[section]))}
    if draw(st.booleans()):
        facts["summary"] = {"text": draw(TEXT)}
    entities: dict[str, Any] = {}
    for collection, ids in IDS.items():
        for element in ids[: draw(COUNT)]:
            chosen = draw(SUBSETS[collection])
            if chosen:
                entities.setdefault(collection, {})[element] = chosen
    return {"facts": facts, "entities": entities}


@st.composite
def payloads(draw: st.DrawFn) -> dict[str, Any]:
    """The whole payload, without the seal."""
    return {
        "schema": "broker-referral/1",
        "release": "a2b3c4d5e6f7g2h3i4j5k6l7m2",
        "issuer": "https://broker.hotline.example",
        "addressee": draw(PARTY),
        "carrier": draw(PARTY),
        "reference": draw(_one("CF-2026-000123-7", "CF-2026-000999-1")),
        "version": draw(st.integers(1, 9)),
        "kind": draw(_one("new", "supplement", "correct", "restrict", "erase", "withdraw")),
        "supersedes": draw(st.none() | st.just("b2b3c4d5e6f7g2h3i4j5k6l7m2")),
        "drafted_at": "2026-03-01T14:10:00Z",
        "language": draw(_one("nl", "fr", "de", "en")),
        "purposes": draw(st.lists(_one("P1", "P2", "P99"), max_size=2, unique=True)),
        "unconfirmed": draw(st.booleans()),
        "doc": draw(docs()),
        "withheld": draw(
            _one(
                {"fields": {}, "agreement": None, "can_be_asked_for": []},
                {
                    "fields": {"F12": {"state": "apart"}, "F51": {"state": "transformed", "how": "G5"}},
                    "agreement": {"version": 3, "digest": "0" * 64},
                    "can_be_asked_for": ["F14", "F52"],
                },
            )
        ),
    }


referrals = payloads().map(referral_from)
"""`MinimisedReferral` values."""
