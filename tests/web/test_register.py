"""The register's pages: what they show, what they refuse, what leaves as a file."""

from __future__ import annotations

from broker.demo.house import House
from tests import house as build
from tests.web.conftest import SignedIn


def test_try(signed_in: SignedIn, house: House) -> None:
    made = build.released(house, "police")
    client = signed_in("officer")
    for path in (
        "/desk/register",
        "/desk/register?field=F29&urgent=no",
        f"/desk/register/{made.release}",
        "/desk/register/questions",
    ):
        answer = client.get(path)
        print(answer.text)
        assert answer.status_code == 200
    for f in ("csv", "jsonl", "pdf"):
        a = client.post("/desk/register/export", data={"format": f})
        print(a.status_code, a.headers, a.text[:300])
        assert a.status_code == 200
