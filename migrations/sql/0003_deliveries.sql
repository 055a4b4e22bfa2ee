-- Deliveries to partners that do not pull, notices of new referrals, police holds.

CREATE TABLE delivery_endpoint (
    partner_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    purpose TEXT NOT NULL,
    channel TEXT NOT NULL,
    adapter TEXT NOT NULL,
    state TEXT NOT NULL,
    config JSONB NOT NULL,
    by TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_delivery_endpoint PRIMARY KEY (id),
    CONSTRAINT ck_delivery_endpoint_purpose CHECK (purpose IN ('referral', 'notice')),
    CONSTRAINT ck_delivery_endpoint_channel CHECK (channel IN ('mail', 'push', 'webhook')),
    CONSTRAINT ck_delivery_endpoint_state CHECK (state IN ('active', 'ended')),
    CONSTRAINT fk_delivery_endpoint_partner_id FOREIGN KEY(partner_id) REFERENCES partner (id),
    CONSTRAINT fk_delivery_endpoint_by FOREIGN KEY(by) REFERENCES staff (id)
);
CREATE INDEX ix_delivery_endpoint_partner_id_purpose ON delivery_endpoint (partner_id, purpose);

CREATE TABLE delivery (
    id UUID NOT NULL,
    release_id TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    channel TEXT NOT NULL,
    adapter TEXT NOT NULL,
    not_before TIMESTAMP WITH TIME ZONE NOT NULL,
    deadline TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_delivery PRIMARY KEY (id),
    CONSTRAINT ck_delivery_channel CHECK (channel IN ('mail', 'push')),
    CONSTRAINT uq_delivery_release_id_adapter UNIQUE (release_id, adapter),
    CONSTRAINT fk_delivery_release_id FOREIGN KEY(release_id) REFERENCES release (release_id),
    CONSTRAINT fk_delivery_partner_id FOREIGN KEY(partner_id) REFERENCES partner (id)
);
CREATE INDEX ix_delivery_partner_id ON delivery (partner_id);

CREATE TABLE delivery_event (
    delivery_id UUID NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    state TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    attempt INTEGER NOT NULL,
    code TEXT NOT NULL,
    due TIMESTAMP WITH TIME ZONE NOT NULL,
    evidence_sha256 TEXT,
    by TEXT NOT NULL,
    CONSTRAINT pk_delivery_event PRIMARY KEY (id),
    CONSTRAINT ck_delivery_event_state CHECK (state IN ('queued', 'sending', 'awaiting', 'delivered', 'failed', 'overdue', 'retracted')),
    CONSTRAINT ck_delivery_event_attempt CHECK (attempt >= 0),
    CONSTRAINT ck_delivery_event_code CHECK (code ~ '^[a-z0-9-]{1,60}$'),
    CONSTRAINT ck_delivery_event_proven CHECK ((state IN ('awaiting', 'delivered', 'retracted')) = (evidence_sha256 IS NOT NULL)),
    CONSTRAINT fk_delivery_event_delivery_id FOREIGN KEY(delivery_id) REFERENCES delivery (id)
);
CREATE INDEX ix_delivery_event_delivery_id_id ON delivery_event (delivery_id, id);

CREATE TABLE delivery_evidence (
    delivery_id UUID NOT NULL,
    proves TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    media_type TEXT NOT NULL,
    remote_reference TEXT NOT NULL,
    body BYTEA NOT NULL,
    key_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_delivery_evidence PRIMARY KEY (delivery_id, proves, sha256),
    CONSTRAINT ck_delivery_evidence_proves CHECK (proves IN ('submission', 'delivery', 'failure', 'retraction')),
    CONSTRAINT ck_delivery_evidence_sha256 CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    CONSTRAINT fk_delivery_evidence_delivery_id FOREIGN KEY(delivery_id) REFERENCES delivery (id)
);

CREATE TABLE delivery_reply (
    token_hash BYTEA NOT NULL,
    delivery_id UUID NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_delivery_reply PRIMARY KEY (token_hash),
    CONSTRAINT ck_delivery_reply_token CHECK (octet_length(token_hash) = 32),
    CONSTRAINT fk_delivery_reply_delivery_id FOREIGN KEY(delivery_id) REFERENCES delivery (id)
);

CREATE TABLE notice_attempt (
    release_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    endpoint_id BIGINT NOT NULL,
    attempt INTEGER NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    code TEXT NOT NULL,
    CONSTRAINT pk_notice_attempt PRIMARY KEY (id),
    CONSTRAINT ck_notice_attempt_code CHECK (code ~ '^[a-z0-9-]{1,60}$'),
    CONSTRAINT uq_notice_attempt_release_id_endpoint_id_attempt UNIQUE (release_id, endpoint_id, attempt),
    CONSTRAINT fk_notice_attempt_release_id FOREIGN KEY(release_id) REFERENCES release (release_id),
    CONSTRAINT fk_notice_attempt_endpoint_id FOREIGN KEY(endpoint_id) REFERENCES delivery_endpoint (id)
);

CREATE TABLE police_hold (
    id UUID NOT NULL,
    url_hmac BYTEA NOT NULL,
    created_by TEXT NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_police_hold PRIMARY KEY (id),
    CONSTRAINT ck_police_hold_hmac CHECK (octet_length(url_hmac) = 32),
    CONSTRAINT fk_police_hold_created_by FOREIGN KEY(created_by) REFERENCES staff (id)
);
CREATE INDEX ix_police_hold_url_hmac ON police_hold (url_hmac);

CREATE TABLE police_hold_term (
    hold_id UUID NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    kind TEXT NOT NULL,
    by_partner TEXT NOT NULL,
    by_class TEXT NOT NULL,
    entered_by TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_police_hold_term PRIMARY KEY (id),
    CONSTRAINT ck_police_hold_term_kind CHECK (kind IN ('set', 'renewed', 'ended')),
    CONSTRAINT fk_police_hold_term_by_partner_by_class FOREIGN KEY(by_partner, by_class) REFERENCES partner (id, recipient_class),
    CONSTRAINT ck_police_hold_term_police_only CHECK (by_class = 'BEP'),
    CONSTRAINT fk_police_hold_term_hold_id FOREIGN KEY(hold_id) REFERENCES police_hold (id),
    CONSTRAINT fk_police_hold_term_entered_by FOREIGN KEY(entered_by) REFERENCES staff (id)
);
CREATE INDEX ix_police_hold_term_hold_id_id ON police_hold_term (hold_id, id);

-- Which state may follow which, and that nothing is told as done without what proves it. The lock
-- gives the events of one delivery an order; `sending` is free for one process at a time.
create function delivery_order() returns trigger language plpgsql as $$
declare
    last text;
    needed text;
begin
    perform pg_advisory_xact_lock(hashtextextended(new.delivery_id::text, 3));
    select state into last from delivery_event
        where delivery_id = new.delivery_id order by id desc limit 1;
    if not (coalesce(last, ''), new.state) in (
        ('', 'queued'),
        ('queued', 'sending'), ('queued', 'failed'), ('queued', 'overdue'),
        ('sending', 'queued'), ('sending', 'awaiting'), ('sending', 'delivered'), ('sending', 'failed'),
        ('awaiting', 'delivered'), ('awaiting', 'failed'), ('awaiting', 'overdue'), ('awaiting', 'retracted'),
        ('awaiting', 'awaiting'),
        ('overdue', 'queued'), ('overdue', 'sending'), ('overdue', 'delivered'), ('overdue', 'failed'),
        ('overdue', 'retracted'),
        ('failed', 'queued'), ('failed', 'delivered'),
        ('delivered', 'retracted')
    ) then
        raise exception 'a delivery that is % does not become %', coalesce(last, 'new'), new.state
            using errcode = 'integrity_constraint_violation';
    end if;
    needed := case new.state when 'awaiting' then 'submission' when 'delivered' then 'delivery'
        when 'retracted' then 'retraction' end;
    if needed is not null and not exists (
        select 1 from delivery_evidence
        where delivery_id = new.delivery_id and proves = needed and sha256 = new.evidence_sha256
    ) then
        raise exception 'a delivery is not % without stored evidence', new.state
            using errcode = 'integrity_constraint_violation';
    end if;
    return new;
end
$$;
create trigger in_order before insert on delivery_event
    for each row execute function delivery_order();
alter table delivery_event enable always trigger in_order;

do $$
declare
    name text;
begin
    foreach name in array array[
        'delivery_endpoint', 'delivery', 'delivery_event', 'delivery_reply', 'notice_attempt',
        'police_hold', 'police_hold_term'
    ] loop
        execute format(
            'create trigger insert_only before update or delete or truncate on %I '
            'for each statement execute function refuse_change()', name);
        execute format('alter table %I enable always trigger insert_only', name);
    end loop;
    create trigger no_update before update or truncate on delivery_evidence
        for each statement execute function refuse_change();
    alter table delivery_evidence enable always trigger no_update;
    -- No partner reads these: only the house has a policy, and the owner has none.
    foreach name in array array[
        'delivery_endpoint', 'delivery', 'delivery_event', 'delivery_evidence', 'delivery_reply',
        'notice_attempt', 'police_hold', 'police_hold_term'
    ] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy house on %I to broker_app, broker_retention using (true) with check (true)', name);
        execute format('grant select, insert on %I to broker_app', name);
    end loop;
end
$$;
grant select on delivery, delivery_event to broker_retention;
grant select, delete on delivery_evidence to broker_retention;
