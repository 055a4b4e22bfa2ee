"""Schemas and samples of others, kept outside this repository because they are theirs.

They lie in `../shared/reference` beside the repository, or where BROKER_REFERENCE says.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("BROKER_REFERENCE", ROOT.parent / "shared" / "reference"))


def reference(name: str) -> Path:
    """A file of the reference folder; the test is skipped where it is not there."""
    path = FOLDER / name
    if not path.exists():
        pytest.skip(f"{name} is not in ../shared/reference; others' schemas are not part of this repository")
    return path


def optional(name: str) -> bytes | None:
    """Its bytes, or None."""
    path = FOLDER / name
    return path.read_bytes() if path.exists() else None
