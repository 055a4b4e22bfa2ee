"""What tests of outbound adapters share: other addressees, what was read, what must turn up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import HealthCheck, Phase, settings

from broker.conformance import _recorded, _without
from broker.core.confirmation import Released
from broker.core.minimise import Minimised
from broker.core.referral import Header, build_payload, seal_tree
from broker.spi import Document, MinimisedReferral, Party, Renders
from tests.core.minimising import COUNTRY, grounds_for, run

DRAFTED = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
FEW = [Phase.explicit, Phase.reuse, Phase.generate]
MANY = settings(max_examples=1000, deadline=None, phases=FEW, suppress_health_check=list(HealthCheck))
"""1,000 generated referrals for our own properties (no shrinking: the first one found reads well enough)."""
TWENTY = settings(max_examples=20, deadline=None, phases=FEW, suppress_health_check=list(HealthCheck))
"""20 for somebody else's validator."""


def to(referral: MinimisedReferral, recipient_class: str, **changes: Any) -> MinimisedReferral:
    """The same for an addressee of another class."""
    return replace(
        referral, addressee=replace(referral.addressee, recipient_class=recipient_class), **changes
    )


def assert_reads_only_its_needs(adapter: Renders, referral: MinimisedReferral) -> Sequence[Document]:
    """Renders three times: recorded, plainly, and without what the adapter says it does not need."""
    read: set[str] = set()
    documents = tuple(adapter.render(_recorded(referral, read)))
    assert read <= adapter.info.needs
    assert tuple(adapter.render(referral)) == documents
    assert tuple(adapter.render(_without(referral, adapter.info.needs))) == documents
    return documents


def strings(value: Any) -> Iterator[str]:
    """Every string in a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from strings(child)
    elif isinstance(value, list):
        for child in value:
            yield from strings(child)


def held(referral: MinimisedReferral, fields: frozenset[str]) -> Iterator[tuple[str, str, str]]:
    """(pointer, field, string) of every string in the units of these fields."""
    for pointer, field in referral.fields.items():
        if field in fields:
            parts = pointer.split("/")[1:]
            value: Any = {"facts": referral.facts, "entities": referral.entities}
            for part in parts:
                value = value[part]
            yield from ((pointer, field, text) for text in strings(value))


def minimised_for(
    released: Released, recipient_class: str, *purposes: str, language: str = "en", **changes: Any
) -> tuple[Minimised, MinimisedReferral]:
    """A really minimised case, with a ground for every field of action C."""
    changes.setdefault("grounds", grounds_for(recipient_class))
    desk = {
        "organisation": "Synthetic Hotline",
        "phone": "+32 2 000 00 00",
        "mail": "desk@hotline.example",
        "hours": "always",
        "languages": ["en"],
    }
    minimised = run(released, recipient_class, *purposes, desk=desk, **changes)
    country = COUNTRY.get(recipient_class, "FR")
    party = Party("pt_synthetic", recipient_class, country, "Synthetic Partner")
    header = Header(
        release="a2b3c4d5e6f7g2h3i4j5k6l7m2",
        issuer="https://broker.hotline.example",
        addressee=party,
        carrier=party,
        reference="CF-2026-000123-7",
        version=1,
        kind="new",
        supersedes=None,
        drafted_at=DRAFTED,
        language=language,  # type: ignore[arg-type]
        purposes=purposes,
        unconfirmed=False,
    )
    tree = seal_tree(minimised, b"s" * 32)
    return minimised, build_payload(minimised, header, tree.root, tree.depth)[1]


def gone(minimised: Minimised, referral: MinimisedReferral) -> list[str]:
    """Every withheld string long enough to be looked for, and nowhere in what the recipient gets."""
    payload = referral.payload.decode()
    units = (*minimised.withheld, *minimised.apart)
    return [text for u in units for text in strings(u.value) if len(text) >= 12 and text not in payload]
