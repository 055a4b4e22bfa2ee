"""The country pack: the shipped one is whole, a broken one is refused by name, another one works."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from broker import packs
from broker.core.checks import DOCUMENT, PROCESS
from broker.core.fields import FIELD_IDS, MINOR_RULE
from broker.core.pack import FILES, load_pack
from broker.core.pack_types import CHECK_IDS, CONDITIONS
from broker.core.situation import _CONDITIONS
from broker.errors import Misconfigured

BE = Path(packs.__file__).parent / "be"
XX = Path(__file__).parents[1] / "packs" / "xx"
DESIGN = Path(__file__).parents[2].parent / "shared" / "design" / "fields.json"


def test_the_matrix_is_the_design_byte_for_byte() -> None:
    if not DESIGN.exists():
        pytest.skip("the design pages are not beside this checkout")
    assert (BE / "fields.json").read_bytes() == DESIGN.read_bytes()


def test_the_belgian_pack_is_whole() -> None:
    pack = load_pack("be")
    assert (pack.country, pack.languages) == ("BE", ("nl", "fr", "de", "en"))
    assert set(pack.fields) == set(FIELD_IDS)
    assert pack.action("F46", "BEP") == "F"
    assert pack.action("F46", "INH") == "-"
    assert pack.action("F99", "BEP") == "-"
    assert pack.action("F46", "XYZ") == "-"
    assert pack.role("BEP") == "domestic_police"
    assert pack.is_statutory("BEM")
    assert not pack.is_statutory("FLE")
    assert pack.c_groups.keys() >= MINOR_RULE
    assert set(pack.c_groups.values()) <= pack.grounds.keys()
    codes = {code for group in pack.grounds.values() for code in group}
    assert codes == pack.ground_texts.keys()
    assert set(pack.read_grounds) == {"triage", "own_case", "supplement", "audit"}
    assert set(pack.handling) == set(pack.formats) == set(pack.competence) == set(pack.roles.values())


def test_every_word_of_the_vocabularies_has_code() -> None:
    assert set(_CONDITIONS) == CONDITIONS
    assert {*DOCUMENT, *PROCESS} == set(CHECK_IDS)
    for check in load_pack("be").checks.values():
        assert (check.id in DOCUMENT) == (check.scope == "document")


def test_purposes_add_to_the_core_and_a_column_purpose_follows_the_column() -> None:
    pack = load_pack("be")
    assert pack.core < pack.purpose_fields(("P3",))
    assert pack.purpose_fields(("P2", "P3")) == pack.purpose_fields(("P2",)) | pack.purpose_fields(("P3",))
    statistics = pack.purpose_fields(("P8",))
    assert "F46" not in statistics
    assert "F43" in statistics


@pytest.mark.parametrize(
    ("start", "due"),
    [
        ("2026-04-02T15:00:00+00:00", "2026-04-08T15:00:00+00:00"),  # Easter Monday and a weekend between
        ("2026-03-02T09:00:00+00:00", "2026-03-05T09:00:00+00:00"),
        ("2026-03-26T09:00:00+00:00", "2026-03-31T08:00:00+00:00"),  # the local clock moves forward
    ],
)
def test_working_days_are_those_of_the_country(start: str, due: str) -> None:
    assert load_pack("be").due("U3", datetime.fromisoformat(start)) == datetime.fromisoformat(due)


def test_clocks_in_hours_ignore_weekends() -> None:
    friday = datetime(2026, 4, 3, 23, 30, tzinfo=UTC)
    assert load_pack("be").due("U1", friday) == friday + timedelta(hours=1)


def test_the_digest_names_what_was_loaded(tmp_path: Path) -> None:
    pack = load_pack("be")
    assert load_pack(BE).digest == pack.digest
    folder = _copy(tmp_path, "clocks", lambda d: d["clocks"]["U1"].update(hours=2))
    changed = load_pack(folder)
    assert changed.digest != pack.digest
    assert changed.matrix_digest == pack.matrix_digest
    assert changed.clocks["U1"].span == timedelta(hours=2)
    assert pack.with_switch(date(2026, 5, 1)).digest != pack.digest


def _copy(tmp_path: Path, name: str, change: Callable[[Any], object]) -> Path:
    folder = tmp_path / "be"
    shutil.copytree(BE, folder)
    document = json.loads((folder / f"{name}.json").read_text())
    change(document)
    (folder / f"{name}.json").write_text(json.dumps(document))
    return folder


BREAKS: list[tuple[str, Callable[[Any], object]]] = [
    ("fields", lambda d: d["fields"].pop()),
    ("fields", lambda d: d["fields"].append(d["fields"][0])),
    ("fields", lambda d: d["fields"][0]["actions"].pop("BEP")),
    ("fields", lambda d: d["fields"][0]["actions"].update(BEP="Z")),
    ("fields", lambda d: d["fields"][0].pop("dsc")),
    ("fields", lambda d: d["pairs"]["list"].append(["ZZZ", "P1"])),
    ("fields", lambda d: d["purposes"]["P1"]["fields"].append("F99")),
    ("fields", lambda d: next(f for f in d["fields"] if f["id"] == "F12").pop("c_group")),
    ("pack", lambda d: d.pop("country")),
    ("pack", lambda d: d["roles"].update(spy="SPY")),
    ("pack", lambda d: d["roles"].update(prosecutor="BEP")),
    ("pack", lambda d: d["competence"]["FLE"].append("mood")),
    ("pack", lambda d: d["desk"].pop("phone")),
    ("routes", lambda d: d["rules"][0].update(when=["full_moon"])),
    ("routes", lambda d: d["rules"][0].update(when=[])),
    ("routes", lambda d: d["rules"][0].update(to="press")),
    ("routes", lambda d: d["rules"][0].update(purposes=["P5"])),
    ("statutes", lambda d: d["periods"][1].update(start="2022-07-01")),
    ("statutes", lambda d: d["periods"][-1].update(end="2030-01-01")),
    ("clocks", lambda d: d["clocks"]["U1"].update(hours=0)),
    ("checks", lambda d: d["checks"].pop()),
    ("checks", lambda d: d["checks"][9].update(inputs=["F99"])),
    ("checks", lambda d: d["checks"][9].update(gaps=["no-such"])),
    ("checks", lambda d: d["checks"][9].update(level="block")),
    ("checks", lambda d: d["gaps"]["no-hash"].pop("de")),
    ("handling", lambda d: d["defaults"]["BEP"].update(conditions=["no-such"])),
    ("handling", lambda d: d["defaults"]["EUR"].update(status="final")),
    ("inhope", lambda d: d.update(countries="BE")),
    ("formats", lambda d: d["formats"].pop("STA")),
    ("formats", lambda d: d["formats"].update(ZZZ=[])),
    ("formats", lambda d: d["formats"].update(BEP=["a", "a"])),
    ("formats", lambda d: d["formats"].update(BEP="police_dossier")),
    ("grounds", lambda d: d["c_groups"].pop("material")),
]


@pytest.mark.parametrize(("name", "change"), BREAKS, ids=[f"{n}-{i}" for i, (n, _) in enumerate(BREAKS)])
def test_a_broken_pack_is_refused_with_the_file(
    tmp_path: Path, name: str, change: Callable[[Any], object]
) -> None:
    with pytest.raises(Misconfigured) as caught:
        load_pack(_copy(tmp_path, name, change))
    assert caught.value.code == "pack-broken"
    assert ".json" in caught.value.message


@pytest.mark.parametrize("content", [b"", b"[]", b'{"a": 1.5}', b'{"a": 1, "a": 2}', b"\xff"])
@pytest.mark.parametrize("name", ["routes", "fields"])
def test_files_are_parsed_strictly(tmp_path: Path, name: str, content: bytes) -> None:
    folder = tmp_path / "be"
    shutil.copytree(BE, folder)
    (folder / f"{name}.json").write_bytes(content)
    with pytest.raises(Misconfigured, match=f"{name}.json"):
        load_pack(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_file_is_named(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "be"
    shutil.copytree(BE, folder)
    (folder / f"{name}.json").unlink()
    with pytest.raises(Misconfigured, match=f"{name}.json"):
        load_pack(folder)


def test_a_name_is_no_path() -> None:
    with pytest.raises(Misconfigured):
        load_pack("../packs/be")


def test_another_country_is_another_folder() -> None:
    pack = load_pack(XX)
    assert pack.country == "XX"
    assert pack.role("XPO") == "domestic_police"
    assert pack.action("F46", "XHO") == "-"
    assert pack.action("F46", "BEP") == "-"
