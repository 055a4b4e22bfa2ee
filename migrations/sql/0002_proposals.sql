-- Agreements wait for a second approval in a table of their own; the hot path may look up who calls.

create table agreement_proposal (
    partner_id text not null,
    digest text not null,
    body jsonb not null,
    proposed_by text not null,
    at timestamptz not null,
    constraint pk_agreement_proposal primary key (partner_id, digest),
    constraint fk_agreement_proposal_partner_id foreign key (partner_id) references partner (id),
    constraint fk_agreement_proposal_proposed_by foreign key (proposed_by) references staff (id)
);
create trigger insert_only before update or delete or truncate on agreement_proposal
    for each statement execute function refuse_change();
alter table agreement_proposal enable always trigger insert_only;
grant select, insert on agreement_proposal to broker_app;

-- Guards against bulk pulling: requests of a partner by minute. Unlogged: losing it loses nothing.
create unlogged table rate_window (
    partner_id text not null,
    minute timestamptz not null,
    n integer not null,
    constraint pk_rate_window primary key (partner_id, minute)
);
grant select, insert, update on rate_window to broker_app;
grant select, delete on rate_window to broker_sweeper;

create index ix_collection_partner_id_at on collection (partner_id, at);

-- A receipt is checked against the digest of the seal it names.
grant select (seal_sha256) on release to broker_feed;
