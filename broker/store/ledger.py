"""The disclosure ledger: append, integrate, prove, verify. The parts are in `ledger_*`."""

from __future__ import annotations

from broker.store.ledger_append import (
    Entry,
    append,
    cancel,
    canonical,
    commitment,
    leaf_body,
    note,
)
from broker.store.ledger_integrate import Sign, has_leader, integrate_once, lead
from broker.store.ledger_tiles import (
    Checkpoint,
    checkpoint_at,
    consistency,
    entries,
    latest,
    proof,
    root,
    tile,
)
from broker.store.ledger_verify import Finding, Report, verify_all

__all__ = [
    "Checkpoint",
    "Entry",
    "Finding",
    "Report",
    "Sign",
    "append",
    "cancel",
    "canonical",
    "checkpoint_at",
    "commitment",
    "consistency",
    "entries",
    "has_leader",
    "integrate_once",
    "latest",
    "lead",
    "leaf_body",
    "note",
    "proof",
    "root",
    "tile",
    "verify_all",
]
