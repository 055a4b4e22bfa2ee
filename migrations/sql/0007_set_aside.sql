-- Cases that nobody may get: set aside by one person with a coded reason, looked at by another, reopened
-- by anybody. Nothing is deleted; what was said stays.
alter table case_file drop constraint ck_case_file_state;
alter table case_file add constraint ck_case_file_state check (state in ('draft', 'confirmed', 'urgent', 'set_aside', 'no_addressee', 'closed'));
create index ix_case_file_to_agree on case_file (urgency, created_at, id) where state = 'set_aside';

create table set_aside (
    case_id uuid not null,
    id bigint generated always as identity,
    case_version integer not null,
    reason text not null,
    refusals text[] not null,
    set_by text not null,
    at timestamptz not null,
    constraint pk_set_aside primary key (id),
    constraint uq_set_aside_id_set_by unique (id, set_by),
    constraint ck_set_aside_reason check (reason in ('nobody-competent', 'no-partner-yet', 'not-permitted', 'told-elsewhere')),
    constraint fk_set_aside_case_id foreign key (case_id) references case_file (id),
    constraint fk_set_aside_set_by foreign key (set_by) references staff (id)
);
create index ix_set_aside_case_id_id on set_aside (case_id, id);
create index ix_set_aside_at on set_aside (at);
create table set_aside_look (
    set_aside_id bigint not null,
    set_by text not null,
    looked_by text not null,
    at timestamptz not null,
    constraint pk_set_aside_look primary key (set_aside_id),
    constraint ck_set_aside_look_four_eyes check (looked_by <> set_by),
    constraint fk_set_aside_look_set_aside_id_set_by foreign key (set_aside_id, set_by) references set_aside (id, set_by),
    constraint fk_set_aside_look_looked_by foreign key (looked_by) references staff (id)
);
do $$
declare
    name text;
begin
    foreach name in array array['set_aside', 'set_aside_look'] loop
        execute format(
            'create trigger insert_only before update or delete or truncate on %I '
            'for each statement execute function refuse_change()', name);
        execute format('alter table %I enable always trigger insert_only', name);
        execute format('grant select, insert on %I to broker_app', name);
    end loop;
end
$$;

-- Erasing asks for the same fresh proof as releasing, and keeps it.
alter table step_up_evidence drop constraint ck_step_up_evidence_purpose;
alter table step_up_evidence add constraint ck_step_up_evidence_purpose check (purpose in ('release', 'erase'));
