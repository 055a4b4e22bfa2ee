-- Takes passkeys, one-time codes and inbox people away; the sessions of before had four columns.

drop table
    step_up_evidence,
    sign_in_link,
    sign_in_attempt,
    sign_in_flow,
    oidc_identity,
    totp,
    passkey,
    account_session,
    inbox_person;

create table staff_session (
    token_hash bytea not null,
    staff_id text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    constraint pk_staff_session primary key (token_hash),
    constraint fk_staff_session_staff_id foreign key (staff_id) references staff (id)
);
create index ix_staff_session_expires_at on staff_session (expires_at);
grant select, insert, delete on staff_session to broker_app;
