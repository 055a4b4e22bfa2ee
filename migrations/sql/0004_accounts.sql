-- Signing in: inbox people, sessions of both kinds of account, passkeys, one-time codes, evidence.
--
-- The older sessions end here: they do not say how their person proved who they are.

DROP TABLE staff_session;

CREATE TABLE inbox_person (
    id TEXT NOT NULL,
    partner_id TEXT NOT NULL,
    login TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    disabled_at TIMESTAMP WITH TIME ZONE,
    created_by TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_inbox_person PRIMARY KEY (id),
    CONSTRAINT fk_inbox_person_partner_id FOREIGN KEY(partner_id) REFERENCES partner (id),
    CONSTRAINT uq_inbox_person_login UNIQUE (login),
    CONSTRAINT fk_inbox_person_created_by FOREIGN KEY(created_by) REFERENCES staff (id)
);

CREATE TABLE account_session (
    staff_id TEXT,
    person_id TEXT,
    token_hash BYTEA NOT NULL,
    method TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_seen_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_account_session PRIMARY KEY (token_hash),
    CONSTRAINT ck_account_session_one_account CHECK (num_nonnulls(staff_id, person_id) = 1),
    CONSTRAINT ck_account_session_method CHECK (method IN ('passkey', 'totp', 'oidc', 'link', 'cli')),
    CONSTRAINT ck_account_session_token CHECK (octet_length(token_hash) = 32),
    CONSTRAINT fk_account_session_staff_id FOREIGN KEY(staff_id) REFERENCES staff (id),
    CONSTRAINT fk_account_session_person_id FOREIGN KEY(person_id) REFERENCES inbox_person (id)
);
CREATE INDEX ix_account_session_expires_at ON account_session (expires_at);
CREATE INDEX ix_account_session_person_id ON account_session (person_id);
CREATE INDEX ix_account_session_staff_id ON account_session (staff_id);

CREATE TABLE passkey (
    staff_id TEXT,
    person_id TEXT,
    credential_id BYTEA NOT NULL,
    public_key BYTEA NOT NULL,
    sign_count BIGINT NOT NULL,
    transports TEXT[] NOT NULL,
    label TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    last_used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_passkey PRIMARY KEY (credential_id),
    CONSTRAINT ck_passkey_one_account CHECK (num_nonnulls(staff_id, person_id) = 1),
    CONSTRAINT ck_passkey_sign_count CHECK (sign_count >= 0),
    CONSTRAINT fk_passkey_staff_id FOREIGN KEY(staff_id) REFERENCES staff (id),
    CONSTRAINT fk_passkey_person_id FOREIGN KEY(person_id) REFERENCES inbox_person (id)
);
CREATE INDEX ix_passkey_person_id ON passkey (person_id);
CREATE INDEX ix_passkey_staff_id ON passkey (staff_id);

CREATE TABLE totp (
    staff_id TEXT,
    person_id TEXT,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    secret BYTEA NOT NULL,
    last_step BIGINT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_totp PRIMARY KEY (id),
    CONSTRAINT ck_totp_one_account CHECK (num_nonnulls(staff_id, person_id) = 1),
    CONSTRAINT uq_totp_staff_id UNIQUE (staff_id),
    CONSTRAINT uq_totp_person_id UNIQUE (person_id),
    CONSTRAINT fk_totp_staff_id FOREIGN KEY(staff_id) REFERENCES staff (id),
    CONSTRAINT fk_totp_person_id FOREIGN KEY(person_id) REFERENCES inbox_person (id)
);

CREATE TABLE oidc_identity (
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    staff_id TEXT NOT NULL,
    linked_by TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_oidc_identity PRIMARY KEY (issuer, subject),
    CONSTRAINT fk_oidc_identity_staff_id FOREIGN KEY(staff_id) REFERENCES staff (id),
    CONSTRAINT fk_oidc_identity_linked_by FOREIGN KEY(linked_by) REFERENCES staff (id)
);

CREATE TABLE sign_in_flow (
    staff_id TEXT,
    person_id TEXT,
    handle_hash BYTEA NOT NULL,
    purpose TEXT NOT NULL,
    challenge BYTEA NOT NULL,
    data JSONB NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_sign_in_flow PRIMARY KEY (handle_hash),
    CONSTRAINT ck_sign_in_flow_at_most_one_account CHECK (num_nonnulls(staff_id, person_id) <= 1),
    CONSTRAINT ck_sign_in_flow_purpose CHECK (purpose IN ('register', 'authenticate', 'step-up', 'oidc', 'totp', 'password')),
    CONSTRAINT ck_sign_in_flow_handle CHECK (octet_length(handle_hash) = 32),
    CONSTRAINT fk_sign_in_flow_staff_id FOREIGN KEY(staff_id) REFERENCES staff (id),
    CONSTRAINT fk_sign_in_flow_person_id FOREIGN KEY(person_id) REFERENCES inbox_person (id)
);
CREATE INDEX ix_sign_in_flow_expires_at ON sign_in_flow (expires_at);

CREATE TABLE sign_in_attempt (
    key BYTEA NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_sign_in_attempt PRIMARY KEY (id),
    CONSTRAINT ck_sign_in_attempt_key CHECK (octet_length(key) = 32)
);
CREATE INDEX ix_sign_in_attempt_key_at ON sign_in_attempt (key, at);

CREATE TABLE sign_in_link (
    staff_id TEXT,
    person_id TEXT,
    token_hash BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    used_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_sign_in_link PRIMARY KEY (token_hash),
    CONSTRAINT ck_sign_in_link_one_account CHECK (num_nonnulls(staff_id, person_id) = 1),
    CONSTRAINT ck_sign_in_link_token CHECK (octet_length(token_hash) = 32),
    CONSTRAINT fk_sign_in_link_staff_id FOREIGN KEY(staff_id) REFERENCES staff (id),
    CONSTRAINT fk_sign_in_link_person_id FOREIGN KEY(person_id) REFERENCES inbox_person (id)
);
CREATE INDEX ix_sign_in_link_expires_at ON sign_in_link (expires_at);

CREATE TABLE step_up_evidence (
    staff_id TEXT NOT NULL,
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    purpose TEXT NOT NULL,
    digest TEXT NOT NULL,
    method TEXT NOT NULL,
    assertion JSONB,
    public_key BYTEA,
    fingerprint BYTEA,
    totp_step BIGINT,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_step_up_evidence PRIMARY KEY (id),
    CONSTRAINT ck_step_up_evidence_purpose CHECK (purpose IN ('release')),
    CONSTRAINT ck_step_up_evidence_method CHECK (method IN ('passkey', 'totp')),
    CONSTRAINT ck_step_up_evidence_digest CHECK (digest ~ '^[0-9a-f]{64}$'),
    CONSTRAINT ck_step_up_evidence_proven CHECK (num_nonnulls(assertion, public_key, fingerprint) = CASE method WHEN 'passkey' THEN 3 ELSE 0 END AND (totp_step IS NOT NULL) = (method = 'totp')),
    CONSTRAINT uq_step_up_evidence_fingerprint UNIQUE (fingerprint),
    CONSTRAINT uq_step_up_evidence_staff_id_totp_step UNIQUE (staff_id, totp_step),
    CONSTRAINT fk_step_up_evidence_staff_id FOREIGN KEY(staff_id) REFERENCES staff (id)
);
CREATE INDEX ix_step_up_evidence_staff_id_digest ON step_up_evidence (staff_id, digest);

do $$
declare
    name text;
begin
    create trigger insert_only before update or delete or truncate on step_up_evidence
        for each statement execute function refuse_change();
    alter table step_up_evidence enable always trigger insert_only;
    foreach name in array array['oidc_identity', 'sign_in_flow', 'sign_in_attempt'] loop
        execute format(
            'create trigger no_update before update or truncate on %I '
            'for each statement execute function refuse_change()', name);
        execute format('alter table %I enable always trigger no_update', name);
    end loop;
    -- No partner reads these: only the house has a policy, and the owner has none.
    foreach name in array array[
        'inbox_person', 'account_session', 'passkey', 'totp', 'oidc_identity', 'sign_in_flow',
        'sign_in_attempt', 'sign_in_link', 'step_up_evidence'
    ] loop
        execute format('alter table %I enable row level security', name);
        execute format('alter table %I force row level security', name);
        execute format(
            'create policy house on %I to broker_app, broker_sweeper using (true) with check (true)', name);
        execute format('grant select, insert on %I to broker_app', name);
    end loop;
end
$$;
-- Whose a credential is, its key and its secret never change: a new one is another row.
grant update (password_hash, disabled_at) on inbox_person to broker_app;
grant update (last_seen_at) on account_session to broker_app;
grant update (sign_count, last_used_at) on passkey to broker_app;
grant update (last_step) on totp to broker_app;
grant update (used_at) on sign_in_link to broker_app;
grant delete on account_session, passkey, totp, oidc_identity, sign_in_flow, sign_in_attempt to broker_app;
grant select, delete on account_session, sign_in_flow, sign_in_attempt, sign_in_link to broker_sweeper;
