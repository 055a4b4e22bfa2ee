"""Forms not yet sent, saved views and preferences: never lost, never in clear, nobody else's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from broker.demo.house import House
from broker.desk import formdraft, retain, views
from broker.desk.views import Preferences, View
from broker.errors import NotAuthentic, NotFound, Refused
from broker.store.engine import Database, unit_of_work
from tests import house as build

CANARY = "canary-typed-quartz"
TYPED = {"items": {"item1": {"note": f"{CANARY} words"}}, "handle": f"handle-{CANARY}", "step": 3}


def save(house: House, person: str = "analyst-1", **changes: Any) -> Any:
    with unit_of_work(house.desk.db) as session:
        return formdraft.save(house.desk, session, house.people[person], "case", TYPED, **changes)


def load(house: House, form: Any, person: str = "analyst-1") -> Any:
    with unit_of_work(house.desk.db) as session:
        return formdraft.load(house.desk, session, house.people[person], form)


def everything(house: House) -> str:
    """Every row of every table as text."""
    with house.desk.db.connect("app") as conn:
        tables = conn.execute(
            "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace"
        )
        found = []
        for (name,) in tables.fetchall():
            if conn.execute("select has_table_privilege(%s, 'select')", [name]).fetchone() == (True,):
                found += [row[0] for row in conn.execute(f'select t::text from "{name}" t').fetchall()]
    return "\n".join(found)


def test_what_was_typed_comes_back_and_lies_nowhere_in_clear(house: House) -> None:
    form = save(house)
    assert load(house, form) == TYPED
    text = everything(house)
    assert str(form) in text
    for needle in (CANARY, CANARY.encode().hex()):
        assert needle not in text


def test_the_owner_alone_lists_opens_changes_and_deletes(house: House) -> None:
    form = save(house)
    with pytest.raises(NotFound):
        load(house, form, "analyst-2")
    other = save(house, "analyst-2", form=form)
    assert other != form
    with unit_of_work(house.desk.db) as session:
        formdraft.discard(session, house.people["analyst-2"], form)
        mine = formdraft.listing(house.desk, session, house.people["analyst-1"])
        assert [each.id for each in mine] == [form]
    assert load(house, form) == TYPED
    with unit_of_work(house.desk.db) as session:
        formdraft.discard(session, house.people["analyst-1"], form)
    with pytest.raises(NotFound):
        load(house, form)
    again = save(house, form=form)
    assert load(house, again) == TYPED


def test_a_row_moved_to_another_person_does_not_open(house: House) -> None:
    form = save(house)
    with house.desk.db.connect("app") as conn:
        conn.execute("update form_draft set staff_id = %s", [house.people["analyst-2"].id])
        conn.commit()
    with pytest.raises(NotAuthentic):
        load(house, form, "analyst-2")


def test_it_lives_a_week_and_survives_the_turn_of_the_month(database: Database, tmp_path: Path) -> None:
    house = build.found(build.open_desk(database, tmp_path), tmp_path, {})  # its keys are destroyed here
    form = save(house)
    start = house.desk.now()
    later = replace(house, desk=replace(house.desk, clock=lambda: start + timedelta(days=8)))
    with pytest.raises(NotFound):
        load(later, form)
    # as if it had been written in the month before: its epoch is destroyed, its content moves on
    with house.desk.db.connect("app") as conn:
        assert conn.execute("select count(*) from form_draft").fetchone() == (1,)
    next_month = (start.replace(day=1) + timedelta(days=32)).replace(day=1)
    turned = replace(house, desk=replace(house.desk, clock=lambda: next_month))
    _, destroyed = retain.rotate_epoch(turned.desk, turned.people["custodian"])
    assert destroyed
    assert load(house, form) == TYPED
    assert formdraft.expire_old(later.desk) == 1


def view(**changes: Any) -> View:
    values: dict[str, Any] = {
        "name": "Urgent danger",
        "page": "cases",
        "query": {"kind": "danger", "urgency": "U1"},
    }
    return View(**{**values, **changes})


def test_views_are_kept_by_person_and_name(house: House) -> None:
    desk, one, two = house.desk, house.people["analyst-1"], house.people["analyst-2"]
    with unit_of_work(desk.db) as session:
        views.save_view(desk, session, one, view())
        views.save_view(desk, session, one, view(query={"mine": "yes", "since": "2026-03-01"}))
        assert views.views(session, two) == ()
        assert views.views(session, one, "cases") == (view(query={"mine": "yes", "since": "2026-03-01"}),)
        views.delete_view(session, one, "Urgent danger")
        assert views.views(session, one) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"page": "people"},
        {"query": {"handle": "x"}},
        {"query": {"kind": f"{CANARY}"}},
        {"query": {"since": "yesterday"}},
        {"page": "register", "query": {"partner": "someone@mail.example"}},
        {"name": "https://x.example/"},
    ],
)
def test_a_view_holds_codes_and_nothing_else(house: House, wrong: dict[str, Any]) -> None:
    with unit_of_work(house.desk.db) as session, pytest.raises(Refused) as refused:
        views.save_view(house.desk, session, house.people["analyst-1"], view(**wrong))
    assert CANARY not in str(refused.value.issues)


def test_preferences_have_defaults_and_choices(house: House) -> None:
    desk, one = house.desk, house.people["analyst-1"]
    chosen = Preferences(language="fr", theme="dark", single_keys=False, break_minutes=45)
    with unit_of_work(desk.db) as session:
        assert views.preferences(session, one) == Preferences()
        views.prefer(desk, session, one, chosen)
        views.prefer(desk, session, one, replace(chosen, theme="light"))
        assert views.preferences(session, one) == replace(chosen, theme="light")
        with pytest.raises(Refused):
            views.prefer(desk, session, one, replace(chosen, break_minutes=7))
