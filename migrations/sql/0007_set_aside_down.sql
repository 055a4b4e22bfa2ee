drop table set_aside_look, set_aside;
drop index ix_case_file_to_agree;
-- Back to where the analyst drafts: nothing is lost.
update case_file set state = 'confirmed' where state in ('set_aside', 'no_addressee');
alter table case_file drop constraint ck_case_file_state;
alter table case_file add constraint ck_case_file_state check (state in ('draft', 'confirmed', 'urgent', 'closed'));
-- Not valid: evidence of erasures stays where it is.
alter table step_up_evidence drop constraint ck_step_up_evidence_purpose;
alter table step_up_evidence add constraint ck_step_up_evidence_purpose check (purpose in ('release')) not valid;
