"""Import: tried first and shown row by row without values, kept encrypted, taken in whole or not at all."""

from __future__ import annotations

import json
import re
import secrets
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlmodel import func, select
from starlette.testclient import TestClient

from broker.app import create_app
from broker.demo import cases as demo_cases
from broker.demo.house import House
from broker.spi import AdapterInfo, CaseDraft
from broker.store import tables
from broker.store.engine import unit_of_work
from tests.adapters.tables import MAPPING, row, table
from tests.cases import minimal_case
from tests.web.conftest import SignedIn
from tests.web.reading import sent

CANARY = "canary-import.example"


def rows(*more: dict[str, str]) -> bytes:
    return bytes(table(*(row(**each) for each in more)))


def stored(house: House) -> int:
    with unit_of_work(house.desk.db) as session:
        return session.exec(select(func.count()).select_from(tables.CaseFile)).one()


def tried(client: Any, content: bytes, adapter: str = "tabular", **more: str) -> Any:
    data = {"adapter": adapter, "synthetic": "yes", "do": "try", **more}
    return client.post("/desk/import", data=data, files={"file": ("anything.csv", content)})


def form_of(page: str) -> str:
    found = re.search(r'name="form" value="([0-9a-f-]{36})"', page)
    assert found is not None
    return found[1]


def test_an_export_never_rests_in_clear_in_the_temporary_folder(
    signed_in: SignedIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is none it could be put in."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "not-there"))
    page = tried(signed_in("analyst-1"), rows({}) + b"\r\n" * 1_500_000)
    assert (page.status_code, "rows" in page.text) == (400, True)  # read, and found to be too long


def test_every_ingest_adapter_can_be_chosen_with_its_options(signed_in: SignedIn, house: House) -> None:
    client = signed_in("analyst-1")
    page = client.get("/desk/import").text
    names = re.findall(r"/desk/import\?adapter=([a-z_]+)", page)
    assert set(names) == {"canonical", "arachnid", "iccam_in", "scart_csv", "tabular"}
    for name in names:
        options = () if name == "canonical" else house.desk.adapters[name].info.options
        asked = sent(client.get(f"/desk/import?adapter={name}").text, "export")
        assert {n.removeprefix("option.") for n in asked if n.startswith("option.")} == set(options)
    assert client.get("/desk/import?adapter=nothing").status_code == 404
    assert signed_in("releaser").get("/desk/import").status_code == 403


def test_a_dry_run_stores_nothing_and_the_file_need_not_be_chosen_again(
    signed_in: SignedIn, house: House, capfd: pytest.CaptureFixture[str]
) -> None:
    client = signed_in("analyst-1")
    content = rows({"URL": f"https://{CANARY}/1"}, {"URL": f"https://{CANARY}/2", "Report": "SYN-2"})
    page = tried(client, content, **{"option.mapping": json.dumps(MAPPING)})
    assert page.status_code == 200, page.text
    assert CANARY not in page.text
    assert stored(house) == 0
    form = form_of(page.text)
    with unit_of_work(house.desk.db) as session:
        blob = session.get_one(tables.FormDraft, UUID(form)).blob
    assert CANARY.encode() not in blob
    assert signed_in("analyst-2").get(f"/desk/import?form={form}").status_code == 404
    assert f"/desk/forms/{form}" in client.get("/desk/work").text
    again = sent(page.text, "take")
    answer = client.post("/desk/import", data={**again, "do": "take-in"}, follow_redirects=False)
    assert answer.status_code == 303, answer.text
    assert stored(house) == 2
    assert CANARY not in str(answer.headers) + "".join(capfd.readouterr())
    done = client.get(answer.headers["location"]).text
    assert len(set(re.findall(r"/desk/cases/[0-9a-f-]{36}", done))) == 2
    assert "/desk/forms/" not in client.get("/desk/work").text


def test_what_is_refused_is_named_by_row_and_nothing_is_half_imported(
    signed_in: SignedIn, house: House
) -> None:
    client = signed_in("analyst-1")
    content = rows({}, {"URL": f"no-address-{CANARY}", "Report": "SYN-2"})
    page = tried(client, content, **{"option.mapping": json.dumps(MAPPING)})
    assert page.status_code == 400
    assert "/rows/3/" in page.text
    assert CANARY not in page.text
    form = form_of(page.text)
    forced = {"adapter": "tabular", "form": form, "synthetic": "yes", "do": "take-in"}
    whole = client.post("/desk/import", data={**forced, "option.mapping": json.dumps(MAPPING)})
    assert whole.status_code == 400
    assert stored(house) == 0
    again = {**sent(page.text, "export"), "option.rows": "accepted", "do": "try"}
    page = client.post("/desk/import", data=again)  # the file is still there, only the choice is new
    assert page.status_code == 200, page.text
    assert "row refused" in page.text
    client.post("/desk/import", data={**sent(page.text, "take"), "do": "take-in"})
    assert stored(house) == 1


def test_the_mapping_may_come_as_the_file_it_was_saved_in(signed_in: SignedIn, house: House) -> None:
    client = signed_in("analyst-1")
    files = {"file": ("a.csv", rows({})), "mapping": ("m.json", json.dumps(MAPPING).encode())}
    data = {"adapter": "tabular", "synthetic": "yes", "do": "try"}
    page = client.post("/desk/import", data=data, files=files)
    assert page.status_code == 200
    assert json.loads(sent(page.text, "export")["option.mapping"][0]) == json.loads(json.dumps(MAPPING))
    nothing = client.post("/desk/import", data=data)
    assert nothing.status_code == 400


def test_other_exports_and_our_own_documents(signed_in: SignedIn, house: House) -> None:
    client, now = signed_in("analyst-1"), house.desk.now()
    for adapter, content in (
        ("arachnid", demo_cases.shield_export(now)),
        ("canonical", json.dumps(demo_cases.make(2, now)).encode()),
    ):
        page = tried(client, content, adapter)
        assert page.status_code == 200, page.text
        client.post("/desk/import", data={**sent(page.text, "take"), "do": "take-in"})
    assert stored(house) == 2
    assert tried(client, b"{", "canonical").status_code == 400
    assert tried(client, b"\x00" * 10, "arachnid").status_code == 400


def test_a_file_that_cannot_be_kept_is_refused_in_words(signed_in: SignedIn, house: House) -> None:
    page = tried(signed_in("analyst-1"), secrets.token_bytes(3 * 1024 * 1024), "arachnid")
    assert page.status_code == 400
    assert "broker case import" in page.text
    assert stored(house) == 0


def test_a_line_that_is_no_case_is_refused_by_its_number(signed_in: SignedIn, house: House) -> None:
    """Number of the line in the file, rule, and nothing of what stood there; empty lines count."""
    good, bad = minimal_case(), minimal_case()
    bad["persons"] = {"person1": {"self_declared_name": 7, CANARY: CANARY}}
    lines = [json.dumps(good), "", json.dumps(bad), json.dumps(good)]
    page = tried(signed_in("analyst-1"), "\n".join(lines).encode(), "canonical")
    assert page.status_code == 400
    assert "/3/persons/person1/" in page.text
    assert "/2/" not in page.text
    assert CANARY not in page.text
    assert stored(house) == 0


class Halves:
    """An ingest adapter whose second case intake refuses."""

    info = AdapterInfo("halves", "One right and one wrong", "nothing", "1", tried_live=False)

    def ingest(self, content: bytes, *, options: Mapping[str, str]) -> Sequence[CaseDraft]:
        good = minimal_case()
        return [CaseDraft(good, "halves"), CaseDraft({**good, "persons": {"person1": {"age": 3}}}, "halves")]


def test_an_export_comes_in_whole_or_not_at_all(signed_in: SignedIn, house: House) -> None:
    desk = replace(house.desk, adapters={**house.desk.adapters, "halves": Halves()})
    with TestClient(create_app(desk), headers={"sec-fetch-site": "same-origin"}) as client:
        client.cookies = signed_in("analyst-1").cookies
        page = tried(client, b"anything", "halves")
        assert page.status_code == 400
        assert "/2/persons/person1/(member)" in page.text
        forced = {"adapter": "halves", "form": form_of(page.text), "synthetic": "yes", "do": "take-in"}
        assert client.post("/desk/import", data=forced).status_code == 400
    assert stored(house) == 0
