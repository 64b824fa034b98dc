"""Versions that nobody recorded, as their sources read.

Each begins as its recorded neighbour; what is named here is where its source differs.
"""

from dataclasses import replace

from sidecar.profiles.recorded import V1_16_1

V1_16_0 = replace(V1_16_1, name="1.16.0", origin="from source")

# Read at v1.15.14 with durabletask-go v0.6.8.
V1_15 = replace(
    V1_16_1,
    name="1.15",
    origin="from source",
    late_result="refused",
    start_refusal_prefix="",
    duplicate_start_text="an active workflow with ID '{instance_id}' already exists",
    partial_history_loss="not_found",
    rerun_exists=False,
)

# Read at v1.17.0 with durabletask-go v0.11.0; the fix of dapr#9018 is dapr#9157.
V1_17 = replace(
    V1_16_1,
    name="1.17",
    origin="from source",
    lost_instance_result_is_retried=False,
    late_result="ignored",
    activity_due_time="workflow_start",
    result_reminder="activity-result",
    list_jobs_id_is_prefix=False,
    delete_by_metadata_supported=True,
    listing_exists=True,
    versions_kept=True,
    stack_trace_told=True,
    purge_force_supported=True,
)
