"""A case as it is held, for people who may see it: sections and entities, only what is filled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from broker.core.case import Case
from broker.core.fields import COLLECTIONS
from broker.desk import case_form
from broker.web import report_form
from broker.web.case_words import CaseWords
from broker.web.page import Visit
from broker.web.typed_form import Typed


def values(visit: Visit, case: Case) -> Mapping[str, Any]:
    """What `cases/held.html` shows. Imported verdicts stand with the claims, not here."""
    typed: Typed = {
        name: value
        for name, value in case_form.to_form(case.data).items()
        if not name.startswith("assessment.confirmations")
    }
    view = report_form.view(visit.desk, typed, whole=True)
    return {"view": view, "cw": CaseWords(visit.desk, visit.words)}


def entities(case: Case) -> list[tuple[str, str]]:
    """(collection, local id) of every entity that a claim may be about."""
    return [
        (name, local_id)
        for name in COLLECTIONS
        if name not in ("links", "contacts")
        for local_id in case.data.get(name, {})
    ]
