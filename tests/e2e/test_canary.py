"""A canary in each free value: it shows where rows and matrix let it, and nowhere else at all.

What is expected is worked out here from `fields.json` as it is written, by hand for the rows; nothing
of the product's own idea of a view is asked.
"""

from __future__ import annotations

import copy
import csv
import io
import json
import logging
import re
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.resources import files as resource_files
from pathlib import Path
from typing import Any

import httpx
import pytest
import structlog

from broker.client.auth import BrokerAuth
from broker.core.fields import COLLECTIONS, SECTIONS
from broker.demo.house import House
from broker.desk import intake, register
from broker.errors import BrokerError
from broker.jobs import settle
from broker.store.engine import unit_of_work
from tests import house as build
from tests.cases import Document, canaries, confirmed, full_case
from tests.dbfixtures import Cluster
from tests.e2e.composing import cleared, parts_of, reading

APART = {"F12", "F54", "F61"}
ONE = {"links": "F73", "contacts": "F74"}

# By fields.json, rows.competence, read by a person for the full case: entity n belongs to entity n,
# the second stands in France, the third in the United States; INH and FLE are French here. For EUR the
# third event is French, so that its account has a link to two states.
ALL = {f"{c}{n}" for c in ("item", "loc", "person", "event", "victim", "contact", "link") for n in (1, 2, 3)}
ROWS: Mapping[str, set[str]] = {
    "BEP": ALL,
    "BEM": ALL,
    "FLE": {"item2", "loc2", "person2", "event2", "victim2", "link2", "contact2"},
    "INH": {"item2", "loc2", "victim2"},
    "EUR": {"person3", "event3", "item3", "link3"},
    "INT": {"item2", "victim2"},
    "NCM": {"item3", "loc3", "person3", "event3", "link3"},
    "HSP": {"item2", "loc2"},
}
OWN_REFS = {"INH": {"/case/related_refs/0/ref"}}  # ICCAM is the hotlines' own system (action G8)
ABOUT = {
    "/evidence/custody": "item",
    "/evidence/preservation": "person",
    "/actions/removal": "loc",
    "/assessment/confirmations": "item",
}


@cache
def table() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(
        (resource_files("broker") / "packs" / "be" / "fields.json").read_text()
    )
    return found


@cache
def columns() -> Mapping[str, Mapping[str, str]]:
    return {row["id"]: row["actions"] for row in table()["fields"]}


def purposes_of(recipient_class: str) -> tuple[str, ...]:
    return tuple(p for c, p in table()["pairs"]["list"] if c == recipient_class)


def field_of(pointer: str) -> str:
    _, group, *rest = pointer.split("/")
    if group in ONE:
        return ONE[group]
    names = SECTIONS.get(group) or COLLECTIONS[group]
    return names[rest[0] if group in SECTIONS else rest[1]]


def expected(pointer: str, recipient_class: str, purposes: tuple[str, ...], *, grounded: bool) -> str:
    """`given`, `absent`, `apart`, or `either` for human text that goes out masked."""
    field, rows = field_of(pointer), ROWS[recipient_class]
    wanted = set(table()["core"]["fields"]).union(*(table()["purposes"][p]["fields"] for p in purposes))
    action = columns()[field][recipient_class]
    if field not in wanted or not _row_kept(pointer, rows):
        return "absent"
    if action == "C":
        if grounded:
            return "apart" if field in APART else "given"
        return "either" if field == "F14" else "absent"
    if pointer.endswith("/analyst"):
        return "absent"  # F60: under a pseudonym of the partner, for everybody
    if action == "G8":
        return "given" if pointer in OWN_REFS.get(recipient_class, ()) else "absent"
    return {"F": "given", "M": "either"}.get(action, "absent")


def _row_kept(pointer: str, rows: set[str]) -> bool:
    _, group, name, *rest = pointer.split("/")
    if group in COLLECTIONS:
        return name in rows
    about = ABOUT.get(f"/{group}/{name}")
    if about is not None:
        return f"{about}{int(rest[0]) + 1}" in rows
    return not pointer.startswith("/actions/hold") or "loc1" in rows


def case_for(recipient_class: str) -> Document:
    document = full_case()
    document["reporter"]["consent_to_contact"] = True
    if recipient_class == "EUR":
        document["events"]["event3"]["country"] = "FR"
    return document


def squeezed(text: str) -> str:
    """Without white space and with addresses made whole again: how a leak would be read."""
    return re.sub(r"\s+", "", text).replace("[.]", ".").replace("hxxp", "http").casefold()


PLAIN = [(c, (p,), False) for c, p in table()["pairs"]["list"] if c in ROWS]
GROUNDED = [(c, purposes_of(c), True) for c in sorted(ROWS)]


@pytest.mark.parametrize(
    ("recipient_class", "purposes", "grounded"),
    [*PLAIN, *GROUNDED],
    ids=[f"{c}-{'-'.join(p)}-{'every-ground' if g else 'plain'}" for c, p, g in [*PLAIN, *GROUNDED]],
)
def test_a_canary_shows_exactly_where_rows_and_matrix_let_it(
    recipient_class: str, purposes: tuple[str, ...], grounded: bool
) -> None:
    document = case_for(recipient_class)
    made = cleared(confirmed(document), recipient_class, *purposes, grounded=grounded)
    plain = {n: squeezed(t) for n, t in parts_of(made.record.payload, made.record.documents).items()}
    apart = squeezed(json.dumps([unit.value for unit in made.record.apart]))
    counts = dict.fromkeys(("given", "absent", "apart", "either"), 0)
    for pointer, canary in canaries(document).items():
        verdict, token = expected(pointer, recipient_class, purposes, grounded=grounded), squeezed(canary)
        counts[verdict] += 1
        where = [name for name, text in plain.items() if token in text]
        if verdict == "given":
            assert "referral.json" in where, (recipient_class, pointer)
        elif verdict in ("absent", "apart"):
            assert where == [], (recipient_class, pointer)
        assert (token in apart) is (verdict == "apart"), (recipient_class, pointer)
    assert counts["given"] > 0
    assert counts["absent"] > 10
    kept = {local_id for local_id, row in made.minimised.rows.items() if row.kept}
    assert kept == ROWS[recipient_class] & set(made.minimised.rows)
    if recipient_class in ("BEP", "BEM"):
        assert (counts["apart"] > 0) is grounded


def test_the_pages_of_the_pdf_are_really_read() -> None:
    """The net would be hollow if a canary in page text were not found there."""
    document = case_for("BEP")
    made = cleared(confirmed(document), "BEP", *purposes_of("BEP"))
    pages = squeezed("".join(t for n, t in parts_of(b"", made.record.documents).items() if "#page" in n))
    for pointer, canary in canaries(document).items():
        if pointer.rsplit("/", 1)[-1] in ("handle", "account_id", "url") and "victim" not in pointer:
            assert squeezed(canary) in pages, pointer


@pytest.fixture
def log_file(tmp_path: Path) -> Iterator[Path]:
    """Everything the program says, in a file: its own log and the standard library's."""
    path = tmp_path / "broker.log"
    handler = logging.FileHandler(path)
    root, level, before = logging.getLogger(), logging.getLogger().level, structlog.get_config()
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    with path.open("a", buffering=1) as file:
        structlog.configure(logger_factory=structlog.PrintLoggerFactory(file))
        try:
            yield path
        finally:
            structlog.configure(**before)
            root.removeHandler(handler)
            root.setLevel(level)
            handler.close()


def broken(document: Document) -> Iterator[bytes]:
    """The case with each a fault: what is refused must not be repeated."""
    for change in (
        lambda d: d["items"]["item1"].update({f"x_{d['persons']['person1']['handle'][-12:]}": 1}),
        lambda d: d["case"].update({"kind": d["persons"]["person1"]["handle"]}),
        lambda d: d["case"]["dates"].update({"opened_at": d["reporter"]["statement"]}),
        lambda d: d["items"]["item1"].update({"filename": "data:image/png;base64," + "QUJD" * 200}),
        lambda d: d["persons"].update({d["persons"]["person2"]["handle"]: {}}),
        lambda d: d["links"]["link1"].update({"subject": d["persons"]["person1"]["handle"]}),
    ):
        wrong = copy.deepcopy(document)
        change(wrong)
        yield json.dumps(wrong).encode()
    yield json.dumps(document).encode()[:-7]


def tokens(document: Document) -> list[str]:
    """The telling part of each canary; what is given or withheld makes no difference here."""
    found = set()
    for value in canaries(document).values():
        runs = re.findall(r"[a-z]{12}|[0-9a-f]{32,64}|\+?[0-9.]{9,}", value)
        found.update(runs or [value])
    return sorted(found)


def hits(text: bytes, wanted: list[str]) -> list[str]:
    return [token for token in wanted if token.encode() in text]


def table_dump(house: House, cluster: Cluster) -> bytes:
    """Every table as COPY writes it: finds also what a compressed row would hide from a search."""
    out = io.BytesIO()
    name = str(house.desk.db.urls["app"].database)
    with cluster.server.superuser(name) as admin, admin.cursor() as cursor:
        names = cursor.execute("select tablename from pg_tables where schemaname = 'public'").fetchall()
        for (table_name,) in names:
            out.write(table_name.encode() + b"\n")
            with cursor.copy(f"copy {table_name} to stdout") as copied:
                for chunk in copied:
                    # bytea comes as hexadecimal digits
                    out.write(re.sub(rb"\\\\x([0-9a-f]+)", lambda m: bytes.fromhex(m[1].decode()), chunk))
    return out.getvalue()


def cluster_files(house: House, cluster: Cluster) -> dict[str, bytes]:
    name = str(house.desk.db.urls["app"].database)
    with cluster.server.superuser() as admin:
        admin.autocommit = True
        admin.execute("checkpoint")
        (oid,) = admin.execute("select oid from pg_database where datname = %s", [name]).fetchone()
    data = cluster.server.data
    places = [
        data / "base" / str(oid),
        data / "global",
        data / "pg_wal",
        data / "pg_stat",
        data / "server.log",
    ]
    found = {}
    for place in places:
        for path in [place, *place.rglob("*")]:
            if path.is_file():
                found[str(path.relative_to(data))] = path.read_bytes()
    return found


def test_no_canary_rests_or_travels_in_clear(
    house: House,
    cluster: Cluster,
    tmp_path: Path,
    log_file: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    document = full_case("person_lead")
    wanted = tokens(document)
    assert len(wanted) > 100
    urls: list[str] = []
    answers: list[bytes] = []
    real = httpx.Client.send

    def send(self: httpx.Client, request: httpx.Request, **kwargs: Any) -> httpx.Response:
        urls.append(str(request.url))
        return real(self, request, **kwargs)

    monkeypatch.setattr(httpx.Client, "send", send)
    case_id = build.confirmed(house, document)
    grounds = {"F54": "identify-victim", "F39": "identify-person"}
    police = build.drafted(house, case_id, "police", grounds=grounds)
    europol = build.drafted(house, case_id, "ncmec")
    build.approve(house, police, europol)
    settle(house.desk)
    trust = build.trust(house, tmp_path / "trust")
    pulled = tmp_path / "pulled"
    with build.serving(house) as (url, served):
        for name in ("police", "ncmec"):
            report = build.pull(served, url, name, pulled / name, trust)
            assert report.ok, report.lines()
        with build.partner_api(served, url, "police") as api:
            api.read(police.release, "own_case")
        for raw in broken(document):
            with pytest.raises(BrokerError) as refused, unit_of_work(house.desk.db) as session:
                intake.take_in(house.desk, session, house.people["analyst-1"], raw)
            issues = getattr(refused.value, "issues", ())
            answers.append(" ".join([str(refused.value), refused.value.hint, *map(str, issues)]).encode())
        with httpx.Client() as http:
            auth = BrokerAuth(
                url, house.partners["police"], served.partner_keys("police").get("auth"),
                served.partner_keys("police").get("dpop"),
            )  # fmt: skip
            for method, path, body in (
                ("POST", f"/v1/referrals/{police.release}/reads", {"ground": wanted[0], wanted[1]: 1}),
                ("PUT", f"/v1/referrals/{police.release}/receipt", {"x": wanted[2]}),
                ("POST", "/v1/cases", {"case": wanted[3]}),
            ):
                answer = http.request(method, url + path, json=body, auth=auth)
                assert answer.status_code >= 400
                answers.append(answer.content + str(answer.headers).encode())
    settle(house.desk)

    assert hits("\n".join(urls).encode(), wanted) == []
    assert hits(b"\n".join(answers), wanted) == []
    with unit_of_work(house.desk.db) as session:
        rows = "".join(register.to_csv(session))
    assert len(list(csv.DictReader(io.StringIO(rows)))) == 2
    assert hits(rows.encode(), wanted) == []
    said = capfd.readouterr()
    assert hits((said.out + said.err).encode(), wanted) == []
    assert hits(log_file.read_bytes(), wanted) == []
    dumped = table_dump(house, cluster)
    for table_name in (b"event\n", b"ledger_leaf\n", b"release\n", b"event_record\n", b"feed\n"):
        assert table_name in dumped
    assert hits(dumped, wanted) == []
    for path, content in cluster_files(house, cluster).items():
        assert hits(content, wanted) == [], path
    for path in house.desk.settings.state.rglob("*"):
        if path.is_file() and pulled not in path.parents and path.parent.name != "broker-demo":
            assert hits(path.read_bytes(), wanted) == [], path
    _check_partner(document, pulled / "police", grounds)

    # Not hollow: the same search finds what somebody did write down.
    with house.desk.db.connect("app") as conn:
        conn.execute(
            "insert into recognition (id, instrument, valid_from) values ('rec_x', %s, now())", [wanted[0]]
        )
    assert hits(table_dump(house, cluster), wanted) == [wanted[0]]
    assert any(hits(content, wanted) for content in cluster_files(house, cluster).values())


def _check_partner(document: Document, folder: Path, grounds: Mapping[str, str]) -> None:
    """What the partner's own software stored: nothing that was not disclosed, by the same table."""
    stored: dict[str, str] = {}
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix != ".jwe":
            pdf = path.suffix == ".pdf"
            kind = "application/pdf" if pdf else "text/plain"
            found = reading(path.name, kind, path.read_bytes())
            stored |= {f"{path.name}|{part}": squeezed(text) for part, text in found.items()}
    seen = 0
    for pointer, canary in canaries(document).items():
        field = field_of(pointer)
        action = columns()[field]["BEP"]
        needed = set(table()["core"]["fields"]) | set(table()["purposes"]["P2"]["fields"])
        where = {name for name, text in stored.items() if squeezed(canary) in text}
        closed = action in "-APHT" or field not in needed or (action == "C" and field not in grounds)
        if pointer.endswith("/analyst") or (closed and field != "F14"):
            assert where == set(), pointer
        elif action == "F" and "confirmations" not in pointer:  # a claim about all items quotes no match
            assert where, pointer
            seen += 1
    assert seen > 50
