"""Made-up rows for the tests of the store: two people, two partners, a case, and releases."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlmodel import Session

from broker.store import tables as t
from broker.store.engine import Database, unit_of_work
from broker.store.ledger import Entry, append

NOW = datetime(2030, 1, 2, 3, 4, 5, tzinfo=UTC)
LATER = NOW + timedelta(days=3650)
ANN, BEN = "st_ann", "st_ben"
PARTNERS = ("pt_one", "pt_two")
CASE = uuid.UUID(int=1)


def hexed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def populate(db: Database) -> None:
    """Two members of staff, two partners, a case with a referral to each."""
    with unit_of_work(db) as session:
        for staff in (ANN, BEN):
            session.add(t.Staff(id=staff, login=staff, roles=["analyst"], password_hash="-", created_at=NOW))
        for number, partner in enumerate(PARTNERS):
            session.add(
                t.Partner(
                    id=partner,
                    name=f"Synthetic Police {number}",
                    recipient_class="BEP" if number == 0 else "FLE",
                    country="BE",
                    language="nl",
                    client_id=f"client-{partner}",
                    environment="synthetic",
                    status="active",
                    created_at=NOW,
                )
            )
        session.add(
            t.CaseFile(
                id=CASE,
                kind="person_lead",
                state="confirmed",
                urgency="U2",
                current_version=1,
                created_by=ANN,
                created_at=NOW,
                synthetic=True,
            )
        )
        session.flush()
        for partner in PARTNERS:
            session.add(
                t.Referral(
                    id=referral_id(partner),
                    case_id=CASE,
                    addressee=partner,
                    carrier=partner,
                    reference=f"CF-{partner}",
                    case_alias="alias",
                    created_at=NOW,
                )
            )


def referral_id(partner: str) -> uuid.UUID:
    return uuid.uuid5(uuid.NAMESPACE_URL, partner)


def release_id(partner: str, version: int) -> str:
    return f"{partner.upper().replace('_', ''):0<16}{version:010d}"


def draft(release: str, partner: str, version: int, **changes: Any) -> t.Draft:
    values: dict[str, Any] = {
        "id": release,
        "referral_id": referral_id(partner),
        "version": version,
        "kind": "new",
        "urgent": False,
        "drafted_by": ANN,
        "drafted_at": NOW,
        "expires_at": NOW + timedelta(hours=24),
        "case_version": 1,
        "purposes": ["p1"],
        "approval_digest": hexed(release),
        "payload_sha256": hexed("payload"),
    }
    return t.Draft(**(values | changes))


def approval(release: str, **changes: Any) -> t.Approval:
    values: dict[str, Any] = {
        "release_id": release,
        "kind": "release",
        "approved_by": BEN,
        "drafted_by": ANN,
        "urgent": False,
        "digest": hexed(release),
        "at": NOW,
    }
    return t.Approval(**(values | changes))


def released(release: str, partner: str, version: int, **changes: Any) -> t.Release:
    values: dict[str, Any] = {
        "release_id": release,
        "referral_id": referral_id(partner),
        "version": version,
        "kind": "new",
        "addressee": partner,
        "addressee_class": "BEP" if partner == PARTNERS[0] else "FLE",
        "carrier": partner,
        "case_id": CASE,
        "case_version": 1,
        "matrix_digest": hexed("matrix"),
        "payload_sha256": hexed("payload"),
        "seal_sha256": hexed("seal"),
        "root": hexed("root"),
        "depth": 8,
        "approval_digest": hexed(release),
        "drafted_by": ANN,
        "approved_by": BEN,
        "urgent": False,
        "urgency": "U2",
        "case_kind": "person_lead",
        "purposes": ["p1"],
        "fields": {"F29": ["pass"]},
        "conditions": [],
        "gaps": [],
        "score": 1,
        "documents": [],
        "sizes": {"referral": 3},
        "key_ids": [],
        "released_at": NOW,
        "due_at": NOW,
    }
    return t.Release(**(values | changes))


def item(release: str, event: str = "published", urgency: str = "U2") -> dict[str, Any]:
    """A feed item as the application hands it over."""
    return {
        "href": f"/v1/referrals/{release}",
        "release": release,
        "event": event,
        "reference": "CF-1",
        "version": 1,
        "kind": "new",
        "supersedes": None,
        "urgency": urgency,
        "caseKind": "person_lead",
        "sizes": {"referral": 3, "apart": 0, "documents": []},
        "deadline": None,
    }


def entry(leaf_type: Any = "approved", **changes: Any) -> Entry:
    event_id = uuid.uuid4()
    values: dict[str, Any] = {
        "leaf_type": leaf_type,
        "event_id": event_id,
        "at": NOW,
        "actor": ANN,
        "record": {"at": "2030-01-02T03:04:05Z", "what": leaf_type},
        "nonce": event_id.bytes,
        "keep_until": LATER,
        "due_at": NOW,
    }
    return Entry(**(values | changes))


def publish(
    session: Session,
    partner: str,
    version: int,
    *,
    body: bytes = b"jwe",
    urgency: str = "U2",
    due_at: datetime = NOW,
    record: Mapping[str, Any] | None = None,
) -> str:
    """Everything a release puts into one transaction; gives its id."""
    release = release_id(partner, version)
    session.add(draft(release, partner, version))
    session.flush()
    session.add(approval(release))
    session.flush()
    session.add(released(release, partner, version, urgency=urgency, due_at=due_at))
    session.flush()
    session.add(
        t.SealedObject(
            release_id=release,
            part="referral",
            generation=1,
            partner_id=partner,
            media_type="application/jose",
            body=body,
            sha256=hashlib.sha256(body).hexdigest(),
            size=len(body),
        )
    )
    session.flush()
    append(session, entry("approved", release_id=release))
    append(
        session,
        entry(
            "published",
            release_id=release,
            partner_id=partner,
            record=record or {"release": release, "carrier": partner},
            feed=item(release, urgency=urgency),
            due_at=due_at,
        ),
    )
    return release


def sign(size: int, root: bytes) -> str:
    """A note that says what it is for and nothing more: signatures are not the store's business."""
    return f"test\n{size}\n{root.hex()}\n"


def integrate(db: Database, now: datetime = NOW) -> int:
    from broker.store.ledger import integrate_once

    with db.connect("integrator") as conn:
        return integrate_once(conn, sign, now)
