"""Every action of the legend: what is left of a value, as properties."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from broker.core.actions import ACTIONS, DROP, Self, apply, bucket
from tests.core.minimising import pack

ME = Self(
    role="provider",
    pseudonym_key=b"k" * 32,
    names=frozenset({"own host"}),
    systems=frozenset({"ncmec"}),
)
instants = st.datetimes(
    datetime.fromisoformat("2001-01-02"),
    datetime.fromisoformat("2039-12-30"),
    timezones=st.just(timezone(timedelta(hours=2))),
)
values = st.recursive(
    st.one_of(st.text(max_size=8), st.integers(-(2**53), 2**53), st.booleans()),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


def test_every_action_of_the_legend_is_known() -> None:
    # C is resolved by the view, M and T need the rest of the case (docs of `actions`).
    assert set(pack().actions) == set(ACTIONS) | {"C", "M", "T"}


def test_every_coarse_field_of_the_pack_has_a_rule() -> None:
    coarse = {f for f, rule in pack().fields.items() if "G8" in rule.actions.values()}
    assert coarse == set(pack().coarse)
    assert {f for f in coarse if f not in _EXAMPLES} == set()


@given(values)
def test_full_is_the_value_itself(value: Any) -> None:
    assert apply("F", "F38", value, ME) is value


@given(st.sampled_from(["-", "A", "C", "M", "T", "G4", "", "f"]), values)
def test_dropped_aggregate_and_unknown_actions_leave_nothing(action: str, value: Any) -> None:
    assert apply(action, "F38", value, ME) is DROP


@given(values)
def test_a_pseudonym_shows_nothing_of_the_value(value: Any) -> None:
    left = apply("P", "F61", value, ME)
    assert len(left) == 26
    assert left == apply("P", "F61", value, ME)
    assert left != apply("P", "F61", value, Self(pseudonym_key=b"x" * 32))


def test_keyed_hash_keeps_the_algorithm_only() -> None:
    left = apply("H", "F17", [{"alg": "md5", "value": "0" * 32}], ME)
    assert left[0]["alg"] == "md5"
    assert left[0]["value"] != "0" * 32
    assert len(apply("H", "F29", "https://x.example/", ME)) == 64


@given(instants)
def test_dates_and_months_are_those_of_the_instant_in_utc(moment: datetime) -> None:
    value = {
        "first": {
            "at": moment.isoformat(),
            "meaning": "uploaded",
            "clock": "provider",
            "zone": "Europe/Brussels",
        }
    }
    day = moment.astimezone(UTC).strftime("%Y-%m-%d")
    assert apply("G1", "F25", value, ME) == {"first": {"at": day, "meaning": "uploaded"}}
    assert apply("G2", "F25", value, ME) == {"first": {"at": day[:7], "meaning": "uploaded"}}


def test_a_date_stays_a_date_and_loses_its_day_for_the_month() -> None:
    period = {"start": "2026-02-20", "end": "2026-03-01", "basis": "metadata"}
    assert apply("G1", "F82", period, ME) == period
    assert apply("G2", "F82", period, ME) == {"start": "2026-02", "end": "2026-03", "basis": "metadata"}
    assert apply("G1", "F48", ["2026-02-20"], ME) is DROP


@given(st.ip_addresses())
def test_network_contains_the_address_and_no_more_than_its_prefix(address: Any) -> None:
    network = ipaddress.ip_network(apply("G3", "F46", str(address), ME))
    real = getattr(address, "ipv4_mapped", None) or address
    assert real in network
    assert network.prefixlen == (24 if real.version == 4 else 48)


@pytest.mark.parametrize(
    ("age", "band"),
    [("0-2", "0-2"), ("3-6", "3-13"), ("10-13", "3-13"), ("14-15", "14-17"), ("16-17", "14-17")],
)
def test_ages_become_bands(age: str, band: str) -> None:
    assert apply("G5", "F51", age, ME) == band
    assert apply("G5", "F51", "something else", ME) is DROP


def test_countries_lose_reason_confidence_and_order() -> None:
    value = [
        {"country": "FR", "reason": "host", "confidence": "high"},
        {"country": "BE", "reason": "account", "confidence": "low"},
        {"country": "FR", "reason": "ip", "confidence": "low"},
    ]
    assert apply("G6", "F05", value, ME) == ["BE", "FR"]
    assert apply("G6", "F05", [], ME) is DROP


@given(st.integers(0, 100))
def test_buckets(count: int) -> None:
    expected = "0" if count == 0 else "1" if count == 1 else "2-5" if count < 6 else "6+"
    assert bucket(count) == expected
    assert apply("G7", "F50", {"ref": "victim 1", "of": count}, ME) == {"of": expected}


_EXAMPLES: dict[str, list[tuple[Any, Any]]] = {
    "F02": [("public_report", "public"), ("self_report_victim", "public"), ("arachnid", "partner")],
    "F03": [("csam_production", "child_sexual_abuse_material"), ("grooming", "other")],
    "F09": [
        (
            [{"system": "NCMEC", "ref": "1"}, {"system": "police", "ref": "2"}],
            [{"system": "NCMEC", "ref": "1"}],
        ),
        ([{"system": "police", "ref": "2"}], DROP),
    ],
    "F11": [("victim", "person"), ("crawler", "organisation"), ("organisation", "organisation")],
    "F23": [({"status": "known", "lists": ["x"]}, {"known": True}), ({"status": "new"}, {"known": False})],
    "F26": [({"viewed": True, "by_org": "x"}, {"viewed": True})],
    "F58": [
        ([{"scheme": "UCS", "version": "1", "label": "severity-a"}], {"csam": True}),
        ([{"scheme": "INHOPE", "version": "1", "label": "not_illegal"}], {"csam": False}),
    ],
    "F59": [("baseline", "baseline"), ("national", "national"), ("not_illegal", DROP)],
    "F66": [
        ([{"requested_to": "Own Host"}, {"requested_to": "other"}], [{"requested_to": "Own Host"}]),
        ([{"requested_to": "other"}], DROP),
    ],
    "F69": [
        ([{"to": "own host", "status": "removed"}, {"to": "x"}], [{"to": "own host", "status": "removed"}])
    ],
    "F70": [([], {"another_authority": False}), ([{"partner_type": "FLE"}], {"another_authority": True})],
    "F73": [({"subject": "person1", "relation": "posted"}, {"relation": "posted"})],
    "F81": [({"state": "active", "by": "x"}, {"hold": True}), ({"state": "ended"}, {"hold": False})],
}


@pytest.mark.parametrize(
    ("field", "value", "left"), [(f, v, w) for f, cases in _EXAMPLES.items() for v, w in cases]
)
def test_coarse(field: str, value: Any, left: Any) -> None:
    assert apply("G8", field, value, ME) == left


def test_foreign_police_learn_which_systems_know_the_case_but_no_number() -> None:
    value = [{"system": "ICCAM", "ref": "IC-1"}, {"system": "FR-POL", "ref": "PV-9"}]
    me = Self(role="foreign_police", systems=frozenset({"fr-pol"}))
    assert apply("G8", "F09", value, me) == [{"system": "FR-POL", "ref": "PV-9"}, {"system": "ICCAM"}]


@given(values)
def test_a_field_without_a_coarse_form_is_dropped(value: Any) -> None:
    assert apply("G8", "F38", value, ME) is DROP
