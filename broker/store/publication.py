"""What a partner's proof of publication is made of, read as `feed` reads."""

from __future__ import annotations

from dataclasses import dataclass

from broker.errors import Conflict, NotFound
from broker.store import tree
from broker.store.feed import Pool, as_partner, scoped
from broker.store.ledger_tiles import LATEST, gather, query


@dataclass(frozen=True, slots=True)
class Publication:
    """What a proof of publication is made of (docs/spec/proof.md)."""

    position: int
    body: bytes
    nonce: bytes
    record: bytes
    path: list[bytes]
    size: int
    checkpoint: str


_PUBLICATION = """
select f.position, l.body, er.nonce, er.record
from feed f
join ledger_leaf l on l.position = f.position
left join event_record er on er.event_id = l.event_id and {er.partner_id}
where {f.partner_id} and f.release_id = %(release)s and f.event = 'published'
"""


async def publication(pool: Pool, partner: str, release: str, *, predicate: bool = True) -> Publication:
    """The leaf `published` of a release with its path to the current checkpoint."""
    values = {"partner": partner, "release": release}
    async with as_partner(pool, partner) as conn:
        leaves = await conn.execute(scoped(_PUBLICATION, predicate=predicate), values, binary=True)
        heads = await conn.execute(LATEST, binary=True)
        leaf, head = await leaves.fetchone(), await heads.fetchone()
        if leaf is None or head is None:
            raise NotFound("referral")
        position, body, nonce, record = leaf
        if nonce is None:
            raise Conflict("record-expired", "what this leaf commits to is past its retention")
        size, _, note = head
        spans = tree.inclusion_spans(position, size)
        text, wanted = query(tree.tiles_for(spans), size)
        cursor = await conn.execute(text, wanted, binary=True)
    path = tree.path(gather(await cursor.fetchall(), size), spans)
    return Publication(position, body, nonce, record, path, size, note)
