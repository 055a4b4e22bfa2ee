-- Insert-only triggers, grants and row-level security of the first version.
--
-- What a role may do is the sum of three: its grant, the trigger, the policy. The triggers fire for
-- everybody, the owner included, and for statements that touch no row.

create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% on % is refused: rows are only added', tg_op, tg_table_name
        using errcode = 'integrity_constraint_violation';
end
$$;

do $$
declare
    name text;
begin
    -- Never changed, never deleted.
    foreach name in array array[
        'agreement', 'agreement_status', 'claim', 'verdict', 'urgent_call',
        'draft', 'approval', 'draft_refusal', 'release', 'withdrawal',
        'event', 'cancellation', 'ledger_leaf', 'ledger_tile', 'ledger_checkpoint',
        'feed', 'collection', 'receipt', 'read_act', 'answer'
    ] loop
        execute format(
            'create trigger insert_only before update or delete or truncate on %I '
            'for each statement execute function refuse_change()', name);
        execute format('alter table %I enable always trigger insert_only', name);
    end loop;
    -- Never changed; deleted by the one role that has the grant.
    foreach name in array array[
        'case_version', 'person_blob', 'draft_blob', 'release_record', 'sealed_object',
        'event_record', 'pending', 'jti'
    ] loop
        execute format(
            'create trigger no_update before update or truncate on %I '
            'for each statement execute function refuse_change()', name);
        execute format('alter table %I enable always trigger no_update', name);
    end loop;
end
$$;

revoke all on schema public from public;
grant usage on schema public
    to broker_app, broker_feed, broker_integrator, broker_retention, broker_sweeper;

-- Staff and background work of the application.
grant select on all tables in schema public to broker_app;
grant insert on
    staff, staff_session, partner, partner_key, agreement, agreement_status, recognition,
    case_file, case_version, person_blob, wrapped_key, claim, verdict, urgent_call,
    referral, draft, draft_blob, approval, draft_refusal, release, release_record, sealed_object,
    withdrawal, event, event_record, pending, cancellation,
    collection, receipt, read_act, answer, jti
    to broker_app;
grant update on staff, partner, partner_key, recognition, case_file to broker_app;
grant delete on staff_session, draft_blob to broker_app;
-- To lock a row one needs UPDATE on a column of it; the trigger refuses the update itself.
grant update (due_at) on pending to broker_app, broker_integrator;

-- The partner's hot path: the rows of one partner, and the public part of the ledger.
grant select on
    feed, sealed_object, collection, receipt, read_act, answer, withdrawal, event_record
    to broker_feed;
grant select (release_id, carrier, released_at, deadline, window_from_first_collection)
    on release to broker_feed;
grant select (position, body, leaf_hash, event_id) on ledger_leaf to broker_feed;
grant select on ledger_tile, ledger_checkpoint to broker_feed;
grant insert on collection, receipt, read_act, answer, event, event_record, pending, jti
    to broker_feed;

grant select, delete on pending to broker_integrator;
grant select on cancellation to broker_integrator;
grant select, insert on ledger_leaf, ledger_tile, ledger_checkpoint, feed to broker_integrator;

grant select on
    case_file, referral, draft, release, withdrawal, event, feed, collection, receipt, read_act,
    answer, ledger_leaf, ledger_checkpoint, agreement, agreement_status, partner
    to broker_retention;
grant select, delete on
    case_version, person_blob, wrapped_key, draft_blob, release_record, sealed_object, event_record
    to broker_retention;
grant update (epoch, wrapped) on wrapped_key to broker_retention;
grant update (element_key_wrapped) on referral to broker_retention;
grant update (pseudonym_key_wrapped) on partner to broker_retention;
grant insert on event, event_record, pending to broker_retention;

grant select, delete on jti to broker_sweeper;

-- Row-level security: the second lock behind `partner_id = …` in the query. FORCE, so that the
-- owner has none either. No subquery in a policy (it costs up to 1,700x at 5 million rows).
-- An unset or emptied setting is null or '' and matches nobody.
do $$
declare
    name text;
begin
    foreach name in array array[
        'feed', 'sealed_object', 'collection', 'receipt', 'read_act', 'answer', 'withdrawal',
        'release', 'event', 'event_record', 'pending'
    ] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy house on %I '
            'to broker_app, broker_integrator, broker_retention '
            'using (true) with check (true)', name);
    end loop;
    foreach name in array array[
        'feed', 'sealed_object', 'collection', 'receipt', 'read_act', 'answer', 'withdrawal',
        'event_record'
    ] loop
        execute format(
            'create policy partner_reads on %I for select to broker_feed '
            'using (partner_id = current_setting(''broker.partner'', true))', name);
    end loop;
    foreach name in array array['collection', 'receipt', 'read_act', 'answer'] loop
        execute format(
            'create policy partner_adds on %I for insert to broker_feed '
            'with check (partner_id = current_setting(''broker.partner'', true))', name);
    end loop;
end
$$;

create policy partner_reads on release for select to broker_feed
    using (carrier = current_setting('broker.partner', true));

-- The hot path may record what the partner did; it cannot publish, withdraw or forge a record that
-- a partner would then be shown.
create policy partner_adds on event for insert to broker_feed
    with check (
        partner_id = current_setting('broker.partner', true)
        and (leaf_type is null or leaf_type in ('collected', 'read', 'receipt', 'outcome'))
    );
create policy partner_adds on event_record for insert to broker_feed
    with check (partner_id is null);
create policy partner_adds on pending for insert to broker_feed
    with check (
        partner_id = current_setting('broker.partner', true)
        and leaf_type in ('collected', 'read', 'receipt', 'outcome')
        and feed is null
    );

-- The queue's dead rows are rescanned at every integration: clean up early.
alter table pending set (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000);
