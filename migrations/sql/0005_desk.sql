-- What the pages of the desk read and keep: lists of open work, sampled review, forms not yet sent, views.

-- Exports of the register are leaves of the ledger.
alter table event drop constraint ck_event_leaf_type;
alter table event add constraint ck_event_leaf_type check (leaf_type in ('approved', 'published', 'cancelled', 'collected', 'read', 'receipt', 'outcome', 'correction', 'agreement', 'key', 'export'));
alter table pending drop constraint ck_pending_leaf_type;
alter table pending add constraint ck_pending_leaf_type check (leaf_type in ('approved', 'published', 'cancelled', 'collected', 'read', 'receipt', 'outcome', 'correction', 'agreement', 'key', 'export'));

-- The newest version of a case of which a draft is open or released. A trigger keeps it, no program:
-- otherwise the list of what is still to draft would be an anti-join over every case there ever was.
alter table case_file add column drafted_version integer;
update case_file c set drafted_version = (
    select max(d.case_version) from draft d join referral f on f.id = d.referral_id
    where f.case_id = c.id and not exists (select 1 from draft_refusal x where x.release_id = d.id));
create function case_drafted() returns trigger language plpgsql as $$
declare
    release text := case tg_table_name when 'draft' then to_jsonb(new) ->> 'id' else to_jsonb(new) ->> 'release_id' end;
begin
    update case_file c set drafted_version = (
        select max(d.case_version) from draft d join referral f on f.id = d.referral_id
        where f.case_id = c.id and not exists (select 1 from draft_refusal x where x.release_id = d.id))
    where c.id = (select f.case_id from draft d join referral f on f.id = d.referral_id where d.id = release);
    return null;
end
$$;
create trigger case_drafted after insert on draft for each row execute function case_drafted();
create trigger case_drafted after insert on draft_refusal for each row execute function case_drafted();

create index ix_case_file_to_confirm on case_file (urgency, created_at, id) where state in ('draft', 'urgent');
create index ix_case_file_to_draft on case_file (urgency, created_at, id) where state = 'confirmed' and drafted_version is distinct from current_version;
-- None on (urgency, created_at, id): the planner would take it for the two above and read every case.
create index ix_case_file_created_at_id on case_file (created_at, id);
create index ix_case_file_created_by_created_at_id on case_file (created_by, created_at, id);
create index ix_case_file_kind_urgency_created_at_id on case_file (kind, urgency, created_at, id);

-- Releases that nobody fetched, that nobody was handed, and that were not taken back. Kept by triggers
-- for the same reason; it shows and changes nothing, so a row too many hurts nobody.
create table open_release (
    release_id text not null,
    urgency text not null,
    released_at timestamptz not null,
    deadline timestamptz,
    constraint pk_open_release primary key (release_id),
    constraint fk_open_release_release_id foreign key (release_id) references release (release_id)
);
create index ix_open_release_urgency_released_at_release_id on open_release (urgency, released_at, release_id);
create index ix_open_release_deadline on open_release (deadline);
insert into open_release select r.release_id, r.urgency, r.released_at, r.deadline from release r
where not exists (select 1 from collection c where c.release_id = r.release_id and c.part = 'referral')
  and not exists (select 1 from withdrawal w where w.release_id = r.release_id)
  and not exists (select 1 from cancellation x where x.release_id = r.release_id)
  and not exists (select 1 from delivery d join delivery_event e on e.delivery_id = d.id
                  where d.release_id = r.release_id and e.state = 'delivered');
grant select, insert, delete on open_release to broker_app;
create function release_opened() returns trigger language plpgsql as $$
begin
    insert into open_release (release_id, urgency, released_at, deadline)
        values (new.release_id, new.urgency, new.released_at, new.deadline);
    return null;
end
$$;
-- The partner's role may not touch the table; its collection may. A trigger function cannot be called.
create function release_settled() returns trigger language plpgsql security definer set search_path = public as $$
begin
    delete from open_release where release_id = new.release_id;
    return null;
end
$$;
revoke all on function release_settled() from public;
create function release_delivered() returns trigger language plpgsql as $$
begin
    delete from open_release o using delivery d where d.id = new.delivery_id and o.release_id = d.release_id;
    return null;
end
$$;
create trigger opened after insert on release for each row execute function release_opened();
create trigger settled after insert on collection for each row when (new.part = 'referral')
    execute function release_settled();
create trigger settled after insert on withdrawal for each row execute function release_settled();
create trigger settled after insert on cancellation for each row execute function release_settled();
create trigger settled after insert on delivery_event for each row when (new.state = 'delivered')
    execute function release_delivered();

-- The register by period, partner, class, kind and field; reads by time; the rotations that end a case.
create index ix_release_released_at_release_id on release (released_at, release_id);
create index ix_release_addressee_released_at_release_id on release (addressee, released_at, release_id);
create index ix_release_addressee_class_released_at_release_id on release (addressee_class, released_at, release_id);
create index ix_release_case_kind_released_at_release_id on release (case_kind, released_at, release_id);
create index ix_release_fields on release using gin (fields);
create index ix_release_urgent on release (released_at, release_id) where urgent;
create index ix_release_u1 on release (released_at, release_id) where urgency = 'U1';
create index ix_withdrawal_at_release_id on withdrawal (at, release_id);
create index ix_read_act_at_id on read_act (at, id);
create index ix_answer_at on answer (at);
create index ix_event_rotated on event (at) where action = 'keys:epoch-rotated';
create index ix_draft_refusal_broker on draft_refusal (at) where by is null;

-- Sampled review. A draw is stored with its seed; a ticket opens one drawn release, as sent, for one
-- officer; a second person who had no hand in it grants the ticket and so starts its half hour.
alter table release add constraint uq_release_release_id_drafted_by_approved_by
    unique (release_id, drafted_by, approved_by);
create table review_draw (
    id uuid not null,
    period_from timestamptz not null,
    period_to timestamptz not null,
    seed text not null,
    size integer not null,
    population integer not null,
    strata jsonb not null,
    drawn_by text not null,
    at timestamptz not null,
    constraint pk_review_draw primary key (id),
    constraint ck_review_draw_period check (period_from < period_to and period_to <= at),
    constraint ck_review_draw_seed check (seed ~ '^[0-9a-f]{32}$'),
    constraint fk_review_draw_drawn_by foreign key (drawn_by) references staff (id)
);
create table review_item (
    draw_id uuid not null,
    release_id text not null,
    rank integer not null,
    stratum text not null,
    constraint pk_review_item primary key (draw_id, release_id),
    constraint fk_review_item_draw_id foreign key (draw_id) references review_draw (id),
    constraint fk_review_item_release_id foreign key (release_id) references release (release_id)
);
create table review_ticket (
    id uuid not null,
    draw_id uuid not null,
    release_id text not null,
    officer text not null,
    at timestamptz not null,
    constraint pk_review_ticket primary key (id),
    constraint uq_review_ticket_id_officer_release_id unique (id, officer, release_id),
    constraint fk_review_ticket_draw_id_release_id foreign key (draw_id, release_id) references review_item (draw_id, release_id),
    constraint fk_review_ticket_officer foreign key (officer) references staff (id)
);
create index ix_review_ticket_draw_id_release_id on review_ticket (draw_id, release_id);
create table review_grant (
    ticket_id uuid not null,
    officer text not null,
    release_id text not null,
    drafted_by text not null,
    approved_by text not null,
    granted_by text not null,
    at timestamptz not null,
    expires_at timestamptz not null,
    constraint pk_review_grant primary key (ticket_id),
    constraint uq_review_grant_ticket_id_officer unique (ticket_id, officer),
    constraint ck_review_grant_four_eyes check (granted_by <> officer and granted_by not in (drafted_by, approved_by) and officer not in (drafted_by, approved_by)),
    constraint ck_review_grant_half_hour check (expires_at > at and expires_at <= at + interval '30 minutes'),
    constraint fk_review_grant_ticket_id_officer_release_id foreign key (ticket_id, officer, release_id) references review_ticket (id, officer, release_id),
    constraint fk_review_grant_release_id_drafted_by_approved_by foreign key (release_id, drafted_by, approved_by) references release (release_id, drafted_by, approved_by),
    constraint fk_review_grant_granted_by foreign key (granted_by) references staff (id)
);
create table review_verdict (
    ticket_id uuid not null,
    field text not null,
    officer text not null,
    verdict text not null,
    at timestamptz not null,
    constraint pk_review_verdict primary key (ticket_id, field),
    constraint ck_review_verdict_verdict check (verdict in ('necessary', 'excessive', 'wrong')),
    constraint ck_review_verdict_field check (field ~ '^F[0-9]{2}$'),
    constraint fk_review_verdict_ticket_id_officer foreign key (ticket_id, officer) references review_grant (ticket_id, officer)
);
do $$
declare
    name text;
begin
    foreach name in array array['review_draw', 'review_item', 'review_ticket', 'review_grant', 'review_verdict'] loop
        execute format(
            'create trigger insert_only before update or delete or truncate on %I '
            'for each statement execute function refuse_change()', name);
        execute format('alter table %I enable always trigger insert_only', name);
        execute format('grant select, insert on %I to broker_app', name);
    end loop;
end
$$;

-- What was typed into a form and not sent yet: ciphertext under a key of its own, wrapped by the epoch.
create table form_draft (
    id uuid not null,
    staff_id text not null,
    kind text not null,
    epoch text not null,
    wrapped bytea not null,
    blob bytea not null,
    updated_at timestamptz not null,
    expires_at timestamptz not null,
    constraint pk_form_draft primary key (id),
    constraint ck_form_draft_lives check (expires_at > updated_at),
    constraint fk_form_draft_staff_id foreign key (staff_id) references staff (id)
);
create index ix_form_draft_staff_id_updated_at on form_draft (staff_id, updated_at);
create index ix_form_draft_expires_at on form_draft (expires_at);
grant select, insert, update, delete on form_draft to broker_app;
grant select on form_draft to broker_retention;
grant update (epoch, wrapped) on form_draft to broker_retention;

-- Saved views (a page and a query of codes) and preferences of a member of staff.
create table staff_setting (
    staff_id text not null,
    kind text not null,
    name text not null,
    value jsonb not null,
    updated_at timestamptz not null,
    constraint pk_staff_setting primary key (staff_id, kind, name),
    constraint ck_staff_setting_kind check (kind in ('view', 'preference')),
    constraint fk_staff_setting_staff_id foreign key (staff_id) references staff (id)
);
grant select, insert, update, delete on staff_setting to broker_app;
