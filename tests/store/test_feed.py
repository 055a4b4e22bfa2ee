"""The partner's hot path: pages, collecting, proofs, and the second lock behind them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, TypeVar

import orjson
import psycopg
import pytest

from broker.errors import Conflict, NotFound
from broker.store import feed, ledger, publication, tables
from broker.store.engine import Database, unit_of_work
from tests.store import rfc6962
from tests.store.world import ANN, NOW, PARTNERS, entry, integrate, populate, publish, release_id

ONE, TWO = PARTNERS
T = TypeVar("T")


def run(db: Database, work: Callable[[feed.Pool], Awaitable[T]], *, size: int = 2) -> T:
    async def main() -> T:
        pool = await db.feed_pool(max_size=size)
        try:
            return await work(pool)
        finally:
            await pool.close()

    return asyncio.run(main())


def collected(partner: str) -> Callable[[feed.Sealed], ledger.Entry]:
    return lambda found: entry(
        "collected",
        release_id=found.release_id,
        partner_id=partner,
        record={"sha256": found.sha256, "generation": found.generation},
    )


@pytest.fixture
def published(database: Database) -> Database:
    populate(database)
    with unit_of_work(database) as session:
        for version in range(1, 6):
            for partner in PARTNERS:
                urgency = "U1" if version % 2 else "U2"
                body = f"jwe {partner} {version}".encode()
                publish(session, partner, version, body=body, urgency=urgency)
    integrate(database)
    return database


def releases(page: feed.Page) -> list[str]:
    return [orjson.loads(row)["release"] for row in page.items]


def test_pages_follow_each_other_without_overlap(published: Database) -> None:
    async def walk(pool: feed.Pool) -> list[feed.Page]:
        pages, after = [], -1
        while not pages or pages[-1].more:
            pages.append(await feed.page(pool, ONE, after=after, limit=2))
            after = pages[-1].last
        pages.append(await feed.page(pool, ONE, after=after, limit=2))
        return pages

    pages = run(published, walk)
    assert [len(page.items) for page in pages] == [2, 2, 1, 0]
    assert [row for page in pages for row in releases(page)] == [
        release_id(ONE, version) for version in range(1, 6)
    ]
    assert pages[-1].last == pages[-2].last
    assert orjson.loads(pages[0].joined()) == [orjson.loads(row) for row in pages[0].items]


def test_a_filter_keeps_to_its_urgency(published: Database) -> None:
    page = run(published, lambda pool: feed.page(pool, ONE, urgency="U2"))
    assert releases(page) == [release_id(ONE, 2), release_id(ONE, 4)]
    assert not page.more


def test_a_page_is_an_index_scan_of_its_own_rows(published: Database) -> None:
    """Counts, not clocks: no sort, no sequential scan, no count, no offset."""
    with published.connect("feed") as conn:
        conn.execute("select set_config('broker.partner', %s, true)", [ONE])
        conn.execute("set local enable_seqscan = off")
        plan = conn.execute(
            b"explain (format json) " + feed.scoped(feed._PAGE),
            {"partner": ONE, "after": 1, "limit": 3},
        ).fetchone()
    text = str(plan)
    assert "pk_feed" in text
    assert "'Sort'" not in text
    assert "Seq Scan" not in text


def test_collecting_is_recorded_in_the_same_transaction(published: Database) -> None:
    release = release_id(ONE, 1)
    found = run(
        published,
        lambda pool: feed.collect(pool, ONE, release, "referral", at=NOW, entry_of=collected(ONE)),
    )
    assert found.body == b"jwe pt_one 1"
    assert found.first_collected_at is None
    with published.connect("app") as conn:
        row = conn.execute("select release_id, partner_id, sha256 from collection").fetchone()
    assert row == (release, ONE, found.sha256)
    assert integrate(published) == 1
    again = run(published, lambda pool: feed.sealed(pool, ONE, release, "referral"))
    assert again.first_collected_at == NOW


def test_nothing_is_handed_over_when_recording_fails(published: Database) -> None:
    def foreign(found: feed.Sealed) -> ledger.Entry:
        return entry("collected", release_id=found.release_id, partner_id=TWO)

    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        run(
            published,
            lambda pool: feed.collect(pool, ONE, release_id(ONE, 1), "referral", at=NOW, entry_of=foreign),
        )
    with published.connect("app") as conn:
        assert conn.execute("select count(*) from collection").fetchone() == (0,)


def test_the_newest_generation_is_served(published: Database) -> None:
    release, body = release_id(ONE, 1), b"resealed"
    with unit_of_work(published) as session:
        session.connection().exec_driver_sql(
            "insert into sealed_object select release_id, part, 2, partner_id, media_type, %(b)s,"
            " encode(sha256(%(b)s), 'hex'), octet_length(%(b)s) from sealed_object"
            " where release_id = %(r)s",
            {"b": body, "r": release},
        )
    found = run(published, lambda pool: feed.sealed(pool, ONE, release, "referral"))
    assert (found.body, found.generation) == (body, 2)


@pytest.mark.parametrize(
    ("partner", "release", "part"),
    [
        (TWO, release_id(ONE, 1), "referral"),
        (ONE, release_id(ONE, 99), "referral"),
        (ONE, release_id(ONE, 1), "apart"),
        ("", release_id(ONE, 1), "referral"),
    ],
    ids=["foreign", "absent", "no such part", "nobody"],
)
def test_foreign_and_absent_look_the_same(published: Database, partner: str, release: str, part: str) -> None:
    with pytest.raises(NotFound) as error:
        run(
            published,
            lambda pool: feed.collect(pool, partner, release, part, at=NOW, entry_of=collected(partner)),
        )
    assert error.value.message == NotFound("referral").message


def test_what_is_not_published_yet_is_not_there(published: Database) -> None:
    with unit_of_work(published) as session:
        release = publish(session, ONE, 6, due_at=NOW + timedelta(minutes=3))
    integrate(published)
    with pytest.raises(NotFound):
        run(published, lambda pool: feed.sealed(pool, ONE, release, "referral"))
    with pytest.raises(NotFound):
        run(published, lambda pool: publication.publication(pool, ONE, release))


def test_what_is_withdrawn_is_gone_at_once(published: Database) -> None:
    release = release_id(ONE, 1)
    with unit_of_work(published) as session:
        session.add(
            tables.Withdrawal(release_id=release, partner_id=ONE, reason_code="recall", by=ANN, at=NOW)
        )
    with pytest.raises(Conflict, match="withdrawn"):
        run(published, lambda pool: feed.sealed(pool, ONE, release, "referral"))
    with pytest.raises(NotFound):
        run(published, lambda pool: feed.sealed(pool, TWO, release, "referral"))


def test_the_window_runs_from_the_first_collection(published: Database) -> None:
    release = release_id(ONE, 1)
    found = run(
        published,
        lambda pool: feed.collect(pool, ONE, release, "referral", at=NOW, entry_of=collected(ONE)),
    )
    windowed = feed.Sealed(release, "referral", found.body, found.sha256, "x/y", 1, NOW, 30)
    assert not windowed.closed(NOW + timedelta(days=30))
    assert windowed.closed(NOW + timedelta(days=30, seconds=1))
    assert not found.closed(NOW + timedelta(days=9999))


def test_a_proof_leads_to_the_checkpoint(published: Database) -> None:
    with unit_of_work(published) as session:
        for _ in range(300):
            ledger.append(session, entry("key"))
    integrate(published)
    made = run(published, lambda pool: publication.publication(pool, ONE, release_id(ONE, 3)))
    commit = ledger.commitment(made.nonce, made.record)
    assert made.body == ledger.leaf_body("published", commit)
    assert orjson.loads(made.record) == {"carrier": ONE, "release": release_id(ONE, 3)}
    root = rfc6962.root_from_path(rfc6962.leaf(made.body), made.position, made.size, made.path)
    with published.connect("app") as conn:
        head = ledger.latest(conn)
    assert head is not None
    assert (head.size, head.root, head.note) == (320, root, made.checkpoint)


def test_a_proof_says_when_its_record_is_gone(published: Database) -> None:
    with published.connect("retention") as conn:
        conn.execute("delete from event_record")
    with pytest.raises(Conflict, match="record-expired"):
        run(published, lambda pool: publication.publication(pool, ONE, release_id(ONE, 3)))


async def peek(pool: feed.Pool, caller: str) -> list[str]:
    """Everything the hot path reads, with the application's own predicate taken away."""
    seen = releases(await feed.page(pool, caller, predicate=False))
    for partner in PARTNERS:
        release = release_id(partner, 1)
        calls = (
            lambda r=release: feed.sealed(pool, caller, r, "referral", predicate=False),
            lambda r=release: publication.publication(pool, caller, r, predicate=False),
        )
        for call in calls:
            try:
                await call()
            except NotFound:
                continue
            seen.append(release)
    return seen


def own(partner: str) -> list[str]:
    return [release_id(partner, v) for v in range(1, 6)] + [release_id(partner, 1)] * 2


@pytest.mark.parametrize("partner", PARTNERS)
def test_row_level_security_alone_says_no(published: Database, partner: str) -> None:
    assert run(published, lambda pool: peek(pool, partner)) == own(partner)


def test_that_test_is_not_hollow(published: Database) -> None:
    """Open the policies, and the same calls do show the other partner's rows."""
    with published.connect("owner") as owner:
        for table in ("feed", "sealed_object", "event_record", "withdrawal", "collection"):
            owner.execute(f"drop policy partner_reads on {table}")
            owner.execute(f"create policy partner_reads on {table} for select to broker_feed using (true)")
    seen = run(published, lambda pool: peek(pool, ONE))
    assert {release for release in seen if release in own(TWO)}
    assert seen.count(release_id(TWO, 1)) == 3
    # and the application's own predicate is the first lock, which holds without the second
    page = run(published, lambda pool: feed.page(pool, ONE))
    assert set(releases(page)) == set(own(ONE))


TABLES = (
    "feed",
    "sealed_object",
    "collection",
    "receipt",
    "read_act",
    "answer",
    "withdrawal",
    "event_record",
)


def test_a_session_that_names_nobody_sees_nothing(published: Database) -> None:
    with published.connect("feed") as conn:
        for table in TABLES:
            assert conn.execute(f"select count(*) from {table}").fetchone() == (0,)
        assert conn.execute("select count(release_id) from release").fetchone() == (0,)
        for table in ("partner", "staff", "case_version", "pending", "event", "draft"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), conn.transaction():
                conn.execute(f"select 1 from {table}")


def test_a_pooled_connection_forgets_the_partner(published: Database) -> None:
    """One connection, two borrowers: the second must not inherit the first one's scope."""

    async def leak(pool: feed.Pool) -> tuple[Any, int]:
        await feed.page(pool, ONE)
        async with pool.connection() as conn:
            cursor = await conn.execute("select current_setting('broker.partner', true), count(*) from feed")
            return await cursor.fetchone() or (None, -1)

    setting, count = run(published, leak, size=1)
    assert setting in (None, "")
    assert count == 0


def test_what_reads_cannot_write(published: Database) -> None:
    """It has no `commit` that an exception would leave out."""

    async def write(pool: feed.Pool) -> None:
        async with feed.as_partner(pool, ONE) as conn:
            await conn.execute("insert into jti (space, hash, expires_at) values ('x', '', now())")

    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
        run(published, write)


def test_an_aborted_call_does_not_leave_its_scope(published: Database) -> None:
    async def leak(pool: feed.Pool) -> int:
        with pytest.raises(NotFound):
            await feed.sealed(pool, ONE, "absent", "referral")
        async with pool.connection() as conn:
            cursor = await conn.execute("select count(*) from feed")
            return (await cursor.fetchone() or (-1,))[0]

    assert run(published, leak, size=1) == 0


@pytest.mark.parametrize(
    "statement",
    [
        (
            "insert into pending (leaf_type, commit, event_id, partner_id, due_at)"
            " values ('published', sha256(''), gen_random_uuid(), 'pt_one', now())"
        ),
        (
            "insert into pending (leaf_type, commit, event_id, partner_id, due_at, feed)"
            " values ('collected', sha256(''), gen_random_uuid(), 'pt_one', now(), '{}')"
        ),
        (
            "insert into pending (leaf_type, commit, event_id, partner_id, due_at)"
            " values ('collected', sha256(''), gen_random_uuid(), 'pt_two', now())"
        ),
        (
            "insert into event (id, leaf_type, action, at, actor, partner_id)"
            " values (gen_random_uuid(), 'approved', 'x', now(), 'x', 'pt_one')"
        ),
        (
            "insert into event_record (event_id, partner_id, nonce, record, keep_until)"
            " values (gen_random_uuid(), 'pt_one', '', '', now())"
        ),
        (
            "insert into collection (id, release_id, partner_id, part, at, generation, sha256)"
            " values (gen_random_uuid(), 'R', 'pt_two', 'referral', now(), 1, '')"
        ),
        (
            "insert into feed (partner_id, position, seq, event, release_id, row, urgency, at)"
            " values ('pt_one', 0, 9, 'published', 'R', '', 'U1', now())"
        ),
        "delete from sealed_object",
    ],
)
def test_the_hot_path_cannot_publish_forge_or_act_for_others(published: Database, statement: str) -> None:
    with published.connect("feed") as conn:
        conn.execute("select set_config('broker.partner', %s, true)", [ONE])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute(statement)
