"""The versions that were recorded on real binaries."""

from dataclasses import replace

from sidecar.profiles.profile import Profile

V1_16_1 = Profile(
    name="1.16.1",
    origin="recorded",
    lost_instance_result_is_retried=True,
    late_result="waits",
    due_times_cut_to_second=True,
    activity_due_time="receipt",
    job_data_wrapped=False,
    timer_job_names_are_random=True,
    result_reminder="new-event",
    concurrency_key_sent=False,
    list_jobs_id_is_prefix=True,
    listed_metadata_has_app_id=False,
    delete_by_metadata_supported=False,
    job_name_rule="subdomain",
    workflow_noun="orchestration",
    start_refusal_prefix="failed to create orchestration instance: ",
    duplicate_start_code="UNKNOWN",
    duplicate_start_text=(
        "failed to create orchestration instance: "
        "an active workflow with ID '{instance_id}' already exists"
    ),
    partial_history_loss="truncated",
    timer_origin_recorded=False,
    parent_execution_told=False,
    start_of_first_turn_told=False,
    listing_exists=False,
    complete_workflow_task_exists=False,
    rerun_exists=True,
    versions_kept=False,
    propagation_exists=False,
    reminder_api_reserved=False,
    stack_trace_told=False,
    purge_force_supported=False,
    recursive_purge_forced=False,
    child_of_taken_id_fails=False,
    child_noun="sub-orchestration",
    redis_tls_verified=False,
    purge_skips_missing_child=False,
    terminated_counted_apart=False,
    running_execution_joined=False,
)

# Recorded for the loss scenarios alone; in all else it is taken to be like 1.16.1.
V1_16_2 = replace(
    V1_16_1, name="1.16.2", origin="partly recorded", lost_instance_result_is_retried=False
)

V1_18_3 = Profile(
    name="1.18.3",
    origin="recorded",
    lost_instance_result_is_retried=False,
    late_result="ignored",
    due_times_cut_to_second=False,
    activity_due_time="workflow_start",
    job_data_wrapped=True,
    timer_job_names_are_random=False,
    result_reminder="activity-result",
    concurrency_key_sent=True,
    list_jobs_id_is_prefix=False,
    listed_metadata_has_app_id=True,
    delete_by_metadata_supported=True,
    job_name_rule="no_separators",
    workflow_noun="workflow",
    start_refusal_prefix="failed to create workflow instance: ",
    duplicate_start_code="ALREADY_EXISTS",
    duplicate_start_text=(
        "failed to create workflow instance: rpc error: code = AlreadyExists desc = "
        "an active workflow with ID '{instance_id}' already exists"
    ),
    partial_history_loss="error",
    timer_origin_recorded=True,
    parent_execution_told=True,
    start_of_first_turn_told=True,
    listing_exists=True,
    complete_workflow_task_exists=True,
    rerun_exists=True,
    versions_kept=True,
    propagation_exists=True,
    reminder_api_reserved=True,
    stack_trace_told=True,
    purge_force_supported=True,
    recursive_purge_forced=True,
    child_of_taken_id_fails=True,
    child_noun="child workflow",
    redis_tls_verified=True,
    purge_skips_missing_child=True,
    terminated_counted_apart=True,
    running_execution_joined=True,
)
