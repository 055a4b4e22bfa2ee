"""A third party's adapter in the product: a pack names it, and what it renders is approved, signed, pulled.

`broker/` knows nothing of it: it comes out of a wheel by its entry point.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from broker.demo.house import House
from broker.runtime import adapters
from tests import house as build
from tests.adapters.test_thirdparty import installed

__all__ = ["installed"]


def test_what_it_renders_travels_with_the_referral(
    house: House, installed: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "plain_sheet" not in adapters()
    monkeypatch.syspath_prepend(installed["PYTHONPATH"])
    found = adapters()
    pack = replace(house.desk.pack, formats={**house.desk.pack.formats, "BEP": ("plain_sheet",)})
    with_it = replace(house, desk=replace(house.desk, adapters=found, pack=pack))
    trust = build.trust(with_it, tmp_path / "trust")
    with build.serving(with_it) as (url, served):
        made = build.released(served, "police")
        report = build.pull(served, url, "police", tmp_path / "pulled", trust)
    assert report.ok, report.lines()
    assert report.collected == [made.release]
    (sheet,) = (tmp_path / "pulled").rglob("sheet.txt")
    assert sheet.read_text().splitlines()[0] == made.reference
    assert not [name for name in sys.modules if name.startswith("broker") and "plain_sheet" in name]
