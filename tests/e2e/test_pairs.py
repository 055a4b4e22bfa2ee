"""Every (recipient, purpose) pair of the pack, on a full case: no BLOCK check, every format rendered."""

from __future__ import annotations

import pytest

from broker.core import seal
from broker.core.canonical import decode
from broker.core.manifest import Scope, compile_view, withheld_manifest
from broker.desk.record import Record
from broker.desk.trial import trial
from tests.cases import KINDS, confirmed, full_case
from tests.core.minimising import terms
from tests.e2e.composing import cleared, desk, parts_of

PAIRS = sorted(desk().pack.pairs)
WRITES = {
    "police_dossier": ["referral.pdf", "referral.csv"],
    "case_uco": ["referral.jsonld"],
    "europol": ["europol.json", "europol.txt"],
    "ncmec": ["report.xml", "item-1.txt", "filedetails-1.xml"],
    "interpol": ["interpol.json", "icse.csv"],
}
"""adapter → the documents it writes, in order."""
REFERRALS = [pair for pair in PAIRS if pair[0] not in ("STA", "CMP")]


def test_the_pack_has_its_fifteen_pairs() -> None:
    assert len(PAIRS) == 15
    assert len(REFERRALS) == 13


@pytest.mark.parametrize("grounded", [False, True], ids=["plain", "every-ground"])
@pytest.mark.parametrize("pair", REFERRALS, ids="-".join)
def test_a_full_case_passes_every_blocking_check_and_renders(pair: tuple[str, str], grounded: bool) -> None:
    recipient_class, purpose = pair
    document = full_case("content_report")
    document["reporter"]["consent_to_contact"] = True
    made = cleared(confirmed(document), recipient_class, purpose, grounded=grounded)
    assert [f for f in made.findings if f.severity == "block"] == []
    doc = decode(made.record.payload, max_bytes=1 << 24)["doc"]
    assert seal.units_of(doc) == {u.pointer: u.value for u in made.record.units}
    names = [d.name for d in made.record.documents]
    formats = desk().pack.formats[recipient_class]
    assert names == [name for adapter in formats for name in WRITES[adapter]]
    if "police_dossier" in formats:
        text = parts_of(made.record.payload, made.record.documents)
        assert any(made.header.reference in page for name, page in text.items() if "#page0" in name)
    trial(desk(), made.record)
    assert Record.decode(made.record.encode()).encode() == made.record.encode()


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "content_report"])
@pytest.mark.parametrize("pair", [("BEP", "P1"), ("EUR", "P3")], ids="-".join)
def test_the_other_kinds_of_case_pass_too(pair: tuple[str, str], kind: str) -> None:
    made = cleared(confirmed(full_case(kind)), *pair)
    assert [f for f in made.findings if f.severity == "block"] == []


@pytest.mark.parametrize("pair", [p for p in PAIRS if p[0] in ("STA", "CMP")], ids="-".join)
def test_views_of_the_own_house_compile_and_hold(pair: tuple[str, str]) -> None:
    """Statistics and oversight are views, not referrals: no identity, and a clause for what is withheld."""
    recipient_class, purpose = pair
    view = compile_view(
        Scope.of(
            desk().pack, recipient_class, "BE", purposes=(purpose,),
            terms=terms(recipient_class, (purpose,)), grounds={},
        )
    )  # fmt: skip
    manifest = withheld_manifest(view)
    assert len(manifest["fields"]) == 84
    for field_id, entry in manifest["fields"].items():
        assert (entry["state"] == "withheld") is ("clause" in entry), field_id
    closed = {"F12", "F13", "F54"}
    assert all(manifest["fields"][f]["state"] == "withheld" for f in closed)
    if recipient_class == "STA":
        # Aggregates only; of a case itself no more than the months in which something was seen.
        assert {f: view.decisions[f].action for f in view.mask} == {"F25": "G2", "F82": "G2"}
    assert not view.mask & closed
