"""The dossier of a really minimised case: every kind, police and prosecutor, confirmed and urgent."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from adapters.police_dossier import adapter
from broker.core import handling
from broker.core.confirmation import ConfirmedCase
from broker.core.minimise import MinimiseRequest, Recipient, minimise
from broker.core.pack import load_pack
from broker.core.referral import Header, build_payload, seal_tree
from broker.spi import Party
from tests.adapters.reading import pages, squeeze
from tests.cases import KINDS, confirmed, full_case, minimal_case, urgent_case

PACK = load_pack("be")


def referral_of(released, recipient_class, language):
    party = Party("pt_synthetic", recipient_class, "BE", "Synthetic recipient")
    conditions = handling.as_json(handling.default(PACK, recipient_class), PACK, language)
    purposes = ("P7",) if recipient_class == "BEM" else ("P1", "P2")
    request = MinimiseRequest(
        recipient=Recipient(party, language, statutory=True),
        terms=None,
        purposes=purposes,
        element_key=b"e" * 32,
        pseudonym_key=b"p" * 32,
        case_alias="alias2345",
        reference="CF-2026-000123-7",
        desk={"organisation": "Synthetic Hotline", "phone": "+32 2 555 01 10", "languages": ["nl"]},
        day=date(2026, 3, 2),
        handling=conditions,
        legal_basis={"purposes": [{"purpose": "P1", "bases": ["statute"]}], "transfer": None},
    )
    minimised = minimise(released, PACK, request)
    header = Header(
        release="a2b3c4d5e6f7g2h3i4j5k6l7m2",
        issuer="https://broker.hotline.example",
        addressee=party,
        carrier=party,
        reference="CF-2026-000123-7",
        version=1,
        kind="new",
        supersedes=None,
        drafted_at=datetime(2026, 3, 1, 14, 10, tzinfo=UTC),
        language=language,
        purposes=purposes,
        unconfirmed=not isinstance(released, ConfirmedCase),
    )
    tree = seal_tree(minimised, b"s" * 32)
    return minimised, build_payload(minimised, header, tree.root, tree.depth)[1]


@pytest.mark.parametrize("language", ["nl", "fr"])
@pytest.mark.parametrize("recipient_class", ["BEP", "BEM"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [full_case, minimal_case])
def test_confirmed_cases_of_every_kind(make, kind, recipient_class, language):
    minimised, referral = referral_of(confirmed(make(kind)), recipient_class, language)
    documents = adapter.render(referral)
    codes = {f.code: f.severity for f in adapter.lint(referral, documents)}
    assert "block" not in codes.values()
    assert "dossier-no-handling" not in codes
    assert "dossier-not-shown" not in codes
    held = {unit.field for unit in minimised.units if unit.field}
    assert held <= adapter.info.needs


def test_the_urgent_path_says_that_nobody_confirmed_yet():
    _, referral = referral_of(urgent_case(full_case("danger")), "BEP", "nl")
    page = squeeze(pages(adapter.render(referral)[0])[0])
    assert squeeze("Nog niet bevestigd") in page
    assert squeeze("Enkel voor opsporing en vervolging van strafbare feiten.") in page


def test_what_is_withheld_is_not_in_the_documents():
    minimised, referral = referral_of(confirmed(full_case("person_lead")), "BEM", "en")
    text = squeeze("".join(pages(adapter.render(referral)[0])))
    table = adapter.render(referral)[1].content.decode()
    gone = [u.value for u in minimised.withheld if isinstance(u.value, str) and len(u.value) >= 12]
    payload = referral.payload.decode()
    gone = [value for value in gone if value not in payload]
    assert gone
    assert not any(squeeze(value) in text or value in table for value in gone)
