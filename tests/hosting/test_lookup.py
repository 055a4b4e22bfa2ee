"""Host facts and the question asked again before a notice: is it still there, and still theirs?"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from ipaddress import ip_network

import httpx
import pytest

from broker.core import case as cases
from broker.hosting import Bootstrap, CdnList, GuardedTransport, HostLookup, LookUpFailed, NetworkTable, Rdap

from .test_rdap import ANSWER, IANA, answering
from .test_tables import CDNS, TABLE

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
INJECTED = tuple(
    ip_network(text) for text in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
)
URL = "https://files.host-one.example/a/1"
LOCATION = {
    "url": URL,
    "host": {"ip": "192.0.2.14", "asn": "AS64500", "provider": "Host One"},
    "country": "BE",
    "cdn": {"is_cdn": False},
}


def lookup(*addresses, rdap=None, cdns=CDNS, injected=INJECTED):
    return HostLookup(
        NetworkTable.read(TABLE.encode()),
        None if cdns is None else CdnList.read(cdns.encode()),
        rdap,
        resolve=lambda _: list(addresses),
        injected=injected,
    )


def registry(document=ANSWER):
    transport = GuardedTransport(
        httpx.MockTransport(answering(document)), resolve=lambda _: ["192.0.2.250"], injected=INJECTED
    )
    return Rdap(Bootstrap.read(json.dumps(IANA).encode()), transport)


def test_facts_rest_on_look_ups():
    rdap = registry()
    facts = lookup("192.0.2.14", rdap=rdap).look_up(URL, NOW)
    rdap.close()
    assert (facts.state, facts.ip, facts.country) == ("found", "192.0.2.14", "BE")
    assert (facts.asn, facts.provider, facts.is_cdn) == ("AS64500", "Host One", False)
    assert facts.abuse == ("abuse@host-one.example",)
    assert [(x.method, x.outcome) for x in facts.lookups] == [
        ("dns", "found"),
        ("table", "found"),
        ("cdn-list", "not-listed"),
        ("rdap", "found"),
    ]
    assert all(x.at == NOW for x in facts.lookups)
    assert facts.lookups[1].handle == "192.0.2.0/24"
    assert "sha256:" in facts.lookups[1].source
    assert facts.notes == ()


def test_facts_fit_into_a_case():
    facts = lookup("192.0.2.14").look_up(URL, NOW)
    document = {
        "schema": "broker-case/1",
        "case": {
            "kind": "content_report",
            "origin_channel": "partner",
            "offence_type": "csam_dissemination",
            "dates": {"opened_at": "2026-03-01T09:00:00Z"},
        },
        "locations": {"location1": {"url": URL, **facts.members()}},
    }
    location = cases.from_json(document).data["locations"]["location1"]
    assert location["host"] == LOCATION["host"]
    assert location["trace"] == {"method": "dns", "at": "2026-03-01T12:00:00+00:00"}
    assert location["cdn"] == {"is_cdn": False}
    assert location["country"] == "BE"


def test_an_edge_says_nothing_about_the_country():
    facts = lookup("198.51.100.1").look_up(URL, NOW)
    assert (facts.is_cdn, facts.cdn_provider) == (True, "CDN Two")
    assert facts.country is None
    on_edge = lookup("192.0.2.14").look_up("https://x.cdn.example/1", NOW)
    assert (on_edge.country, on_edge.edge_country) == (None, "BE")
    assert "country" not in on_edge.members()
    assert lookup("192.0.2.14", cdns=None).look_up(URL, NOW).is_cdn is None


def test_registration_fills_gaps_and_a_disagreement_is_said():
    other = {**ANSWER, "country": "LU"}
    rdap = registry(other)
    facts = lookup("192.0.2.14", rdap=rdap).look_up(URL, NOW)
    assert (facts.country, facts.notes) == ("BE", ("hosting-country-disagrees",))
    rdap.close()
    rdap = registry({**other, "startAddress": "192.0.0.0", "endAddress": "192.255.0.0"})
    found = lookup("192.0.9.9", rdap=rdap, injected=(*INJECTED, ip_network("192.0.9.0/24"))).look_up(URL, NOW)
    rdap.close()
    assert (found.country, found.provider) == ("LU", "Host One")
    assert "hosting-network-unknown" in found.notes


def test_old_data_is_said():
    assert lookup("192.0.2.14").look_up(URL, datetime(2026, 9, 1, tzinfo=UTC)).notes == (
        "hosting-table-stale",
    )


@pytest.mark.parametrize(
    ("url", "state"),
    [
        ("http://abcdefghij.onion/x", "anonymous"),
        ("magnet:?xt=x", "no-host"),
        ("https://[::1", "no-host"),
        ("", "no-host"),
        ("https://127.0.0.1/", "not-public"),
        ("https://[64:ff9b::7f00:1]/", "not-public"),
    ],
)
def test_locators_without_a_host_of_their_own(url, state):
    facts = lookup("192.0.2.14").look_up(url, NOW)
    assert (facts.state, facts.ip, facts.members()) == (state, None, {})


def test_names_that_do_not_answer_or_answer_nonsense():
    assert lookup().look_up(URL, NOW).state == "unresolved"
    assert lookup("canary").look_up(URL, NOW).lookups[0].outcome == "answer-format"
    assert lookup("192.0.2.14", "10.0.0.1").look_up(URL, NOW).state == "not-public"

    def late(_):
        raise LookUpFailed("look-up-timeout", "a look-up took too long")

    slow = HostLookup(NetworkTable.read(TABLE.encode()), resolve=late).look_up(URL, NOW)
    assert (slow.state, slow.lookups[0].outcome) == ("unresolved", "look-up-timeout")


def test_a_moment_needs_its_zone():
    with pytest.raises(ValueError, match="zone"):
        lookup("192.0.2.14").look_up(URL, datetime(2026, 3, 1))  # noqa: DTZ001 - that is the test


def test_what_is_still_so_is_the_same():
    again = lookup("192.0.2.14").recheck(LOCATION, NOW)
    assert again.same
    assert again.changes == ()
    assert not again.moved
    assert again.facts.lookups


def test_one_of_several_addresses_is_still_the_same_host():
    again = lookup("192.0.2.200", "192.0.2.14", "2001:db8::5").recheck(LOCATION, NOW)
    assert again.same
    assert again.facts.ip == "192.0.2.14"


def changed(again):
    return {(c.member, c.before, c.after) for c in again.changes}


def test_a_host_that_moved_abroad_is_not_the_same():
    again = lookup("192.0.2.200").recheck(LOCATION, NOW)
    assert not again.same
    assert again.moved
    assert changed(again) == {
        ("host.ip", "192.0.2.14", "192.0.2.200"),
        ("host.asn", "AS64500", "AS64501"),
        ("host.provider", "Host One", "Host Two, BV"),
        ("country", "BE", "NL"),
    }


def test_a_host_that_went_behind_a_cdn_is_not_the_same():
    again = lookup("198.51.100.1").recheck(LOCATION, NOW)
    assert ("cdn.is_cdn", False, True) in changed(again)
    assert ("country", "BE", None) in changed(again)
    assert not again.moved


def test_what_cannot_be_found_out_is_not_the_same():
    again = lookup().recheck(LOCATION, NOW)
    assert not again.same
    assert changed(again) == {("state", "found", "unresolved")}
    assert not lookup("192.0.2.14").recheck({}, NOW).same


def test_a_fact_nobody_has_seen_yet_is_a_change():
    again = lookup("192.0.2.14").recheck({"url": URL}, NOW)
    assert {c.member for c in again.changes} == {
        "host.ip",
        "host.asn",
        "host.provider",
        "country",
        "cdn.is_cdn",
    }


def test_spelling_is_no_change_of_host():
    location = {**LOCATION, "host": {**LOCATION["host"], "provider": "HOST  one"}}
    assert lookup("192.0.2.14").recheck(location, NOW).same
