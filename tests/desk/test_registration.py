"""The partner's registration file: one public key for each use, under a kid that fits a header."""

from __future__ import annotations

import copy
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from broker.client.keys import new_partner_keys
from broker.desk.partners import USES, Registration
from broker.errors import Refused

Entries = list[dict[str, Any]]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = tmp_path_factory.mktemp("registration") / "keys"
    return new_partner_keys(folder, "Synthetic Police (example)", datetime.now(UTC), unencrypted=True)


def test_what_the_client_writes_is_taken(document: Any) -> None:
    assert tuple(key.use for key in Registration.read(document).keys) == USES


FAULTS: dict[str, tuple[Callable[[Entries], Any], tuple[str, str]]] = {
    "private": (lambda keys: keys[0]["jwk"].update(d="A" * 43), ("/keys/0", "public-key")),
    "long kid": (lambda keys: keys[2].update(kid="k" * 65), ("/keys/2/kid", "format")),
    "kid that moves a cursor": (lambda keys: keys[2].update(kid="a\x1b[2J"), ("/keys/2/kid", "format")),
    "unknown use": (lambda keys: keys[3].update(use="other"), ("/keys/3/use", "code")),
    "one kid twice": (lambda keys: keys[1].update(kid=keys[0]["kid"]), ("/keys/1", "duplicate")),
    "one key for two uses": (
        lambda keys: keys[4].update({n: keys[0][n] for n in ("jwk", "thumbprint")}),
        ("/keys/4", "duplicate"),
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_would_not_work_later_is_refused_at_the_door(document: Any, fault: str) -> None:
    change, issue = FAULTS[fault]
    broken = copy.deepcopy(document)
    change(broken["keys"])
    with pytest.raises(Refused) as refused:
        Registration.read(broken)
    assert issue in [(i.field, i.rule) for i in refused.value.issues]
