"""What the database itself refuses: rewriting, one pair of eyes, roles that are too strong."""

from __future__ import annotations

import traceback
import uuid
from typing import Any

import psycopg
import pytest
from psycopg import sql
from sqlalchemy.exc import IntegrityError
from sqlmodel import SQLModel

from broker.errors import Misconfigured
from broker.store import tables as t
from broker.store.engine import Database, unit_of_work
from broker.store.roles import INSERT_ONLY, check_roles
from broker.store.types import ROLES
from tests.dbfixtures import Cluster
from tests.store.world import (
    ANN,
    BEN,
    CASE,
    LATER,
    NOW,
    PARTNERS,
    approval,
    draft,
    hexed,
    populate,
    publish,
    released,
)

ONE, TWO = PARTNERS
RELEASE = "0" * 26
NO_UPDATE = (
    "case_version",
    "person_blob",
    "draft_blob",
    "release_record",
    "sealed_object",
    "event_record",
    "pending",
    "jti",
    "delivery_evidence",
    "oidc_identity",
    "sign_in_flow",
    "sign_in_attempt",
    "delivery_progress",
)


def refused(db: Database, role: Any, statement: str, table: str) -> type[Exception] | None:
    with db.connect(role) as conn:
        column = conn.execute(
            "select attname from pg_attribute where attrelid = %s::regclass and attnum = 1", [table]
        ).fetchone() or ("",)
        names = {"t": sql.Identifier(table), "c": sql.Identifier(column[0])}
        try:
            conn.execute(sql.SQL(statement).format(**names))  # type: ignore[arg-type]
        except psycopg.Error as error:
            return type(error)
        return None


CHANGES = ("update {t} set {c} = {c}", "delete from {t}", "truncate {t} cascade")


@pytest.mark.parametrize("table", INSERT_ONLY)
def test_insert_only_raises_for_every_role(database: Database, table: str) -> None:
    for statement in CHANGES:
        for role in ROLES:
            expected = (
                psycopg.errors.IntegrityConstraintViolation
                if role == "owner"
                else psycopg.errors.InsufficientPrivilege
            )
            assert refused(database, role, statement, table) is expected, (role, statement)


def test_the_trigger_stands_behind_the_grant(database: Database) -> None:
    """Grant everything by mistake, and the change is still refused."""
    for table in INSERT_ONLY:
        with database.connect("owner") as owner:
            owner.execute(f"grant all on {table} to broker_app")
        for statement in CHANGES[:2]:
            found = refused(database, "app", statement, table)
            assert found is psycopg.errors.IntegrityConstraintViolation


@pytest.mark.parametrize("table", NO_UPDATE)
def test_what_may_be_deleted_may_not_be_changed(database: Database, table: str) -> None:
    for role in ROLES:
        assert refused(database, role, CHANGES[0], table) is not None
        assert refused(database, role, CHANGES[2], table) is not None


DELETERS = {
    "pending": {"integrator"},
    "sealed_object": {"retention"},
    "wrapped_key": {"retention"},
    "case_version": {"retention"},
    "person_blob": {"retention"},
    "release_record": {"retention"},
    "delivery_evidence": {"retention"},
    "delivery_progress": {"retention"},
    "event_record": {"retention"},
    "draft_blob": {"app", "retention"},
    "account_session": {"app", "sweeper"},
    "passkey": {"app"},
    "totp": {"app"},
    "oidc_identity": {"app"},
    "sign_in_flow": {"app", "sweeper"},
    "sign_in_attempt": {"app", "sweeper"},
    "sign_in_link": {"sweeper"},
    "jti": {"sweeper"},
    "rate_window": {"sweeper"},
    "open_release": {"app"},
    "form_draft": {"app"},
    "staff_setting": {"app"},
}


def test_each_deletable_table_has_its_role(database: Database) -> None:
    for table in t.metadata.tables:
        able = {
            role for role in ROLES if role != "owner" and refused(database, role, CHANGES[1], table) is None
        }
        assert able == DELETERS.get(table, set()), table


def test_every_table_is_either_guarded_or_known_to_change(database: Database) -> None:
    changing = {
        "staff",
        "account_session",
        "inbox_person",
        "passkey",
        "totp",
        "sign_in_link",
        "partner",
        "partner_key",
        "recognition",
        "case_file",
        "wrapped_key",
        "referral",
        "rate_window",
        "open_release",
        "form_draft",
        "staff_setting",
    }
    assert set(t.metadata.tables) <= {*INSERT_ONLY, *NO_UPDATE} | changing
    assert {*INSERT_ONLY, *NO_UPDATE} <= set(t.metadata.tables)


@pytest.fixture
def db(database: Database) -> Database:
    populate(database)
    return database


def add(db: Database, *rows: SQLModel) -> None:
    with unit_of_work(db) as session:
        for row in rows:
            session.add(row)
            session.flush()


def violates(db: Database, constraint: str, *rows: SQLModel) -> None:
    with pytest.raises(IntegrityError) as error:
        add(db, *rows)
    assert constraint in str(error.value.orig)


def test_two_people_release(db: Database) -> None:
    add(db, draft(RELEASE, ONE, 1), approval(RELEASE), released(RELEASE, ONE, 1))


def test_nobody_approves_their_own_draft(db: Database) -> None:
    add(db, draft(RELEASE, ONE, 1))
    violates(db, "ck_approval_four_eyes", approval(RELEASE, approved_by=ANN))


def test_an_approval_cannot_name_another_drafter(db: Database) -> None:
    """The way around the CHECK: say that somebody else drafted it."""
    add(db, draft(RELEASE, ONE, 1))
    violates(
        db,
        "fk_approval_release_id_drafted_by_urgent",
        approval(RELEASE, approved_by=ANN, drafted_by=BEN),
    )


def test_an_approval_cannot_call_a_draft_urgent(db: Database) -> None:
    add(db, draft(RELEASE, ONE, 1))
    violates(
        db,
        "fk_approval_release_id_drafted_by_urgent",
        approval(RELEASE, approved_by=ANN, urgent=True),
    )


def test_an_approval_is_of_one_digest(db: Database) -> None:
    add(db, draft(RELEASE, ONE, 1))
    violates(db, "fk_approval_release_id_digest", approval(RELEASE, digest=hexed("else")))


def test_no_release_without_its_approval(db: Database) -> None:
    add(db, draft(RELEASE, ONE, 1))
    violates(db, "fk_release_approval", released(RELEASE, ONE, 1))


@pytest.mark.parametrize(
    ("constraint", "changes"),
    [
        ("ck_release_four_eyes", {"approved_by": ANN}),
        ("fk_release_approval", {"approved_by": "st_else"}),
        ("fk_release_approval", {"approval_digest": hexed("else")}),
        ("ck_release_approval_kind", {"approval_kind": "retrospective"}),
        ("fk_release_release_id_drafted_by_urgent", {"drafted_by": "st_else"}),
        ("fk_release_release_id_drafted_by_urgent", {"urgent": True}),
        ("fk_release_addressee_addressee_class", {"addressee_class": "FLE"}),
        ("ck_release_digests", {"seal_sha256": "abc"}),
    ],
)
def test_a_release_says_what_was_approved(db: Database, constraint: str, changes: dict[str, Any]) -> None:
    add(db, draft(RELEASE, ONE, 1), approval(RELEASE))
    violates(db, constraint, released(RELEASE, ONE, 1, **changes))


def test_one_person_releases_on_the_urgent_path(db: Database) -> None:
    alone = {"urgent": True, "approved_by": ANN}
    add(
        db,
        draft(RELEASE, ONE, 1, urgent=True),
        approval(RELEASE, **alone),
        released(RELEASE, ONE, 1, **alone),
    )
    # the second pair of eyes comes afterwards, and is somebody else's
    late = {"kind": "retrospective", "urgent": True}
    violates(db, "ck_approval_four_eyes", approval(RELEASE, approved_by=ANN, **late))
    add(db, approval(RELEASE, approved_by=BEN, **late))


def test_the_urgent_path_leads_to_the_domestic_police_only(db: Database) -> None:
    alone = {"urgent": True, "approved_by": ANN}
    add(db, draft(RELEASE, TWO, 1, urgent=True), approval(RELEASE, **alone))
    violates(db, "ck_release_urgent_is_domestic_police", released(RELEASE, TWO, 1, **alone))
    violates(
        db,
        "fk_release_addressee_addressee_class",
        released(RELEASE, TWO, 1, addressee_class="BEP", **alone),
    )


def test_no_retrospective_approval_off_the_urgent_path(db: Database) -> None:
    add(db, draft(RELEASE, ONE, 1))
    violates(db, "ck_approval_four_eyes", approval(RELEASE, kind="retrospective"))


def agreement(**changes: Any) -> t.Agreement:
    values: dict[str, Any] = {
        "partner_id": ONE,
        "version": 1,
        "body": {},
        "digest": hexed("agreement"),
        "valid_from": NOW,
        "valid_to": LATER,
        "approved_by_1": ANN,
        "approved_by_2": BEN,
        "created_at": NOW,
    }
    return t.Agreement(**(values | changes))


def test_an_agreement_has_two_distinct_approvers(db: Database) -> None:
    violates(db, "ck_agreement_four_eyes", agreement(approved_by_2=ANN))
    violates(db, "ck_agreement_validity", agreement(valid_to=NOW))
    add(db, agreement())


def verdict(**changes: Any) -> t.Verdict:
    values: dict[str, Any] = {
        "id": uuid.uuid4(),
        "claim_id": uuid.UUID(int=7),
        "staff_id": ANN,
        "basis": "human",
        "says": True,
        "at": NOW,
    }
    return t.Verdict(**(values | changes))


def test_a_voice_counts_once(db: Database) -> None:
    claim = t.Claim(
        id=uuid.UUID(int=7),
        case_id=CASE,
        case_version=1,
        kind="content_illegal",
        about=["i1"],
        created_by=ANN,
        created_at=NOW,
    )
    machine = {"staff_id": None, "organisation": "ICCAM", "basis": "iccam"}
    add(db, claim, verdict(), verdict(staff_id=BEN, says=False), verdict(**machine))
    violates(db, "uq_verdict_claim_id_staff_id", verdict(says=False))
    violates(db, "uq_verdict_claim_id_organisation", verdict(**machine))
    violates(db, "ck_verdict_one_voice", verdict(organisation="ICCAM"))
    violates(db, "ck_verdict_one_voice", verdict(staff_id=None, basis="iccam"))
    violates(db, "ck_verdict_human_is_staff", verdict(**machine | {"basis": "human"}))


def test_sealed_bytes_are_what_their_digest_says(db: Database) -> None:
    with unit_of_work(db) as session:
        release = publish(session, ONE, 1)
    row = {
        "release_id": release,
        "part": "apart",
        "partner_id": ONE,
        "media_type": "x/y",
        "body": b"abc",
        "sha256": hexed("abc"),
        "size": 3,
    }
    violates(db, "ck_sealed_object_size", t.SealedObject(**row | {"size": 4}))
    violates(db, "ck_sealed_object_sha256", t.SealedObject(**row | {"sha256": hexed("abd")}))
    add(db, t.SealedObject(**row))


@pytest.mark.parametrize(
    "row",
    [
        approval(RELEASE, batch="canary-value"),
        t.Recognition(id="canary-value", instrument="x", valid_from=NOW, valid_to=NOW),
        t.Partner(id=ONE, name="canary-value"),
    ],
    ids=["foreign key", "check", "not null"],
)
def test_an_error_does_not_carry_values(db: Database, row: SQLModel) -> None:
    """PostgreSQL's DETAIL repeats the whole row, and exceptions end up in logs."""
    with pytest.raises(IntegrityError) as error:
        add(db, row)
    text = "".join(traceback.format_exception(error.value))
    assert "constraint" in text
    assert "canary" not in text


def test_the_roles_of_a_fresh_database_are_safe(database: Database) -> None:
    check_roles(database)


@pytest.mark.parametrize(
    "weakened",
    [
        "alter table feed no force row level security",
        "alter table sealed_object disable row level security",
        "grant select on case_version to broker_feed",
        "alter table release disable trigger insert_only",
        "drop trigger insert_only on ledger_leaf",
    ],
)
def test_a_weakened_database_does_not_start(database: Database, weakened: str) -> None:
    with database.connect("owner") as owner:
        owner.execute(weakened)
    with pytest.raises(Misconfigured, match="unsafe-database"):
        check_roles(database)


@pytest.mark.parametrize(
    ("weaken", "repair"),
    [
        ("alter role broker_feed bypassrls", "alter role broker_feed nobypassrls"),
        ("alter role broker_app superuser", "alter role broker_app nosuperuser"),
        ("grant broker_owner to broker_app", "revoke broker_owner from broker_app"),
        ("alter table staff owner to broker_app", "alter table staff owner to broker_owner"),
    ],
)
def test_a_role_that_is_too_strong_does_not_start(
    cluster: Cluster, database: Database, weaken: str, repair: str
) -> None:
    name = database.urls["app"].database or ""
    with cluster.server.superuser(name) as admin:
        admin.execute(weaken)
        admin.commit()
        try:
            with pytest.raises(Misconfigured, match="unsafe-database"):
                check_roles(database)
        finally:
            admin.execute(repair)
    check_roles(database)


def test_logging_in_as_somebody_else_does_not_start(database: Database) -> None:
    urls = dict(database.urls)
    urls["feed"] = urls["app"]
    with pytest.raises(Misconfigured, match="logs in as someone else"):
        check_roles(Database(urls))


def test_the_tests_do_not_run_as_a_superuser(database: Database) -> None:
    for role in ROLES:
        with database.connect(role) as conn:
            row = conn.execute(
                "select rolsuper, rolbypassrls from pg_roles where rolname = session_user"
            ).fetchone()
            assert row == (False, False)
