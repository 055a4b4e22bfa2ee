"""Examples and schemas of the OpenAPI document. All of it is invented; a test checks it against itself."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from broker.api.problems import PROBLEMS, TYPE_PREFIX
from broker.core import canonical
from broker.core import case as core_case

Schema = dict[str, Any]

RELEASE = "a2b3c4d5e6f7g2h3i4j5k6l7m2"
ANSWER = "6f1c2f3e-9d1b-4c55-8a0e-2b7c9d40e111"
TRACE = "3032660b-0a36-44cf-9e99-702478182abf"
_TIME = {"type": "string", "format": "date-time"}
_SHA256 = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
_RELEASE_ID = {"type": "string", "pattern": "^[a-z2-7]{26}$"}

COMPACT_JWE = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){4}$",
    "description": "Compact JWE, ECDH-ES+A256KW and A256GCM (docs/spec/package.md).",
}
COMPACT_JWS = {
    "type": "string",
    "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+){2}$",
    "description": "Compact JWS, ES256 (docs/spec/receipt.md).",
}
TEXT = {"type": "string"}
BYTES = {"type": "string", "format": "binary"}


def _object(members: Schema, *optional: str) -> Schema:
    required = [name for name in members if name not in optional]
    return {"type": "object", "properties": members, "required": required, "additionalProperties": False}


_SIZES = _object(
    {
        "referral": {"type": "integer", "minimum": 0},
        "apart": {"type": "integer", "minimum": 0, "description": "0: nothing is sealed apart"},
        "documents": {
            "type": "array",
            "items": _object({"name": TEXT, "size": {"type": "integer", "minimum": 0}}),
        },
    }
)
_ROW = _object(
    {
        "href": TEXT,
        "release": _RELEASE_ID,
        "position": {"type": "integer", "minimum": 0, "description": "Ledger position: the cursor."},
        "seq": {"type": "integer", "minimum": 1, "description": "Contiguous for each partner."},
        "event": {"enum": ["published", "withdrawn"]},
        "reference": TEXT,
        "version": {"type": "integer", "minimum": 1},
        "kind": {"enum": ["new", "supplement", "correct", "restrict", "erase", "withdraw"]},
        "supersedes": {"anyOf": [_RELEASE_ID, {"type": "null"}]},
        "urgency": TEXT,
        "caseKind": {"enum": ["content_report", "person_lead", "grooming_or_extortion", "danger"]},
        "sizes": {"$ref": "#/components/schemas/Sizes"},
        "deadline": {"anyOf": [_TIME, {"type": "null"}]},
        "publishedAt": _TIME,
    }
)
_FEED = _object(
    {
        "self": TEXT,
        "items": {"type": "array", "items": {"$ref": "#/components/schemas/FeedRow"}},
        "next": TEXT,
        "more": {"type": "boolean", "description": "There are rows behind this page already."},
        "pageSize": {"type": "integer", "minimum": 1},
        "after": {"type": "integer", "minimum": -1, "description": "The cursor behind this page."},
        "environment": TEXT,
    }
)
_PROBLEM = _object(
    {
        "type": {"enum": [TYPE_PREFIX + code for code in PROBLEMS]},
        "title": TEXT,
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "instance": {"type": "string", "pattern": "^urn:uuid:[0-9a-f-]{36}$"},
        "detail": TEXT,
        "hint": TEXT,
        "reason": {"type": "string", "description": "A finer code than the type."},
        "issues": {
            "type": "array",
            "items": _object({"field": TEXT, "rule": TEXT, "detail": TEXT}),
        },
    },
    "detail", "hint", "reason", "issues",
)  # fmt: skip


def schemas() -> dict[str, Schema]:
    """Everything that goes under `components.schemas`."""
    return {
        "Sizes": _SIZES,
        "FeedRow": _ROW,
        "FeedPage": _FEED,
        "Problem": _PROBLEM,
        "ReadRecorded": _object({"release": _RELEASE_ID, "ground": TEXT}),
        "AnswerRecorded": _object(
            {"release": _RELEASE_ID, "answer": {"type": "string", "format": "uuid"}, "outcome": TEXT}
        ),
        "ReceiptRecorded": _object(
            {"release": _RELEASE_ID, "sha256": _SHA256, "verified": {"type": "boolean"}}
        ),
        "CaseTaken": _object({"case": {"type": "string", "format": "uuid"}, "state": {"const": "draft"}}),
        "Alive": _object({"status": {"const": "UP"}}),
        "Ready": _object({"status": {"enum": ["UP", "DOWN"]}, "integrator": {"type": "boolean"}}),
        **_case_schemas(),
    }


def _case_schemas() -> dict[str, Schema]:
    """The canonical case and its parts, moved to where OpenAPI looks for them."""
    whole = core_case.json_schema()
    parts = whole.pop("$defs")
    for key in ("$schema", "$id"):
        whole.pop(key)
    named = {f"Case.{name}": _moved(part) for name, part in parts.items()}
    return {"Case": _moved(whole), **named}


def _moved(node: Any) -> Any:
    if isinstance(node, dict):
        return {
            key: value.replace("#/$defs/", "#/components/schemas/Case.") if key == "$ref" else _moved(value)
            for key, value in node.items()
            if key != "discriminator"
        }
    return [_moved(each) for each in node] if isinstance(node, list) else node


FEED_PAGE = {
    "self": "/v1/referrals?after=-1&limit=100",
    "items": [
        {
            "href": f"/v1/referrals/{RELEASE}",
            "release": RELEASE,
            "position": 512,
            "seq": 7,
            "event": "published",
            "reference": "CF-2026-917401-9",
            "version": 1,
            "kind": "new",
            "supersedes": None,
            "urgency": "U2",
            "caseKind": "content_report",
            "sizes": {
                "referral": 48211,
                "apart": 0,
                "documents": [{"name": "referral.pdf", "size": 320266}],
            },
            "deadline": "2026-03-03T10:00:00Z",
            "publishedAt": "2026-03-02T10:00:00Z",
        }
    ],
    "next": "/v1/referrals?after=512&limit=100",
    "more": False,
    "pageSize": 100,
    "after": 512,
    "environment": "synthetic",
}
EMPTY_PAGE = {
    **FEED_PAGE,
    "self": "/v1/referrals?after=512&limit=100",
    "items": [],
}
JWE = (
    "eyJhbGciOiJFQ0RILUVTK0EyNTZLVyIsImVuYyI6IkEyNTZHQ00ifQ."
    "c3ludGhldGlj.MTIgb2N0ZXRzISE.c3ludGhldGlj.MTYgb2N0ZXRzIHRhZyE"
)
RECEIPT_JWS = "eyJhbGciOiJFUzI1NiIsImtpZCI6InJlY2VpcHQtMSIsInR5cCI6InJlY2VpcHQrandzIn0.e30.c3ludGhldGlj"
_SIGNATURE = "hbmcY2RiTgW2l9LL3jHurNCySLpIhK2VVSr6MMhQbxGOH5Us9hcrAnkTR1ixhGmP1pBwto+ZtDZJOX0yAVsj/JW+xwY="
CHECKPOINT = f"""\
broker.example/ledger
16
RYgvvM9SGhl7eqmzN2oPkw8A8Q6/8Pr7pphkmqEwJ0g=

— broker.example/ledger {_SIGNATURE}
"""
_EXTRA = canonical.encode(
    {
        "nonce": "c3ludGhldGljIG5vbmNlIQ",
        "record": {
            "at": "2026-03-02T10:00:00Z",
            "carrier": "pt_examplepartner",
            "kind": "new",
            "release": RELEASE,
            "seal_sha256": "0" * 64,
        },
        "type": "published",
    }
)
PROOF = f"""\
c2sp.org/tlog-proof@v1
extra {b64encode(_EXTRA).decode()}
index 11
ll3NUZKQl7tsZJK8gp+3Dhhbhhw9mmt2TUW3cH5zrNc=

{CHECKPOINT}"""
READ = {"ground": "own_case", "userReference": "desk-7", "ownCaseNumber": "BR.55.99.000001/2026"}
OPENED = {"outcome": "O10", "caseReference": "BR.55.99.000001/2026"}
MISSING = {"outcome": "O71", "gaps": ["Q03", "Q07"]}
NOT_OURS = {"outcome": "O72", "suggest": "NL"}
CASE = {
    "schema": "broker-case/1",
    "synthetic": True,
    "case": {
        "kind": "content_report",
        "origin_channel": "public_report",
        "offence_type": "csam_dissemination",
        "dates": {"opened_at": "2026-03-01T10:00:00+01:00"},
    },
    "items": {
        "item1": {
            "found_at": ["loc1"],
            "crypto_hash": [{"alg": "md5", "value": "14d83e67b52bdaf5fd5576b94c1e74b1"}],
        }
    },
    "locations": {"loc1": {"url": "https://host.example/synthetic/1", "country": "BE"}},
}


def problem(code: str) -> Schema:
    """A problem document of that type, as the API gives it."""
    kind = PROBLEMS[code]
    said: Schema = {
        "type": TYPE_PREFIX + code,
        "title": kind.title,
        "status": kind.status,
        "instance": f"urn:uuid:{TRACE}",
    }
    if code == "bad-request":
        rule = {"field": "/query/limit", "rule": "less_than_equal", "detail": "is too large"}
        said |= {"detail": "the request does not fit the schema", "issues": [rule]}
    return said
