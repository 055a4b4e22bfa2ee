"""1,000 generated referrals, made once for all adapters' own properties, the same in every run.

Each has a release id of its own, so that several can stand in one graph.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings

from broker.conformance import samples
from broker.spi import MinimisedReferral
from tests.adapters.referrals import referrals

SIZE = 1000


@cache
def corpus() -> tuple[MinimisedReferral, ...]:
    """The referrals; a derandomised run of the strategy, without shrinking."""
    made: list[MinimisedReferral] = []

    @settings(
        max_examples=SIZE,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(referrals)
    def collect(referral: MinimisedReferral) -> None:
        release = f"g{len(made):03d}".translate(str.maketrans("0189", "abcd"))
        made.append(replace(referral, release=release + referral.release[len(release) :]))

    collect()
    assert len(made) == SIZE
    return tuple(made)


def middling(count: int) -> list[MinimisedReferral]:
    """Some of middle size, for a validator that takes seconds for each."""
    by_size = sorted(corpus(), key=lambda referral: len(referral.payload))
    return by_size[SIZE // 4 : SIZE // 2 : SIZE // 4 // count][:count]


def scalars(value: Any) -> set[str]:
    """Every scalar inside, as text."""
    if isinstance(value, dict):
        return {text for child in value.values() for text in scalars(child)}
    if isinstance(value, list):
        return {text for child in value for text in scalars(child)}
    return {json.dumps(value) if isinstance(value, bool) else str(value)} if value is not None else set()


def given_values(referral: MinimisedReferral) -> set[str]:
    """Every scalar of the referral: facts, elements and what stands around them."""
    parties = (referral.addressee, referral.carrier)
    around = {
        referral.release,
        referral.reference,
        str(referral.version),
        referral.kind,
        str(referral.supersedes),
        referral.issuer,
        referral.drafted_at.isoformat(),
        *referral.purposes,
        json.dumps(referral.unconfirmed),
        *(text for p in parties for text in (p.partner, p.recipient_class, p.country, p.name)),
    }
    ids = {element for elements in referral.entities.values() for element in elements}
    return around | ids | scalars(dict(referral.facts)) | scalars(dict(referral.entities))


FULL = samples()["full"]
