drop table staff_setting, form_draft, review_verdict, review_grant, review_ticket, review_item, review_draw;
alter table release drop constraint uq_release_release_id_drafted_by_approved_by;
drop trigger settled on delivery_event;
drop trigger settled on cancellation;
drop trigger settled on withdrawal;
drop trigger settled on collection;
drop trigger opened on release;
drop function release_delivered(), release_settled(), release_opened();
drop table open_release;
drop trigger case_drafted on draft_refusal;
drop trigger case_drafted on draft;
drop function case_drafted();
drop index ix_draft_refusal_broker, ix_event_rotated, ix_answer_at, ix_read_act_at_id, ix_withdrawal_at_release_id,
    ix_release_u1, ix_release_urgent, ix_release_fields, ix_release_case_kind_released_at_release_id,
    ix_release_addressee_class_released_at_release_id, ix_release_addressee_released_at_release_id,
    ix_release_released_at_release_id, ix_case_file_kind_urgency_created_at_id,
    ix_case_file_created_by_created_at_id, ix_case_file_created_at_id, ix_case_file_to_draft,
    ix_case_file_to_confirm;
alter table case_file drop column drafted_version;
-- The leaf type stays allowed: leaves that bear it cannot be deleted.
