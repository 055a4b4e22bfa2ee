"""Releasing by hand: a second person, fresh proof for exactly what was seen, batches, taking back."""

from __future__ import annotations

import html
import json
import re
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest
from sqlmodel import select
from starlette.testclient import TestClient

from broker import auth
from broker.auth import Actor, step_up
from broker.auth.passkeys import Site
from broker.core import canonical, package
from broker.demo import cases as demo_cases
from broker.demo.house import House
from broker.demo.steps import confirm_all
from broker.desk import intake, release
from broker.desk.draft import Drafted
from broker.errors import Refused
from broker.jobs import settle
from broker.store import tables
from broker.store.engine import unit_of_work
from tests import house as build
from tests.auth.authenticator import Authenticator
from tests.cases import full_case, minimal_case
from tests.web.conftest import SignedIn


def lead(urgency: str = "U3") -> dict[str, Any]:
    """A case that may go in a batch."""
    document = minimal_case("person_lead")
    document["case"]["urgency"] = urgency
    document["assessment"] = {"minor_check": "done"}
    return document


def abroad() -> dict[str, Any]:
    """Content in the Netherlands: the hotline there gets it, by agreement only."""
    document = minimal_case("content_report")
    document["case"]["urgency"] = "U3"
    document["locations"]["loc1"]["country"] = "NL"
    return document


def pair(house: House) -> tuple[Drafted, Drafted]:
    """Two drafts under different agreements."""
    first = build.drafted(house, build.confirmed(house, lead()), "police")
    return first, build.drafted(house, build.confirmed(house, abroad()), "hotline")


@pytest.fixture
def codes(house: House) -> pyotp.TOTP:
    """The releaser's authenticator app."""
    desk, me = house.desk, house.people["releaser"].id
    with unit_of_work(desk.db) as session:
        given = auth.totp.assign(session, desk.vault().lasting("totp"), me, "releaser", desk.now())
    return pyotp.TOTP(given.secret)


def passkey(house: House, login: str) -> Authenticator:
    """A passkey of this person, registered."""
    site, me = Site.of(house.desk.settings.pages_url), house.people[login].id
    device = Authenticator(origin=site.origin)
    with unit_of_work(house.desk.db) as session:
        ceremony = auth.passkeys.registration_options(session, site, me, house.desk.now())
    created = device.create(ceremony.options)
    with unit_of_work(house.desk.db) as session:
        auth.passkeys.register(session, site, me, ceremony.handle, created, "desk", house.desk.now())
    return device


def asked(page: str) -> tuple[str, str]:
    """(the digest, the options) that a page asks a passkey to sign."""
    found = re.search(r'data-passkey="get" data-options="([^"]+)"', page)
    assert found is not None
    options = html.unescape(found[1])
    return canonical.unb64u(json.loads(options)["challenge"]).hex(), options


def code(codes: pyotp.TOTP, step: int = 0) -> str:
    return codes.at(datetime.now(UTC) + timedelta(seconds=30 * step))


def approvals(house: House) -> list[tables.Approval]:
    with unit_of_work(house.desk.db) as session:
        return list(session.exec(select(tables.Approval)))


def evidence(house: House) -> list[tables.StepUpEvidence]:
    with unit_of_work(house.desk.db) as session:
        return list(session.exec(select(tables.StepUpEvidence)))


def prove(client: TestClient, made: Drafted, **more: str) -> int:
    form = {"act": "prove", "digest": made.digest, **more}
    return client.post(f"/desk/release/{made.release}", data=form, follow_redirects=False).status_code


def test_the_list_is_of_others_and_one_draft_says_what_is_approved(house: House, signed_in: SignedIn) -> None:
    case_id = build.confirmed(house, full_case("person_lead"))
    made = build.drafted(house, case_id, "police")
    releaser = signed_in("releaser")
    listed = releaser.get("/desk/release").text
    assert f"/desk/release/{made.release}" in listed
    assert made.reference in listed
    page = releaser.get(f"/desk/release/{made.release}").text
    assert made.digest in page
    for words in ("agreement, version 1", "GDPR 6(1)(e)", "cannot be fetched back", "federal police"):
        assert words in page
    assert "a text that nobody has read yet" in page  # the statement
    opened = releaser.get(f"/desk/release/{made.release}/documents?open=0")
    assert opened.headers["content-type"] == "application/pdf"
    analyst = signed_in("analyst-1").get(f"/desk/release/{made.release}").text
    assert "another person has to release it" in analyst
    assert 'value="approve"' not in analyst


def test_nothing_is_approved_without_proof_for_exactly_this(
    house: House, signed_in: SignedIn, codes: pyotp.TOTP
) -> None:
    first, second = pair(house)
    releaser = signed_in("releaser")
    asked = releaser.post(f"/desk/release/{first.release}", data={"act": "approve", "digest": first.digest})
    assert "Confirm that it is you" in asked.text
    assert first.digest in asked.text
    assert prove(releaser, first) == 403
    assert prove(releaser, first, code="000000") == 403
    good = code(codes)
    with unit_of_work(house.desk.db) as session:  # proof of something else
        step_up.finish_totp(
            session, house.desk.vault().lasting("totp"), house.people["releaser"].id, second.digest, good,
            house.desk.now(),
        )  # fmt: skip
    assert prove(releaser, first) == 403
    assert prove(releaser, first, code=good) == 403  # a code counts once
    assert approvals(house) == []
    assert prove(releaser, first, code=code(codes, 1)) == 303
    (given,) = approvals(house)
    assert (given.release_id, given.digest) == (first.release, first.digest)
    assert [e.digest for e in evidence(house)] == [second.digest, first.digest]
    settle(house.desk)
    shown = releaser.get(f"/desk/release/{first.release}").text
    assert "can be collected" in shown


def test_of_two_approvals_at_once_the_second_gets_a_page_that_says_so(
    house: House, signed_in: SignedIn, codes: pyotp.TOTP
) -> None:
    """Neither check could see the other; who came second is served again and sees what the first did."""
    made = build.drafted(house, build.confirmed(house, lead()), "police")
    releaser = signed_in("releaser")
    with ThreadPoolExecutor(1) as threads, unit_of_work(house.desk.db) as first:
        choice = release.Choice(made.release, made.digest)
        another = Actor(house.people["officer"].id, frozenset({"releaser"}))
        release.approve(house.desk, first, another, [choice])
        form = {"act": "prove", "digest": made.digest, "code": code(codes)}
        answer = threads.submit(releaser.post, f"/desk/release/{made.release}", data=form)
        with house.desk.db.connect("app") as watch:
            watch.autocommit = True
            while not watch.execute(
                "select 1 from pg_locks l join pg_database d on d.datname = current_database()"
                " and d.oid = l.database or l.locktype = 'transactionid' where not l.granted"
            ).fetchone():
                assert not answer.done()
    assert answer.result().status_code == 409
    assert "Somebody approved this already" in answer.result().text
    assert len(approvals(house)) == 1


def test_a_passkey_signs_the_digest_and_the_evidence_verifies_later(
    house: House, signed_in: SignedIn
) -> None:
    made = build.drafted(house, build.confirmed(house, lead()), "police")
    device, releaser = passkey(house, "releaser"), signed_in("releaser")
    page = releaser.post(f"/desk/release/{made.release}", data={"act": "approve", "digest": made.digest})
    digest, options = asked(page.text)
    assert digest == made.digest
    assert prove(releaser, made, passkey=device.get(options)) == 303
    (row,) = evidence(house)
    step_up.reverify(row, Site.of(house.desk.settings.pages_url))
    assert [a.digest for a in approvals(house)] == [made.digest]


def test_a_passkey_signs_the_digest_of_a_whole_batch(house: House, signed_in: SignedIn) -> None:
    made = [build.drafted(house, build.confirmed(house, lead()), "police") for _ in range(2)]
    device, releaser = passkey(house, "releaser"), signed_in("releaser")
    form = {"release": [each.release for each in made]}
    page = releaser.post("/desk/release/batch", data=form).text
    digest = asked(page)[0]
    assert digest == package.batch_digest([each.digest for each in made])
    sent = {**form, "act": "prove", "digest": digest}
    assert releaser.post("/desk/release/batch", data=sent).status_code == 403
    assert approvals(house) == []
    sent["passkey"] = device.get(asked(releaser.post("/desk/release/batch", data=form).text)[1])
    assert releaser.post("/desk/release/batch", data=sent, follow_redirects=False).status_code == 303
    (row,) = evidence(house)
    assert (row.digest, row.method) == (digest, "passkey")
    step_up.reverify(row, Site.of(house.desk.settings.pages_url))
    assert {a.digest for a in approvals(house)} == {each.digest for each in made}
    assert {a.batch for a in approvals(house)} == {digest}
    settle(house.desk)
    with unit_of_work(house.desk.db) as session:
        released = {r.release_id for r in session.exec(select(tables.Release))}
    assert released == {each.release for each in made}


def test_a_draft_that_changed_since_it_was_looked_at_is_not_approved(
    house: House, signed_in: SignedIn, codes: pyotp.TOTP
) -> None:
    case_id = build.confirmed(house, lead())
    made = build.drafted(house, case_id, "police")
    releaser = signed_in("releaser")
    other = {"act": "prove", "digest": "0" * 64, "code": code(codes)}
    answer = releaser.post(f"/desk/release/{made.release}", data=other)
    assert answer.status_code == 409
    assert "look at it again" in answer.text
    changed = lead("U4")
    with unit_of_work(house.desk.db) as session:
        raw = json.dumps(changed).encode()
        intake.amend(house.desk, session, house.people["analyst-1"], case_id, raw)
    page = releaser.get(f"/desk/release/{made.release}").text
    assert "may no longer leave" in page
    assert 'value="approve"' not in page
    assert prove(releaser, made, code=code(codes)) == 409
    assert approvals(house) == []


def test_a_batch_shows_what_goes_together_and_why_the_rest_does_not(
    house: House, signed_in: SignedIn, codes: pyotp.TOTP
) -> None:
    plain = [build.drafted(house, build.confirmed(house, lead()), "police") for _ in range(2)]
    minor = lead()
    minor["persons"]["person1"]["minor_flag"] = "minor"
    young = build.drafted(house, build.confirmed(house, minor), "police")
    urgent = build.drafted(house, build.confirmed(house, lead("U2")), "police")
    other = build.drafted(house, build.confirmed(house, abroad()), "hotline")
    releaser = signed_in("releaser")
    page = releaser.get("/desk/release/batch").text
    together = re.findall(r'name="release" value="(\w+)"', page)
    groups = {frozenset(d.release for d in plain), frozenset({other.release})}
    assert frozenset(together) in groups
    assert "comes next" in page or "come next" in page
    below = page.partition("To be opened one by one")[2]
    assert young.release in below
    assert "concerns a minor" in below
    assert urgent.release in below
    assert "is urgent" in below
    chosen = [d.release for d in plain]
    digest = package.batch_digest([d.digest for d in plain])
    asked = releaser.post("/desk/release/batch", data={"release": chosen, "act": "approve"}).text
    assert digest in asked
    form = {"release": chosen, "digest": digest, "act": "prove"}
    assert releaser.post("/desk/release/batch", data=form).status_code == 403
    for odd in (young.release, urgent.release, other.release):
        wrong = {**form, "release": [*chosen, odd], "code": code(codes)}
        assert releaser.post("/desk/release/batch", data=wrong).status_code == 409
    assert approvals(house) == []
    done = releaser.post("/desk/release/batch", data={**form, "code": code(codes)}, follow_redirects=False)
    assert done.status_code == 303
    assert {(a.release_id, a.batch) for a in approvals(house)} == {(r, digest) for r in chosen}
    assert [e.digest for e in evidence(house)] == [digest]


def test_one_agreement_version_is_of_one_partner(house: House) -> None:
    choices = [release.Choice(d.release, d.digest) for d in pair(house)]
    with unit_of_work(house.desk.db) as session, pytest.raises(Refused, match="batch"):
        release.approve(house.desk, session, house.people["releaser"], choices)
    assert approvals(house) == []


def test_turned_down_with_a_code_and_for_good(house: House, signed_in: SignedIn) -> None:
    made = build.drafted(house, build.confirmed(house, lead()), "police")
    releaser = signed_in("releaser")
    at = f"/desk/release/{made.release}"
    assert releaser.post(at, data={"act": "refuse", "code": "because"}).status_code == 400
    said = releaser.post(at, data={"act": "refuse", "code": "not-necessary"}, follow_redirects=False)
    assert said.headers["location"] == "/desk/release"
    page = releaser.get(at).text
    assert "more than is necessary" in page
    assert "Its content is gone" in page


def test_regret_is_in_words_and_then_only_a_withdrawal_is_left(
    house: House, signed_in: SignedIn, codes: pyotp.TOTP
) -> None:
    settings = house.desk.settings.model_copy(update={"regret_seconds": 180})
    slow = replace(house, desk=replace(house.desk, settings=settings))
    first, second = pair(slow)
    build.approve(slow, first)
    settle(slow.desk)
    releaser = signed_in("releaser")
    at = f"/desk/release/{first.release}"
    page = releaser.get(at).text
    assert "about 3 minutes after this page was made" in page
    assert releaser.post(at, data={"act": "cancel"}, follow_redirects=False).status_code == 303
    assert "cancelled" in releaser.get(at).text
    build.approve(house, second)
    settle(house.desk)
    at = f"/desk/release/{second.release}"
    late = releaser.post(at, data={"act": "cancel"})
    assert late.status_code == 409
    assert "only be withdrawn" in late.text
    assert "a withdrawal asks, it does not delete" in late.text
    assert releaser.post(at, data={"act": "withdraw", "reason": "whim"}).status_code == 400
    assert signed_in("analyst-1").post(at, data={"act": "withdraw", "reason": "incorrect"}).status_code == 403
    done = releaser.post(at, data={"act": "withdraw", "reason": "incorrect"}, follow_redirects=False)
    assert done.status_code == 303
    assert "something in it is wrong" in releaser.get(at).text


def test_a_new_version_shows_what_differs(house: House, signed_in: SignedIn) -> None:
    document = full_case("person_lead")
    made = build.released(house, "police", document)
    with unit_of_work(house.desk.db) as session:
        case_id = session.get_one(tables.Release, made.release).case_id
    changed = full_case("person_lead")
    changed["persons"]["person1"]["handle"] = "syntheticnewhandle"
    with unit_of_work(house.desk.db) as session:
        raw = json.dumps(changed).encode()
        intake.amend(house.desk, session, house.people["analyst-1"], case_id, raw)
    confirm_all(house, [case_id])
    newer = build.drafted(house, case_id, "police", kind="correct")
    page = signed_in("releaser").get(f"/desk/release/{newer.release}").text
    table = page.partition("What differs from the last version")[2].partition("</table>")[0]
    assert document["persons"]["person1"]["handle"] in table
    assert "syntheticnewhandle" in table


@pytest.mark.parametrize("login", ["analyst-1", "officer"])
def test_who_may_not_release(house: House, signed_in: SignedIn, login: str, codes: pyotp.TOTP) -> None:
    made = build.drafted(house, build.confirmed(house, demo_cases.make(3, house.desk.now())), "police")
    client = signed_in(login)
    assert prove(client, made, code=code(codes)) == 403
    assert client.get("/desk/release").status_code == 403
    form = {"release": [made.release], "act": "prove"}
    assert client.post("/desk/release/batch", data=form).status_code == 403
    assert approvals(house) == []
