"""My work shows each person what that person can do, and nothing of what another said."""

from __future__ import annotations

from broker.auth import Actor
from broker.demo.house import House
from broker.desk import confirm, worklist
from broker.desk.worklist import Section
from broker.jobs import settle
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import full_case, minimal_case
from tests.desk.counting import statements


def sections(house: House, person: str) -> dict[str, Section]:
    with unit_of_work(house.desk.db) as session:
        return {each.name: each for each in worklist.my_work(house.desk, session, house.people[person])}


def verdict(house: House, person: str, case_id: object, says: bool = True) -> None:
    with unit_of_work(house.desk.db) as session:
        confirm.claim(house.desk, session, house.people[person], case_id, "content_illegal", says=says)  # type: ignore[arg-type]


def test_a_case_walks_through_the_sections(house: House) -> None:
    case_id = build.take_in(house, full_case())
    for person in ("analyst-1", "analyst-2"):
        assert [w.case_id for w in sections(house, person)["to-confirm"].rows] == [case_id]
    verdict(house, "analyst-1", case_id)
    assert sections(house, "analyst-1")["to-confirm"].rows == ()
    assert sections(house, "analyst-2")["to-confirm"].count == 1
    verdict(house, "analyst-2", case_id)
    found = sections(house, "analyst-1")
    assert (found["to-confirm"].count, found["to-draft"].count) == (0, 1)

    made = build.drafted(house, case_id, "police")
    assert sections(house, "analyst-1")["to-draft"].count == 0
    assert sections(house, "analyst-1")["to-release"].count == 0
    (work,) = sections(house, "releaser")["to-release"].rows
    assert (work.release, work.state, work.references) == (made.release, "draft", (made.reference,))
    assert work.due == made.expires_at

    build.approve(house, made)
    found = sections(house, "releaser")
    assert (found["to-release"].count, found["waiting"].rows[0].state) == (0, "approved")
    settle(house.desk)
    (work,) = sections(house, "releaser")["waiting"].rows
    assert (work.state, work.release) == ("uncollected", made.release)


def test_a_refused_draft_is_to_draft_again(house: House) -> None:
    from broker.desk import draft

    case_id = build.confirmed(house, full_case())
    made = build.drafted(house, case_id, "police")
    with unit_of_work(house.desk.db) as session:
        draft.refuse(house.desk, session, house.people["releaser"], made.release, "rejected")
    assert [w.case_id for w in sections(house, "analyst-2")["to-draft"].rows] == [case_id]


def test_nobody_releases_what_they_drafted(house: House) -> None:
    case_id = build.confirmed(house, full_case())
    build.drafted(house, case_id, "police")
    both = Actor(house.people["analyst-1"].id, frozenset({"analyst", "releaser"}))
    with unit_of_work(house.desk.db) as session:
        found = {s.name: s for s in worklist.my_work(house.desk, session, both)}
    assert found["to-release"].rows == ()


def test_the_list_does_not_tell_the_others_verdict(house: House) -> None:
    """Said yes, said no, said nothing: the third person sees the same row."""
    cases = [build.take_in(house, full_case()) for _ in range(3)]
    verdict(house, "analyst-1", cases[0], says=True)
    verdict(house, "analyst-1", cases[1], says=False)
    rows = sections(house, "analyst-2")["to-confirm"].rows
    assert {work.case_id for work in rows} == set(cases)
    seen = {(w.state, w.kind, w.urgency, w.references, w.late, w.partner, w.release) for w in rows}
    assert len(seen) == 1


def test_u1_stands_on_top_and_pages_lose_nothing(house: House) -> None:
    made = []
    for urgency in ("U4", None, "U2", "U1", "U3", "U1"):
        document = minimal_case("danger")
        document["case"].pop("urgency", None)
        if urgency is not None:
            document["case"]["urgency"] = urgency
        made.append((urgency or "", build.take_in(house, document)))
    actor, after, seen = house.people["analyst-1"], None, []
    while True:
        with unit_of_work(house.desk.db) as session:
            page = worklist.section(house.desk, session, actor, "to-confirm", after=after, limit=2)
        seen += [(w.urgency, w.case_id) for w in page.rows]
        after = page.next
        if after is None:
            break
    assert [urgency for urgency, _ in seen] == ["U1", "U1", "U2", "U3", "U4", ""]
    assert sorted(map(str, seen)) == sorted(map(str, made))


def test_the_roles_have_their_sections(house: House) -> None:
    assert set(sections(house, "officer")) == {"late"}
    assert set(sections(house, "releaser")) == {"to-release", "waiting", "late"}


def test_the_number_of_statements_does_not_grow(house: House) -> None:
    def cost() -> int:
        with statements(house.desk.db) as seen:
            sections(house, "analyst-1")
        return len(seen)

    build.take_in(house, full_case())
    one = cost()
    for _ in range(4):
        build.take_in(house, full_case())
    assert cost() == one
    assert one <= 12
