-- Tables of the first version. Constraints are named as the naming convention in store/types.py names them.

create table case_file (
    id uuid not null,
    kind text not null,
    state text not null,
    urgency text not null,
    current_version integer not null,
    created_by text not null,
    created_at timestamptz not null,
    synthetic boolean not null,
    constraint pk_case_file primary key (id),
    constraint ck_case_file_state check (state in ('draft', 'confirmed', 'urgent', 'closed'))
);
create index ix_case_file_state_created_at on case_file (state, created_at);

create table event (
    id uuid not null,
    leaf_type text,
    action text not null,
    at timestamptz not null,
    actor text not null,
    case_id uuid,
    release_id text,
    partner_id text,
    constraint pk_event primary key (id),
    constraint ck_event_leaf_type check (leaf_type in ('approved', 'published', 'cancelled', 'collected', 'read', 'receipt', 'outcome', 'correction', 'agreement', 'key'))
);
create index ix_event_at on event (at);
create index ix_event_case_id on event (case_id);
create index ix_event_release_id on event (release_id);

create table jti (
    space text not null,
    hash bytea not null,
    expires_at timestamptz not null,
    constraint pk_jti primary key (space, hash)
);
create index ix_jti_expires_at on jti (expires_at);

create table ledger_checkpoint (
    size bigint not null,
    root bytea not null,
    note text not null,
    at timestamptz not null,
    constraint pk_ledger_checkpoint primary key (size),
    constraint ck_ledger_checkpoint_root check (octet_length(root) = 32)
);

create table ledger_tile (
    level integer not null,
    idx bigint not null,
    hashes bytea not null,
    root bytea not null,
    constraint pk_ledger_tile primary key (level, idx),
    constraint ck_ledger_tile_full check (octet_length(hashes) = 8192 and octet_length(root) = 32)
);

create table partner (
    id text not null,
    name text not null,
    recipient_class text not null,
    country text not null,
    provider text,
    language text not null,
    client_id text not null,
    software text,
    environment text not null,
    pseudonym_key_wrapped bytea,
    status text not null,
    created_at timestamptz not null,
    constraint pk_partner primary key (id),
    constraint uq_partner_id_recipient_class unique (id, recipient_class),
    constraint ck_partner_status check (status in ('active', 'suspended')),
    constraint uq_partner_client_id unique (client_id)
);

create table recognition (
    id text not null,
    instrument text not null,
    valid_from timestamptz not null,
    valid_to timestamptz,
    constraint pk_recognition primary key (id),
    constraint ck_recognition_validity check (valid_to is null or valid_from < valid_to)
);

create table staff (
    id text not null,
    login text not null,
    roles text[] not null,
    password_hash text not null,
    vetted_until timestamptz,
    disabled_at timestamptz,
    created_at timestamptz not null,
    constraint pk_staff primary key (id),
    constraint uq_staff_login unique (login)
);

create table agreement (
    partner_id text not null,
    version integer not null,
    body jsonb not null,
    digest text not null,
    valid_from timestamptz not null,
    valid_to timestamptz not null,
    approved_by_1 text not null,
    approved_by_2 text not null,
    created_at timestamptz not null,
    constraint pk_agreement primary key (partner_id, version),
    constraint ck_agreement_four_eyes check (approved_by_1 <> approved_by_2),
    constraint ck_agreement_validity check (valid_from < valid_to),
    constraint fk_agreement_partner_id foreign key (partner_id) references partner (id),
    constraint fk_agreement_approved_by_1 foreign key (approved_by_1) references staff (id),
    constraint fk_agreement_approved_by_2 foreign key (approved_by_2) references staff (id)
);

create table case_version (
    case_id uuid not null,
    version integer not null,
    digest text not null,
    blob bytea not null,
    key_id uuid not null,
    created_by text not null,
    created_at timestamptz not null,
    constraint pk_case_version primary key (case_id, version),
    constraint fk_case_version_case_id foreign key (case_id) references case_file (id)
);

create table claim (
    id uuid not null,
    case_id uuid not null,
    case_version integer not null,
    kind text not null,
    about text[] not null,
    created_by text not null,
    created_at timestamptz not null,
    constraint pk_claim primary key (id),
    constraint ck_claim_kind check (kind in ('content_illegal', 'person_linked', 'child_in_danger')),
    constraint fk_claim_case_id foreign key (case_id) references case_file (id)
);
create index ix_claim_case_id on claim (case_id);

create table event_record (
    event_id uuid not null,
    partner_id text,
    nonce bytea not null,
    record bytea not null,
    key_id uuid,
    keep_until timestamptz not null,
    constraint pk_event_record primary key (event_id),
    constraint fk_event_record_event_id foreign key (event_id) references event (id)
);
create index ix_event_record_keep_until on event_record (keep_until);

create table ledger_leaf (
    position bigint not null,
    body bytea not null,
    leaf_hash bytea not null,
    event_id uuid not null,
    release_id text,
    constraint pk_ledger_leaf primary key (position),
    constraint ck_ledger_leaf_position check (position >= 0),
    constraint ck_ledger_leaf_leaf_hash check (leaf_hash = sha256('\x00'::bytea || body)),
    constraint uq_ledger_leaf_event_id unique (event_id),
    constraint fk_ledger_leaf_event_id foreign key (event_id) references event (id)
);
create index ix_ledger_leaf_release_id on ledger_leaf (release_id);

create table partner_key (
    partner_id text not null,
    kid text not null,
    use text not null,
    jwk jsonb not null,
    not_before timestamptz not null,
    not_after timestamptz not null,
    revoked_at timestamptz,
    constraint pk_partner_key primary key (partner_id, kid),
    constraint ck_partner_key_use check (use in ('auth', 'dpop', 'enc', 'enc-next', 'apart', 'receipt')),
    constraint fk_partner_key_partner_id foreign key (partner_id) references partner (id)
);
create index ix_partner_key_kid on partner_key (kid);

create table pending (
    id bigint generated always as identity,
    leaf_type text not null,
    commit bytea not null,
    event_id uuid not null,
    release_id text,
    partner_id text,
    due_at timestamptz not null,
    feed jsonb,
    constraint pk_pending primary key (id),
    constraint ck_pending_leaf_type check (leaf_type in ('approved', 'published', 'cancelled', 'collected', 'read', 'receipt', 'outcome', 'correction', 'agreement', 'key')),
    constraint ck_pending_commit check (octet_length(commit) = 32),
    constraint uq_pending_event_id unique (event_id),
    constraint fk_pending_event_id foreign key (event_id) references event (id)
);
create index ix_pending_release_id on pending (release_id);

create table person_blob (
    case_id uuid not null,
    version integer not null,
    local_id text not null,
    blob bytea not null,
    key_id uuid not null,
    constraint pk_person_blob primary key (case_id, version, local_id),
    constraint fk_person_blob_case_id foreign key (case_id) references case_file (id)
);

create table referral (
    id uuid not null,
    case_id uuid not null,
    addressee text not null,
    carrier text not null,
    reference text not null,
    case_alias text not null,
    element_key_wrapped bytea,
    created_at timestamptz not null,
    constraint pk_referral primary key (id),
    constraint uq_referral_case_id_addressee unique (case_id, addressee),
    constraint fk_referral_case_id foreign key (case_id) references case_file (id),
    constraint fk_referral_addressee foreign key (addressee) references partner (id),
    constraint fk_referral_carrier foreign key (carrier) references partner (id),
    constraint uq_referral_reference unique (reference)
);

create table staff_session (
    token_hash bytea not null,
    staff_id text not null,
    created_at timestamptz not null,
    expires_at timestamptz not null,
    constraint pk_staff_session primary key (token_hash),
    constraint fk_staff_session_staff_id foreign key (staff_id) references staff (id)
);
create index ix_staff_session_expires_at on staff_session (expires_at);

create table urgent_call (
    id uuid not null,
    case_id uuid not null,
    by_staff text not null,
    reason_code text not null,
    called_at timestamptz not null,
    answered boolean not null,
    desk text not null,
    read_back boolean not null,
    record_event uuid not null,
    constraint pk_urgent_call primary key (id),
    constraint fk_urgent_call_case_id foreign key (case_id) references case_file (id),
    constraint fk_urgent_call_by_staff foreign key (by_staff) references staff (id),
    constraint fk_urgent_call_record_event foreign key (record_event) references event (id)
);
create index ix_urgent_call_case_id on urgent_call (case_id);

create table wrapped_key (
    id uuid not null,
    case_id uuid not null,
    scope text not null,
    epoch text not null,
    wrapped bytea not null,
    constraint pk_wrapped_key primary key (id),
    constraint fk_wrapped_key_case_id foreign key (case_id) references case_file (id)
);
create index ix_wrapped_key_case_id on wrapped_key (case_id);
create index ix_wrapped_key_epoch on wrapped_key (epoch);

create table agreement_status (
    partner_id text not null,
    version integer not null,
    at timestamptz not null,
    status text not null,
    by text not null,
    constraint pk_agreement_status primary key (partner_id, version, at),
    constraint fk_agreement_status_partner_id_version foreign key (partner_id, version) references agreement (partner_id, version),
    constraint ck_agreement_status_status check (status in ('active', 'suspended', 'ended')),
    constraint fk_agreement_status_by foreign key (by) references staff (id)
);

create table draft (
    id text not null,
    referral_id uuid not null,
    version integer not null,
    kind text not null,
    supersedes text,
    urgent boolean not null,
    drafted_by text not null,
    drafted_at timestamptz not null,
    expires_at timestamptz not null,
    case_version integer not null,
    agreement_version integer,
    purposes text[] not null,
    approval_digest text not null,
    payload_sha256 text not null,
    constraint pk_draft primary key (id),
    constraint ck_draft_ulid check (char_length(id) = 26),
    constraint ck_draft_digests check (approval_digest ~ '^[0-9a-f]{64}$' and payload_sha256 ~ '^[0-9a-f]{64}$'),
    constraint ck_draft_lives check (expires_at > drafted_at),
    constraint uq_draft_id_drafted_by_urgent unique (id, drafted_by, urgent),
    constraint uq_draft_id_approval_digest unique (id, approval_digest),
    constraint fk_draft_referral_id foreign key (referral_id) references referral (id),
    constraint fk_draft_drafted_by foreign key (drafted_by) references staff (id)
);
create index ix_draft_referral_id on draft (referral_id);

create table verdict (
    id uuid not null,
    claim_id uuid not null,
    staff_id text,
    organisation text,
    basis text not null,
    says boolean not null,
    at timestamptz not null,
    constraint pk_verdict primary key (id),
    constraint ck_verdict_basis check (basis in ('human', 'orb_consensus', 'iccam', 'own_tool')),
    constraint ck_verdict_one_voice check (num_nonnulls(staff_id, organisation) = 1),
    constraint ck_verdict_human_is_staff check ((basis = 'human') = (staff_id is not null)),
    constraint uq_verdict_claim_id_staff_id unique (claim_id, staff_id),
    constraint uq_verdict_claim_id_organisation unique (claim_id, organisation),
    constraint fk_verdict_claim_id foreign key (claim_id) references claim (id),
    constraint fk_verdict_staff_id foreign key (staff_id) references staff (id)
);

create table approval (
    release_id text not null,
    kind text not null,
    approved_by text not null,
    drafted_by text not null,
    urgent boolean not null,
    digest text not null,
    at timestamptz not null,
    batch text,
    constraint pk_approval primary key (release_id, kind),
    constraint fk_approval_release_id_drafted_by_urgent foreign key (release_id, drafted_by, urgent) references draft (id, drafted_by, urgent),
    constraint fk_approval_release_id_digest foreign key (release_id, digest) references draft (id, approval_digest),
    constraint ck_approval_kind check (kind in ('release', 'retrospective')),
    constraint ck_approval_four_eyes check ((kind = 'release' and (approved_by <> drafted_by or urgent)) or (kind = 'retrospective' and urgent and approved_by <> drafted_by)),
    constraint uq_approval_release_id_kind_approved_by_digest unique (release_id, kind, approved_by, digest),
    constraint fk_approval_approved_by foreign key (approved_by) references staff (id)
);

create table draft_blob (
    release_id text not null,
    blob bytea not null,
    key_id uuid not null,
    constraint pk_draft_blob primary key (release_id),
    constraint fk_draft_blob_release_id foreign key (release_id) references draft (id)
);

create table draft_refusal (
    release_id text not null,
    by text,
    at timestamptz not null,
    code text not null,
    constraint pk_draft_refusal primary key (release_id),
    constraint fk_draft_refusal_release_id foreign key (release_id) references draft (id),
    constraint fk_draft_refusal_by foreign key (by) references staff (id)
);

create table release (
    release_id text not null,
    referral_id uuid not null,
    version integer not null,
    kind text not null,
    supersedes text,
    addressee text not null,
    addressee_class text not null,
    carrier text not null,
    agreement_version integer,
    case_id uuid not null,
    case_version integer not null,
    matrix_digest text not null,
    payload_sha256 text not null,
    seal_sha256 text not null,
    root text not null,
    depth integer not null,
    approval_digest text not null,
    approval_kind text not null,
    drafted_by text not null,
    approved_by text not null,
    urgent boolean not null,
    urgency text not null,
    case_kind text not null,
    purposes text[] not null,
    fields jsonb not null,
    conditions text[] not null,
    gaps text[] not null,
    score integer not null,
    documents jsonb not null,
    sizes jsonb not null,
    key_ids text[] not null,
    released_at timestamptz not null,
    due_at timestamptz not null,
    deadline timestamptz,
    window_from_first_collection integer,
    constraint pk_release primary key (release_id),
    constraint fk_release_release_id_drafted_by_urgent foreign key (release_id, drafted_by, urgent) references draft (id, drafted_by, urgent),
    constraint fk_release_approval foreign key (release_id, approval_kind, approved_by, approval_digest) references approval (release_id, kind, approved_by, digest),
    constraint fk_release_addressee_addressee_class foreign key (addressee, addressee_class) references partner (id, recipient_class),
    constraint fk_release_agreement foreign key (addressee, agreement_version) references agreement (partner_id, version),
    constraint ck_release_approval_kind check (approval_kind = 'release'),
    constraint ck_release_four_eyes check (drafted_by <> approved_by or urgent),
    constraint ck_release_urgent_is_domestic_police check (not urgent or addressee_class = 'BEP'),
    constraint ck_release_digests check (payload_sha256 ~ '^[0-9a-f]{64}$' and seal_sha256 ~ '^[0-9a-f]{64}$' and root ~ '^[0-9a-f]{64}$' and matrix_digest ~ '^[0-9a-f]{64}$'),
    constraint uq_release_referral_id_version unique (referral_id, version),
    constraint fk_release_referral_id foreign key (referral_id) references referral (id),
    constraint fk_release_supersedes foreign key (supersedes) references release (release_id),
    constraint fk_release_carrier foreign key (carrier) references partner (id),
    constraint fk_release_case_id foreign key (case_id) references case_file (id)
);
create index ix_release_carrier on release (carrier);
create index ix_release_case_id on release (case_id);
create index ix_release_released_at on release (released_at);

create table answer (
    id uuid not null,
    partner_id text not null,
    release_id text not null,
    outcome text not null,
    body jsonb not null,
    at timestamptz not null,
    constraint pk_answer primary key (id, partner_id),
    constraint fk_answer_partner_id foreign key (partner_id) references partner (id),
    constraint fk_answer_release_id foreign key (release_id) references release (release_id)
);
create index ix_answer_release_id_partner_id on answer (release_id, partner_id);

create table cancellation (
    release_id text not null,
    by text not null,
    at timestamptz not null,
    constraint pk_cancellation primary key (release_id),
    constraint fk_cancellation_release_id foreign key (release_id) references release (release_id)
);

create table collection (
    id uuid not null,
    release_id text not null,
    partner_id text not null,
    part text not null,
    at timestamptz not null,
    generation integer not null,
    sha256 text not null,
    constraint pk_collection primary key (id),
    constraint fk_collection_release_id foreign key (release_id) references release (release_id),
    constraint fk_collection_partner_id foreign key (partner_id) references partner (id)
);
create index ix_collection_release_id_partner_id_at on collection (release_id, partner_id, at);

create table feed (
    partner_id text not null,
    position bigint not null,
    seq bigint not null,
    event text not null,
    release_id text not null,
    row bytea not null,
    urgency text not null,
    at timestamptz not null,
    constraint pk_feed primary key (partner_id, position),
    constraint ck_feed_event check (event in ('published', 'withdrawn')),
    constraint uq_feed_partner_id_seq unique (partner_id, seq),
    constraint fk_feed_partner_id foreign key (partner_id) references partner (id),
    constraint fk_feed_position foreign key (position) references ledger_leaf (position),
    constraint fk_feed_release_id foreign key (release_id) references release (release_id)
);
create index ix_feed_partner_id_urgency_position on feed (partner_id, urgency, position);
create index ix_feed_release_id_partner_id on feed (release_id, partner_id);

create table read_act (
    id uuid not null,
    release_id text not null,
    partner_id text not null,
    ground text not null,
    user_reference text,
    own_case_number text,
    at timestamptz not null,
    constraint pk_read_act primary key (id),
    constraint ck_read_act_ground check (ground in ('triage', 'own_case', 'supplement', 'audit')),
    constraint fk_read_act_release_id foreign key (release_id) references release (release_id),
    constraint fk_read_act_partner_id foreign key (partner_id) references partner (id)
);
create index ix_read_act_release_id_partner_id on read_act (release_id, partner_id);

create table receipt (
    release_id text not null,
    partner_id text not null,
    sha256 text not null,
    jws text not null,
    verified boolean not null,
    at timestamptz not null,
    constraint pk_receipt primary key (release_id, partner_id, sha256),
    constraint fk_receipt_release_id foreign key (release_id) references release (release_id),
    constraint fk_receipt_partner_id foreign key (partner_id) references partner (id)
);

create table release_record (
    release_id text not null,
    blob bytea not null,
    key_id uuid not null,
    constraint pk_release_record primary key (release_id),
    constraint fk_release_record_release_id foreign key (release_id) references release (release_id)
);

create table sealed_object (
    release_id text not null,
    part text not null,
    generation integer not null,
    partner_id text not null,
    media_type text not null,
    body bytea not null,
    sha256 text not null,
    size bigint not null,
    constraint pk_sealed_object primary key (release_id, part, generation),
    constraint ck_sealed_object_size check (size = octet_length(body)),
    constraint ck_sealed_object_sha256 check (sha256 = encode(sha256(body), 'hex')),
    constraint ck_sealed_object_generation check (generation >= 1),
    constraint fk_sealed_object_release_id foreign key (release_id) references release (release_id),
    constraint fk_sealed_object_partner_id foreign key (partner_id) references partner (id)
);

create table withdrawal (
    release_id text not null,
    partner_id text not null,
    reason_code text not null,
    by text,
    at timestamptz not null,
    constraint pk_withdrawal primary key (release_id),
    constraint fk_withdrawal_release_id foreign key (release_id) references release (release_id),
    constraint fk_withdrawal_partner_id foreign key (partner_id) references partner (id),
    constraint fk_withdrawal_by foreign key (by) references staff (id)
);
