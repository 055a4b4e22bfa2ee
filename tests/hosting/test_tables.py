"""The operator's data files: read whole or refused by line, and the narrowest network wins."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from ipaddress import ip_address

import pytest

from broker.errors import Misconfigured
from broker.hosting import CdnList, NetworkTable

HEAD = "network,country,asn,organisation\n"
TABLE = (
    "# source: synthetic table\n# dated: 2026-02-01\n"
    + HEAD
    + "192.0.2.0/24,BE,AS64500,Host One\n"
    + '192.0.2.128/25,NL,AS64501,"Host Two, BV"\n'
    + "2001:db8::/32,FR,AS64502,Host Three\n"
    + "203.0.113.0/24,,,\n"
)
CDNS = """match,value,provider
asn,AS64510,CDN One
network,198.51.100.0/25,CDN Two
domain,cdn.example,CDN Three
"""


def find(text):
    row = NetworkTable.read(TABLE.encode()).find(ip_address(text))
    return row and (row.network, row.country, row.asn, row.organisation)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", ("192.0.2.0/24", "BE", "AS64500", "Host One")),
        ("192.0.2.127", ("192.0.2.0/24", "BE", "AS64500", "Host One")),
        ("192.0.2.128", ("192.0.2.128/25", "NL", "AS64501", "Host Two, BV")),
        ("2001:db8::1", ("2001:db8::/32", "FR", "AS64502", "Host Three")),
        ("203.0.113.9", ("203.0.113.0/24", "", "", "")),
        ("198.51.100.1", None),
        ("2001:db9::1", None),
        ("::c000:201", None),
    ],
)
def test_the_narrowest_network_wins(address, expected):
    assert find(address) == expected


def test_evidence_names_the_file():
    table = NetworkTable.read(TABLE.encode())
    digest = hashlib.sha256(TABLE.encode()).hexdigest()
    assert str(table.origin) == f"synthetic table 2026-02-01 sha256:{digest}"
    assert not table.stale(datetime(2026, 3, 1, tzinfo=UTC))
    assert table.stale(datetime(2026, 6, 1, tzinfo=UTC))
    assert NetworkTable.read((HEAD + "192.0.2.0/24,BE,,\n").encode()).stale(datetime(2026, 3, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"network,country\n",
        HEAD.encode() + b"192.0.2.1/24,BE,AS64500,x\n",
        HEAD.encode() + b"192.0.2.0/24,be,AS64500,x\n",
        HEAD.encode() + b"192.0.2.0/24,BE,64500,x\n",
        HEAD.encode() + b"192.0.2.0/24,BE,AS64500\n",
        HEAD.encode() + b"192.0.2.0/24,BE,AS64500,x\n192.0.2.0/24,NL,AS64500,x\n",
        b"# dated: soon\n" + HEAD.encode(),
    ],
)
def test_a_wrong_table_is_no_table(content):
    with pytest.raises(Misconfigured):
        NetworkTable.read(content)


@pytest.mark.parametrize(
    ("host", "address", "asn", "expected"),
    [
        ("a.example", "192.0.2.1", "AS64510", "CDN One"),
        ("a.example", "198.51.100.1", "", "CDN Two"),
        ("a.example", "198.51.100.200", "", None),
        ("x.CDN.example.", "192.0.2.1", "", "CDN Three"),
        ("notcdn.example", "192.0.2.1", "AS64500", None),
        ("cdn.example.org", "192.0.2.1", "", None),
        ("a.example", "2001:db8::1", "", None),
    ],
)
def test_a_cdn_is_known_by_number_network_or_name(host, address, asn, expected):
    assert CdnList.read(CDNS.encode()).provider(host, ip_address(address), asn) == expected


@pytest.mark.parametrize(
    "line", ["asn,,x", "asn,64510,x", "network,198.51.100.1/24,x", "domain,*.example,x", "ip,a,x"]
)
def test_a_wrong_cdn_list_is_no_list(line):
    with pytest.raises(Misconfigured, match="line 2"):
        CdnList.read(f"match,value,provider\n{line}\n".encode())
