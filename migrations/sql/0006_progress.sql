-- What a delivery remembers between attempts, and the look-up of a host just before a notice.

CREATE TABLE delivery_progress (
    delivery_id UUID NOT NULL,
    step INTEGER NOT NULL,
    body BYTEA NOT NULL,
    key_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_delivery_progress PRIMARY KEY (delivery_id, step),
    CONSTRAINT ck_delivery_progress_step CHECK (step > 0),
    CONSTRAINT fk_delivery_progress_delivery_id FOREIGN KEY(delivery_id) REFERENCES delivery (id)
);

-- Written step by step and never rewritten, so that two processes cannot both go on from one step; it
-- goes when the case is erased.
create trigger no_update before update or truncate on delivery_progress
    for each statement execute function refuse_change();
alter table delivery_progress enable always trigger no_update;
alter table delivery_progress enable row level security;
alter table delivery_progress force row level security;
create policy house on delivery_progress to broker_app, broker_retention using (true) with check (true);
grant select, insert on delivery_progress to broker_app;
grant select, delete on delivery_progress to broker_retention;

ALTER TABLE delivery_evidence DROP CONSTRAINT ck_delivery_evidence_proves;
ALTER TABLE delivery_evidence ADD CONSTRAINT ck_delivery_evidence_proves
    CHECK (proves IN ('submission', 'delivery', 'failure', 'retraction', 'host'));
