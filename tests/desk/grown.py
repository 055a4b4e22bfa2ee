"""A hundred thousand synthetic cases by SQL: what is done, and what still waits, as in a house that is years old."""

from __future__ import annotations

from broker.demo.house import House
from tests.dbfixtures import Cluster

# ruff: noqa: E501 - rows are read better whole

CASES = 100_000

# Of a hundred cases two are still to confirm and one to draft; of the rest each went to the police,
# every tenth to the hotline too. One in two hundred waits to be collected; most were answered.
_FILL = """
set session_replication_role = replica;
create temp table n as select g, md5(g::text) h, (g * 37) %% 100 m,
  md5('case' || g)::uuid case_id, md5('referral' || g)::uuid referral_id, substr(md5('rel' || g), 1, 26) rid,
  (array['content_report', 'person_lead', 'grooming_or_extortion', 'danger'])[1 + g %% 4] kind,
  (array['U3', 'U3', 'U3', 'U4', 'U2', 'U3', 'U4', ''])[1 + g %% 8] u0,
  timestamptz '2023-01-01' + g * (interval '3 years' / %(cases)s) as at
  from generate_series(1, %(cases)s) g;
alter table n add urgency text;
update n set urgency = case when g %% 97 = 0 then 'U1' else u0 end;
insert into case_file (id, kind, state, urgency, current_version, created_by, created_at, synthetic, drafted_version)
  select case_id, kind, case when m < 2 then 'draft' when m = 2 or g %% 3 > 0 then 'confirmed' else 'closed' end,
    urgency, 1, %(one)s, at, true, case when m < 3 then null else 1 end from n;
insert into claim select md5('claim' || g)::uuid, case_id, 1, 'content_illegal', '{i1}', %(one)s, at from n where m <> 1;
insert into verdict select md5('v1' || g)::uuid, md5('claim' || g)::uuid, %(one)s, null, 'human', true, at
  from n where m <> 1;
insert into verdict select md5('v2' || g)::uuid, md5('claim' || g)::uuid, %(two)s, null, 'human', true, at
  from n where m > 1;
insert into referral (id, case_id, addressee, carrier, reference, case_alias, created_at)
  select referral_id, case_id, p, p, 'CF-' || g, 'alias', at from n,
    lateral (select case when g %% 10 = 0 then %(hotline)s else %(police)s end p) q where m > 2;
insert into draft select rid, referral_id, 1, 'new', null, false, %(one)s, at, at + interval '1 day', 1, 1, '{P1}',
  md5(rid) || md5(rid), md5(rid) || md5(rid) from n where m > 2;
insert into approval select rid, 'release', %(three)s, %(one)s, false, md5(rid) || md5(rid), at + interval '1 hour', null
  from n where m > 2;
insert into release (release_id, referral_id, version, kind, supersedes, addressee, addressee_class, carrier,
  agreement_version, case_id, case_version, matrix_digest, payload_sha256, seal_sha256, root, depth,
  approval_digest, approval_kind, drafted_by, approved_by, urgent, urgency, case_kind, purposes, fields,
  conditions, gaps, score, documents, sizes, key_ids, released_at, due_at, deadline, window_from_first_collection)
  select rid, referral_id, 1, 'new', null, p, c, p, 1, case_id, 1, md5(rid) || md5(rid), md5(rid) || md5(rid),
    md5(rid) || md5(rid), md5(rid) || md5(rid), 8, md5(rid) || md5(rid), 'release', %(one)s, %(three)s, false,
    urgency, kind, '{P1}', jsonb_build_object('F03', 'V', 'F29', 'V', 'F33', 'V')
      || case when g %% 1000 = 7 then '{"F12": "V"}'::jsonb else '{}' end,
    '{}', '{no-hash}', 80, '[]', '{"referral": 3}', '{k}', at + interval '1 hour', at + interval '1 hour',
    at + interval '2 days', 30
  from n, lateral (select case when g %% 10 = 0 then %(hotline)s else %(police)s end p,
    case when g %% 10 = 0 then 'INH' else 'BEP' end c) q where m > 2;
insert into event (id, leaf_type, action, at, actor, case_id, release_id, partner_id)
  select md5('e' || g)::uuid, 'published', 'referral:published', at + interval '1 hour', 'broker', case_id, rid,
    %(police)s from n where m > 2;
insert into event (id, action, at, actor, case_id)
  select md5('t' || g)::uuid, 'case:taken-in', at, %(one)s, case_id from n;
insert into ledger_leaf (position, body, leaf_hash, event_id, release_id)
  select g, '\\x78', sha256('\\x0078'), md5('e' || g)::uuid, rid from n where m > 2;
insert into feed (partner_id, position, seq, event, release_id, row, urgency, at)
  select %(police)s, g, g, 'published', rid, 'x', urgency, at from n where m > 2;
insert into collection select md5('c' || g)::uuid, rid, %(police)s, 'referral', at + interval '3 hours', 1, 'x'
  from n where m > 2 and g %% 200 <> 0;
insert into receipt select rid, %(police)s, 'x', 'x', true, at + interval '3 hours' from n
  where m > 2 and g %% 200 <> 0;
insert into read_act select md5('r' || g)::uuid, rid, %(police)s, 'triage', null, null, at + interval '5 hours'
  from n where m > 2 and g %% 200 <> 0;
insert into answer select md5('a' || g)::uuid, %(police)s, rid,
  (array['O10', 'O11', 'O71', 'O74'])[1 + g %% 4], '{}', at + interval '3 days' from n where m > 2 and g %% 5 <> 0;
insert into open_release select release_id, urgency, released_at, deadline from release r
  where not exists (select 1 from collection c where c.release_id = r.release_id);
insert into withdrawal select rid, %(police)s, 'incorrect', null, at + interval '4 days' from n
  where m > 2 and g %% 500 = 1;
"""


def grow(cluster: Cluster, name: str, house: House, cases: int = CASES) -> None:
    """Fill a founded house's database. Triggers and foreign keys sleep: the rows are of one piece."""
    values = {
        "cases": cases,
        "one": house.people["analyst-1"].id,
        "two": house.people["analyst-2"].id,
        "three": house.people["releaser"].id,
        "police": house.partners["police"],
        "hotline": house.partners["hotline"],
    }
    import psycopg

    with cluster.server.superuser(name) as loader:
        cursor = psycopg.ClientCursor(loader)
        cursor.execute(_FILL, values)
        loader.commit()
        loader.autocommit = True
        loader.execute("vacuum analyze")
