"""Administration: people, partners, agreements by two, without a case in reach."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from broker.client.keys import new_partner_keys
from broker.demo.house import AGENCIES, House, agreement_body
from broker.web.page import pages
from tests.web.conftest import SignedIn

PASSWORD = "synthetic password of somebody"


def test_an_administrator_makes_and_ends_accounts_and_not_their_own(
    signed_in: SignedIn, house: House
) -> None:
    client = signed_in("administrator")
    new = {"login": "carla", "roles": "analyst", "password": PASSWORD, "vetted_until": "2027-12-31"}
    assert "carla" in client.post("/desk/admin/people/add", data=new).text
    again = client.post("/desk/admin/people/add", data={**new, "roles": "dpo"})
    assert again.status_code == 409
    assert 'value="carla"' in again.text
    assert PASSWORD not in again.text
    own = client.post(f"/desk/admin/people/{house.people['administrator'].id}/end")
    assert own.status_code == 409
    ended = client.post(f"/desk/admin/people/{house.people['analyst-2'].id}/end")
    assert ended.status_code == 200
    assert signed_in("administrator").get("/desk/admin").status_code == 200
    with pytest.raises(Exception, match="account"):
        signed_in("analyst-2")


def test_a_vetting_without_end_does_not_end_the_page(signed_in: SignedIn) -> None:
    """The last day there is falls into a year that there is not, in local time."""
    client = signed_in("administrator")
    for day in ("9999-12-31", "0001-01-01", "then"):
        new = {"login": "erik", "roles": "analyst", "password": PASSWORD, "vetted_until": day}
        assert client.post("/desk/admin/people/add", data=new).status_code == 409
    assert client.get("/desk/admin/people").status_code == 200


def test_an_administrator_holds_no_other_role(signed_in: SignedIn) -> None:
    new = {
        "login": "dora",
        "roles": ["administrator", "analyst"],
        "password": PASSWORD,
        "vetted_until": "2027-12-31",
    }
    assert signed_in("administrator").post("/desk/admin/people/add", data=new).status_code == 409


def test_no_page_of_an_administrator_leads_to_a_case() -> None:
    seen = {p.path for p in pages("desk") if "administrator" in p.roles}
    assert not any(
        word in path for path in seen for word in ("case", "release", "follow", "review", "import")
    )


def test_a_partner_is_onboarded_by_the_file_its_software_made(
    signed_in: SignedIn, house: House, tmp_path: Path
) -> None:
    registration = new_partner_keys(tmp_path / "new", "Synthetic agency", house.desk.now(), unencrypted=True)
    client = signed_in("custodian")
    data = {"name": "Synthetic agency (example)", "class": "FLE", "country": "fr", "language": "fr"}
    wrong = client.post(
        "/desk/admin/partners/add", data=data, files={"registration": ("r.json", b'{"keys":[]}')}
    )
    assert wrong.status_code == 400
    assert "Synthetic agency (example)" in wrong.text
    file = ("r.json", json.dumps(registration).encode())
    made = client.post("/desk/admin/partners/add", data=data, files={"registration": file})
    assert made.status_code == 200
    assert "Synthetic agency (example)" in made.text
    kid = registration["keys"][0]["kid"]
    assert kid in made.text
    revoked = client.post(made.url.path + "/revoke", data={"kid": kid})
    assert "revoked" in revoked.text


def test_an_agreement_takes_two_people(signed_in: SignedIn, house: House) -> None:
    partner = house.partners["hotline"]
    body = agreement_body(house.desk, partner, AGENCIES["hotline"], 2)
    officer, releaser = signed_in("officer"), signed_in("releaser")
    file = ("a.json", json.dumps(body).encode())
    shown = officer.post(f"/desk/admin/partners/{partner}/agreements", files={"agreement": file})
    assert "You proposed this" in shown.text
    assert officer.post(shown.url.path).status_code == 409
    done = releaser.post(shown.url.path)
    assert done.status_code == 200
    assert "version 2" in done.text
    older = {**body, "version": 1}
    refused = officer.post(
        f"/desk/admin/partners/{partner}/agreements",
        files={"agreement": ("a.json", json.dumps(older).encode())},
    )
    assert refused.status_code == 400


def test_a_suspended_partner_is_out_at_once(signed_in: SignedIn, house: House) -> None:
    partner = house.partners["ncmec"]
    client = signed_in("officer")
    shown = client.post(f"/desk/admin/partners/{partner}/state", data={"state": "suspended"})
    assert "suspended" in shown.text
    assert client.post(f"/desk/admin/partners/{partner}/state", data={"state": "active"}).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "/admin/people",
        "/admin/recognition",
        "/admin/keys",
        "/admin/adapters",
        "/admin/jobs",
        "/admin/partners",
    ],
)
def test_pages_of_administration(signed_in: SignedIn, path: str) -> None:
    assert signed_in("administrator").get("/desk" + path).status_code == 200
