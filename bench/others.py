"""`freetext`, `bulk`, `register`, `pdf`: masking, many cases at once, the compliance officer, the dossier."""

from __future__ import annotations

import html
import itertools
import json
import multiprocessing
import os
import random
import re
import resource
import statistics
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

import psycopg
from cryptography.hazmat.primitives.asymmetric import ec

from bench import material
from bench.measure import Result, at_least, at_most, each, race
from bench.options import Options
from bench.sealing import SEED, _naive
from bench.server import Server, running
from broker.core.freetext import Known, compile_deny, mask
from broker.core.minimise import minimise
from broker.core.referral import build_payload, seal_tree
from broker.desk import register as desk_register
from broker.desk.register import RegisterFilter
from broker.sealing import pdf as sealing_pdf
from broker.sealing.certificates import DocumentKey, make_document, make_root
from broker.store.engine import Database, unit_of_work
from broker.store.ledger_append import APPEND, parameters
from tests.store import world

_SPAWN = multiprocessing.get_context("spawn")


def freetext(options: Options) -> Result:
    """Mask a text of 2 KB against sixty known values, beside patterns that know no values."""
    found = Result()
    text, known = _text()
    given = [f"given-{n}.example" for n in range(40)]
    deny = compile_deny(known, given)
    loop = [re.compile(rf"\b{re.escape(k.value)}\b", re.IGNORECASE) for k in known]
    candidates: dict[str, Callable[[], object]] = {
        "ours": lambda: mask(text, deny),
        "ours, compiling the values": lambda: mask(text, compile_deny(known, given)),
        "a loop of regular expressions": lambda: [list(pattern.finditer(text)) for pattern in loop],
    }
    try:
        candidates["Presidio patterns"] = _presidio(text)
    except ImportError:
        found.skipped.append("freetext: presidio-analyzer is not installed (extra `bench`)")
    times = race(candidates, seconds=options.seconds(4))
    found.record("freetext", times)
    if "Presidio patterns" in times:
        ratio = times["Presidio patterns"] / times["ours"]
        found.line("freetext", "Presidio's pattern recognisers / ours", ratio, at_least(5))
    ratio = times["a loop of regular expressions"] / times["ours"]
    found.line("freetext", "a loop of regular expressions (exact hits only) / ours", ratio)
    return found


def _text() -> tuple[str, list[Known]]:
    chance = random.Random(7)  # noqa: S311 - filler
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(chance.choices(letters, k=chance.randrange(3, 10))) for _ in range(400)]
    known = [Known("".join(chance.choices(letters, k=10)), "code") for _ in range(40)]
    known += [Known(f"Synthetic {''.join(chance.choices(letters, k=8))}", "name") for _ in range(20)]
    chosen = [chance.choice(words) for _ in range(300)]
    for place, value in zip(range(10, 300, 40), known, strict=False):
        chosen[place] = value.value
    chosen[5:5] = ["call", "+32", "000", "12", "34", "56", "or", "write", "someone@mail.example"]
    return " ".join(chosen)[:2048], known


def _presidio(text: str) -> Callable[[], object]:
    """Every recogniser that its registry loads for English and that works by patterns."""
    import tldextract
    from presidio_analyzer import PatternRecognizer, RecognizerRegistry

    offline = tldextract.TLDExtract(suffix_list_urls=())
    tldextract.extract = tldextract.tldextract.extract = offline
    registry = RecognizerRegistry(supported_languages=["en"])
    registry.load_predefined_recognizers(languages=["en"])
    recognisers = [r for r in registry.recognizers if isinstance(r, PatternRecognizer)]
    return lambda: [r.analyze(text, r.supported_entities, None) for r in recognisers]


def bulk(options: Options) -> Result:
    """Many cases for three partners in two processes: sealed, stored and appended, fifty to a transaction."""
    found = Result()
    cases = options.size(60, 400, 20_000)
    rates: dict[str, float] = {}
    with running() as server:
        rates["CPU only"], _ = _bulk(cases, None)
        with server.database() as (db, _name):
            world.populate(db)
            rates["ours"], memory = _bulk(cases, _url(db))
        with server.database() as (db, _name):
            world.populate(db)
            small = max(12, cases // 20)
            rates["naive"] = _naive_bulk(db, small)
    found.medians |= {f"bulk/{name}, referrals per second": rate for name, rate in rates.items()}
    found.medians["bulk/resident megabytes of a worker"] = memory
    found.line(
        "bulk", f"{cases:,} cases x 3: ours / naive per-case ORM", rates["ours"] / rates["naive"], at_least(8)
    )
    found.line("bulk", "ours / CPU only", rates["ours"] / rates["CPU only"], at_least(0.6))
    return found


def _url(db: Database) -> str:
    return db.urls["app"].render_as_string(hide_password=False)


def _bulk(cases: int, url: str | None) -> tuple[float, float]:
    """(referrals a second, MiB resident of a worker)."""
    workers = 2
    results, go = _SPAWN.Queue(), _SPAWN.Barrier(workers + 1)
    children = [
        _SPAWN.Process(target=_bulk_worker, args=(n, cases // workers, url, go, results))
        for n in range(workers)
    ]
    for child in children:
        child.start()
    go.wait(120)
    start = time.perf_counter()
    memory = [results.get(timeout=3600) for _ in children]
    spent = time.perf_counter() - start
    for child in children:
        child.join(30)
    return cases * 3 / spent, statistics.mean(memory)


def _bulk_worker(worker: int, cases: int, url: str | None, go: Any, results: Any) -> None:
    encoded, like = material.stored(material.middle_case())
    partners = material.partners()[:3]
    material.seal_one(like, partners[0], SEED)
    conn = None if url is None else psycopg.connect(Database.from_url(url).conninfo("app"))
    number = itertools.count(worker * 10_000_000 + 1)
    go.wait(120)
    for _ in range(0, cases, 17):  # about fifty referrals to a transaction
        rows = []
        for _ in range(min(17, cases)):
            case = material.opened(encoded, like)
            rows += [(next(number), material.seal_one(case, p, os.urandom(32)).token) for p in partners]
        if conn is not None:
            _store(conn, rows)
    results.put(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


_INSERTS = (
    "insert into draft (id, referral_id, version, kind, urgent, drafted_by, drafted_at, expires_at,"
    " case_version, purposes, approval_digest, payload_sha256) values (%(id)s, %(referral)s, %(n)s, 'new',"
    " false, 'st_ann', %(at)s, %(later)s, 1, '{p1}', %(digest)s, %(digest)s)",
    "insert into approval (release_id, kind, approved_by, drafted_by, urgent, digest, at) values"
    " (%(id)s, 'release', 'st_ben', 'st_ann', false, %(digest)s, %(at)s)",
    "insert into release (release_id, referral_id, version, kind, addressee, addressee_class, carrier,"
    " case_id, case_version, matrix_digest, payload_sha256, seal_sha256, root, depth, approval_digest,"
    " approval_kind, drafted_by, approved_by, urgent, urgency, case_kind, purposes, fields, conditions,"
    " gaps, score, documents, sizes, key_ids, released_at, due_at) values (%(id)s, %(referral)s, %(n)s,"
    " 'new', %(partner)s, 'BEP', %(partner)s, %(case)s, 1, %(digest)s, %(digest)s, %(digest)s, %(digest)s,"
    " 8, %(digest)s, 'release', 'st_ann', 'st_ben', false, 'U2', 'person_lead', '{p1}', '{}', '{}', '{}', 1,"
    " '[]', '{}', '{}', %(at)s, %(at)s)",
    "insert into sealed_object (release_id, part, generation, partner_id, media_type, body, sha256, size)"
    " values (%(id)s, 'referral', 1, %(partner)s, 'application/jose', %(body)s, %(sha256)s, %(size)s)",
)


def _store(conn: psycopg.Connection, rows: list[tuple[int, str]]) -> None:
    values = [_row(n, token.encode()) for n, token in rows]
    with conn.transaction(), conn.pipeline():
        for statement in _INSERTS:
            conn.cursor().executemany(statement, values)
        entries = [
            parameters(
                world.entry(kind, release_id=v["id"], partner_id=v["partner"] if feed else None, feed=feed)
            )
            for v in values
            for kind, feed in (("approved", None), ("published", world.item(v["id"])))
        ]
        conn.cursor().executemany(APPEND, entries)


def _row(number: int, body: bytes) -> dict[str, Any]:
    partner = world.PARTNERS[0]
    return {
        "id": f"{number:026d}",
        "n": number,
        "referral": world.referral_id(partner),
        "partner": partner,
        "case": world.CASE,
        "at": world.NOW,
        "later": world.NOW + timedelta(hours=24),
        "digest": "a" * 64,
        "body": body,
        "sha256": sha256(body).hexdigest(),
        "size": len(body),
    }


def _naive_bulk(db: Database, cases: int) -> float:
    """The naive chain, and a session for each referral. Referrals a second, of two processes' worth."""
    document = material.middle_case()
    numbers = itertools.count(1)
    start = time.perf_counter()
    for _ in range(cases):
        _naive(document)
        for _ in range(3):
            with unit_of_work(db) as session:
                world.publish(session, world.PARTNERS[0], next(numbers), body=b"x" * 24_000)
    return 2 * cases * 3 / (time.perf_counter() - start)


def register(options: Options) -> Result:
    """Questions of a compliance officer, at ten thousand disclosures and at ten times as many."""
    found = Result()
    sizes = (2_000, 20_000) if options.quick else (10_000, 1_000_000 if options.full else 100_000)
    times: dict[int, dict[str, float]] = {}
    with running() as server:
        for rows in sizes:
            with server.database() as (db, name):
                _fill_register(server, db, name, rows)
                times[rows] = _ask(db, rows, 5 if options.quick else 20)
            found.record(f"register {rows:,}", times[rows])
    small, large = (times[rows] for rows in sizes)
    for question, seconds in large.items():
        ratio = seconds / small[question]
        found.line("register", f"{question}: {sizes[1]:,} / {sizes[0]:,}", ratio, at_most(2))
        found.line("register", f"{question} at {sizes[1]:,}", seconds * 1000, at_most(200), "ms")
    return found


def _fill_register(server: Server, db: Database, name: str, rows: int) -> None:
    """Disclosures of ten a case; each collected once, one in two answered."""
    world.populate(db)
    columns = _INSERTS[2]
    head = columns[: columns.index("values")]
    with server.loader(name) as loader:
        loader.execute(
            "insert into partner (id, name, recipient_class, country, language, client_id, environment,"
            " status, created_at) select 'pt_x' || n, 'Synthetic Police ' || n, 'BEP', 'BE', 'nl',"
            " 'client-x' || n, 'synthetic', 'active', now() from generate_series(0, 9) n"
        )
        loader.execute(
            "insert into case_file (id, kind, state, urgency, current_version, created_by, created_at,"
            " synthetic) select md5('c' || n)::uuid, 'person_lead', 'confirmed', 'U2', 1, 'st_ann', now(), true"
            " from generate_series(0, %s) n",
            [rows // 10],
        )
        loader.execute(
            "insert into referral (id, case_id, addressee, carrier, reference, case_alias, created_at)"
            " select md5('r' || n)::uuid, md5('c' || n / 10)::uuid, p, p, 'CF-' || n, 'alias', now() from"
            " (select n, case when n %% 100 = 0 then 'pt_two' else 'pt_x' || n %% 10 end p"
            " from generate_series(1, %s) n) x",
            [rows],
        )
        loader.execute(
            head + " select lpad(n::text, 26, '0'), md5('r' || n)::uuid, 1, 'new', p, 'BEP', p,"
            " md5('c' || n / 10)::uuid, 1, d, d, d, d, 8, d, 'release', 'st_ann', 'st_ben', false, 'U2',"
            " 'person_lead', '{p1}', '{\"F29\": \"F\"}', '{}', '{}', 1, '[]', '{}', '{}', moment, moment from"
            " (select n, repeat('a', 64) d, case when n %% 100 = 0 then 'pt_two' else 'pt_x' || n %% 10 end p,"
            " '2026-01-01'::timestamptz + n * interval '1 minute' as moment from generate_series(1, %s) n) x",
            [rows],
        )
        loader.execute(
            "insert into collection (id, release_id, partner_id, part, at, generation, sha256)"
            " select md5('k' || release_id)::uuid, release_id, carrier, 'referral', released_at, 1, root"
            " from release"
        )
        loader.execute("vacuum analyze")


def _ask(db: Database, rows: int, rounds: int) -> dict[str, float]:
    chance = random.Random(8)  # noqa: S311 - which case, not a secret
    questions: dict[str, Callable[[Any], object]] = {
        "who got this case": lambda s: list(
            desk_register.rows(s, RegisterFilter(case_id=_case(chance.randrange(1, rows // 10))))
        ),
        "a small partner's first page": lambda s: list(
            itertools.islice(desk_register.rows(s, RegisterFilter(partner="pt_two")), 50)
        ),
        "everything, first page": lambda s: list(itertools.islice(desk_register.rows(s), 50)),
    }
    found = {}
    for question, ask in questions.items():
        with unit_of_work(db) as session:
            ask(session)

            def once(ask: Callable[[Any], object] = ask, session: Any = session) -> None:
                ask(session)
                session.rollback()

            found[question] = statistics.median(each(once, rounds))
    return found


def _case(number: int) -> UUID:
    from hashlib import md5

    return UUID(md5(f"c{number}".encode(), usedforsecurity=False).hexdigest())


def pdf(options: Options) -> Result:
    """The police dossier, rendered and signed, beside WeasyPrint and the same signature."""
    found = Result()
    _, like = material.stored(material.middle_case())
    partner = material.partners()[0]
    minimised = minimise(like, material.pack(), partner.request)
    tree = seal_tree(minimised, SEED)
    payload, referral = build_payload(minimised, partner.header, tree.root, tree.depth)
    key = _document_key()
    from adapters.police_dossier import adapter

    def ours() -> bytes:
        documents = adapter.render(referral)
        (page,) = (d for d in documents if d.media_type == "application/pdf")
        return sealing_pdf.pades_sign(page.content, key, material.DRAFTED)

    candidates: dict[str, Callable[[], object]] = {
        "ours": ours,
        "ours, unsigned": lambda: adapter.render(referral),
    }
    try:
        from weasyprint import HTML

        page = _html(json.loads(payload)["doc"])
        candidates["WeasyPrint + pyHanko"] = lambda: sealing_pdf.pades_sign(
            HTML(string=page).write_pdf(), key, material.DRAFTED
        )
    except (ImportError, OSError):
        found.skipped.append("pdf: WeasyPrint or its libraries are not installed (extra `bench`)")
    times = race(candidates, seconds=options.seconds(10), rounds=9)
    found.record("pdf", times)
    if "WeasyPrint + pyHanko" in times:
        found.line(
            "pdf", "WeasyPrint + pyHanko / ours", times["WeasyPrint + pyHanko"] / times["ours"], at_least(5)
        )
    found.line("pdf", "ours, rendered and signed", times["ours"] * 1000, None, "ms")
    return found


def _document_key() -> DocumentKey:
    root_key, private = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = make_root(root_key, material.DRAFTED - timedelta(days=1))
    certificate = make_document(private.public_key(), root, root_key, material.DRAFTED - timedelta(days=1))
    return DocumentKey(private, certificate, root)


def _html(doc: Mapping[str, Any]) -> str:
    """The same values as plain tables: a page that WeasyPrint has less work with than with a dossier."""
    rows = []
    for group in (doc["facts"], *doc["entities"].values()):
        for name, value in group.items():
            for member, leaf in value.items() if isinstance(value, dict) else (("", value),):
                shown = leaf if isinstance(leaf, str) else json.dumps(leaf)
                rows.append(
                    f"<tr><td>{html.escape(f'{name} {member}')}</td><td>{html.escape(shown)}</td></tr>"
                )
    return f"<html><body><h1>Synthetic dossier</h1><table>{''.join(rows)}</table></body></html>"
