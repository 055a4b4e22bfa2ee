"""Help inside: fields, words, keys, the tour, and each recipient's column as the pack has it."""

from __future__ import annotations

import re
from zoneinfo import ZoneInfo

from broker import auth
from broker.core.fields import FIELD_IDS
from broker.demo.house import House
from broker.store.engine import unit_of_work
from broker.web.help import groups, steps
from broker.web.page import pages
from broker.web.site import Site
from broker.web.words import LANGUAGES, Words, catalogue
from tests.web.browsing import ROLES
from tests.web.conftest import SignedIn

PLACES = ("/help", "/help/fields", "/help/words", "/help/recipients/BEP")


def test_every_role_may_read_every_page_of_help_in_every_language(signed_in: SignedIn) -> None:
    for login in ROLES:
        client = signed_in(login)
        for language in LANGUAGES:
            client.cookies.set("language", language)
            for place in PLACES:
                answer = client.get(f"/desk{place}")
                assert answer.status_code == 200, (login, place)
                assert not re.search(r"\b(fieldhelp|gets|competence|coarse|ground|group):\w", answer.text)


def test_every_field_has_one_sentence_of_its_own_in_every_language() -> None:
    for language in LANGUAGES:
        said = [catalogue(language).gettext(f"fieldhelp:{field}") for field in FIELD_IDS]
        assert len(set(said)) == len(FIELD_IDS)
        assert all(text.endswith(".") and text.count(". ") == 0 for text in said)


def test_everything_that_the_pack_says_has_words(house: House) -> None:
    pack = house.desk.pack
    asked = {f"gets:{action}" for action in pack.actions}
    asked |= {f"coarse:{field}" for field in pack.coarse}
    asked |= {f"competence:{reason}" for reasons in pack.competence.values() for reason in reasons}
    asked |= {f"group:{group}" for group in pack.grounds}
    asked |= {f"ground:{code}" for codes in pack.grounds.values() for code in codes}
    asked |= {f"class:{one}" for one in pack.classes} | {f"purpose:{one}" for one in pack.purposes}
    for language in LANGUAGES:
        assert sorted(asked - set(catalogue(language)._catalog)) == []  # type: ignore[attr-defined]


def test_the_words_of_a_ground_are_those_of_the_pack(house: House) -> None:
    for code, texts in house.desk.pack.ground_texts.items():
        for language in LANGUAGES:
            assert catalogue(language).gettext(f"ground:{code}") == texts[language]


def test_a_column_is_shown_whole_and_as_the_pack_has_it(signed_in: SignedIn, house: House) -> None:
    pack, client = house.desk.pack, signed_in("officer")
    for recipient_class in pack.classes:
        parts = re.split(r"<h2>", client.get(f"/desk/help/recipients/{recipient_class}").text)[1:]
        found = [re.findall(r"#(F\d\d)", part) for part in parts]
        expected = groups(pack, recipient_class)
        assert found == [list(group.fields) for group in expected]
        assert sorted(f for fields in found for f in fields) == sorted(FIELD_IDS)
        for group, part in zip(expected, parts, strict=True):
            assert {pack.action(field, recipient_class) for field in group.fields} == {group.action}
            assert part.startswith(catalogue("en").gettext(f"gets:{group.action}"))


def test_a_class_that_is_not_there_is_a_page_that_is_not_there(signed_in: SignedIn) -> None:
    assert signed_in("officer").get("/desk/help/recipients/XYZ").status_code == 404


def test_the_tour_leads_only_where_the_visitor_may_go(signed_in: SignedIn) -> None:
    followed: set[str] = set()
    for login, role in ROLES.items():
        client = signed_in(login)
        shown = client.get("/desk/help").text
        tour = shown[shown.index("<ol>") : shown.index("</ol>")]
        links = re.findall(r'href="/desk([^"]+)"', tour)
        names = [path for path, _, _ in steps(Words("en", ZoneInfo("Europe/Brussels")))]
        allowed = {p.path for p in pages("desk") if role in p.roles and "GET" in p.methods}
        assert links == [path for path in names if path in allowed]
        assert tour.count("<li>") == len(names)
        followed |= set(links)
        for link in links:
            assert client.get(f"/desk{link}").status_code == 200
    assert "/admin/partners" in followed


def test_single_keys_are_told_and_the_way_to_switch_them_off(signed_in: SignedIn) -> None:
    shown = signed_in("analyst-1").get("/desk/help").text
    assert "<kbd>?</kbd>" in shown
    assert 'href="/desk/settings"' in shown[shown.index("<kbd>?</kbd>") :]


def test_an_inbox_reads_its_own_column_and_no_other(signed_in: SignedIn, house: House) -> None:
    client = signed_in("")
    now = house.desk.now()
    with unit_of_work(house.desk.db) as session:
        person = auth.add_person(
            session, house.people["administrator"], partner_id=house.partners["hotline"],
            login="reader-hotline", password="synthetic-inbox-only", now=now,
        )  # fmt: skip
        token = auth.open_session(session, person, "passkey", now)
    client.cookies.set(Site(house.desk, "inbox").cookie_name, token, path="/inbox")
    index = client.get("/inbox/help").text
    assert re.findall(r"/inbox/help/recipients/(\w+)", index) == ["INH"]
    assert re.findall(r'href="(/inbox/referrals)"', index[index.index("<ol>") : index.index("</ol>")])
    assert 'href="/desk' not in index
    assert client.get("/inbox/help/fields").status_code == 200
    assert client.get("/inbox/help/words").status_code == 200
    assert client.get("/inbox/help/recipients/INH").status_code == 200
    for other in sorted(set(house.desk.pack.classes) - {"INH"}):
        assert client.get(f"/inbox/help/recipients/{other}").status_code == 404
