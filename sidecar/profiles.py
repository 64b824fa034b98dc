"""What the sidecar and its scheduler do differently from one version of Dapr to the next.

Each profile is a frozen record of named behaviours, so that no other module compares version
numbers. Every field was recorded on real Dapr binaries of the versions named here, but for those
that say otherwise.
"""

from dataclasses import dataclass, replace
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    r"""The behaviours of one version of Dapr.

    Attributes:
        name: The version of Dapr, such as `1.16.1`.
        lost_instance_result_is_retried: What the activity's `run-activity` job answers when its
            result can't be delivered because the workflow's state is gone. True: failed, so the
            scheduler executes the activity again, for ever (1.16.1, loops of 1/s recorded). False:
            acknowledged, so it was executed once more and never again (1.16.2 and 1.18.3).
        late_results_accepted: `Complete*Task` for something not pending. True: the call blocks and
            retries until something with that key is pending, so that the late result of an earlier
            execution answers a later one (1.16.x, "unknown instance ID/task ID combo … retrying").
            False: OK at once, the result is ignored (1.18.3, "Ignoring complete task which no
            longer exists").
        due_times_cut_to_second: The *sidecar* writes the due time of a timer without a fraction of
            a second, so a timer fires up to 1 s early (1.16.x: a 2-s timer after 1.66 s). The
            scheduler takes due times as they come.
        activity_due_time: Due time of a `run-activity` job: `receipt` is `"0s"` (1.16.x),
            `workflow_start` is the absolute time, with fraction, of the workflow's first history
            event (1.18.3).
        job_data_wrapped: Data of a `run-activity` job: a bare `HistoryEvent` (False, 1.16.x) or one
            in field 1 of `durabletask.protos.backend.v1.ActivityInvocation` (True, 1.18.3).
        timer_job_names_are_random: `timer-<id>-<random>` (True, 1.16.x) or `timer-<id>` (1.18.3).
        result_reminder: Prefix, before `-<8 random characters>`, of the workflow actor's reminder
            that carries an activity's result: `new-event` (1.16.x), `activity-result` (1.18.3).
        concurrency_key_sent: A `run-activity` job's metadata has `concurrency_key` = the activity's
            name (1.18.3).
        list_jobs_id_is_prefix: `ListJobs` takes the actor id as a prefix (1.16.x) or as the whole
            id (1.18.3); empty means every actor of the type on both.
        list_jobs_empty_type_is_all: `ListJobs` with actor type and id empty answers all actor
            reminders of the namespace (1.16.x) or none (1.18.3).
        listed_metadata_has_app_id: The metadata that `ListJobs` answers names the app (1.18.3).
            Without it (1.16.x) a caller fills it in before it sends the metadata back.
        delete_by_metadata_supported: The scheduler has `DeleteByMetadata` and `DeleteByNamePrefix`
            (1.18.3); older ones answer UNIMPLEMENTED.
        job_name_rule: Which job names the scheduler takes: `subdomain` (1.16.x: each segment a
            lower-case RFC 1123 subdomain of at most 253 characters, once `_`, `:`, `-` and blanks
            are dropped) or `no_separators` (1.18.3: anything without `/`, `\`, `#` and `?`).
        workflow_noun: The word for a workflow in error texts, as in `failed to create orchestration
            instance: …` (1.16.x) and `failed to create workflow instance: …` (1.18.3).
        duplicate_start_code: gRPC status name that answers a start whose id is active.
        duplicate_start_text: Its details; `{instance_id}` is to be filled in.
        partial_history_loss: A history row is gone while the metadata is there. `truncated`: a
            warning, and the workflow goes on with what is left (1.16.x). `error`: every call fails
            with `history key … missing from state store` and an `activity-result-…` reminder
            refires each second (1.18.3).
        expired_status: What `GetInstance` answers when a live sidecar has saved a workflow again
            whose keys had expired: `nameless_pending` (1.16.x: exists, no name, PENDING) or `error`
            (1.18.3: UNKNOWN, `history key … missing`).
        timer_origin_recorded: `timerCreated` says what the timer is for, and from which app
            (1.18.3); older versions keep the time alone.
        parent_execution_told: A child's start names the execution of its parent, besides the
            parent's instance (1.18.3).
        start_of_first_turn_told: `GetInstance` answers field 17, `startedAt` (1.18.3).
        workflow_calls_supported: `CompleteWorkflowTask`, `ListInstanceIDs` and `GetInstanceHistory`
            exist (1.18.3); on 1.16.x they are UNKNOWN `failed to proxy request: required metadata
            dapr-callee-app-id or dapr-app-id not found`.
        purge_force_supported: `PurgeInstances{force: true}` purges what still runs (1.18.3) or the
            flag is ignored (1.16.x).
        child_noun: The word for a child in the text of a recursive purge: `sub-orchestration`
            (1.16.x) or `child workflow` (1.18.3). Read in the source, not recorded.
        redis_tls_verified: With `enableTLS` the certificate of the Redis server is verified, unless
            `insecureSkipTLSVerify` is set (1.18.3); older versions take any certificate (from
            Dapr's source, components-contrib 1.16 and 1.18, not recorded).
        purge_skips_missing_child: A recursive purge passes over a child without state (1.18.3) or
            stops there and spares the parent (1.16.x). Read in the source, not recorded.
    """

    name: str
    lost_instance_result_is_retried: bool
    late_results_accepted: bool
    due_times_cut_to_second: bool
    activity_due_time: Literal["receipt", "workflow_start"]
    job_data_wrapped: bool
    timer_job_names_are_random: bool
    result_reminder: Literal["new-event", "activity-result"]
    concurrency_key_sent: bool
    list_jobs_id_is_prefix: bool
    list_jobs_empty_type_is_all: bool
    listed_metadata_has_app_id: bool
    delete_by_metadata_supported: bool
    job_name_rule: Literal["subdomain", "no_separators"]
    workflow_noun: Literal["orchestration", "workflow"]
    duplicate_start_code: Literal["UNKNOWN", "ALREADY_EXISTS"]
    duplicate_start_text: str
    partial_history_loss: Literal["truncated", "error"]
    expired_status: Literal["nameless_pending", "error"]
    timer_origin_recorded: bool
    parent_execution_told: bool
    start_of_first_turn_told: bool
    workflow_calls_supported: bool
    purge_force_supported: bool
    child_noun: Literal["sub-orchestration", "child workflow"]
    redis_tls_verified: bool
    purge_skips_missing_child: bool


class UnknownProfileError(ValueError):
    """No profile has that name; the message lists those that exist."""


V1_16_1 = Profile(
    name="1.16.1",
    lost_instance_result_is_retried=True,
    late_results_accepted=True,
    due_times_cut_to_second=True,
    activity_due_time="receipt",
    job_data_wrapped=False,
    timer_job_names_are_random=True,
    result_reminder="new-event",
    concurrency_key_sent=False,
    list_jobs_id_is_prefix=True,
    list_jobs_empty_type_is_all=True,
    listed_metadata_has_app_id=False,
    delete_by_metadata_supported=False,
    job_name_rule="subdomain",
    workflow_noun="orchestration",
    duplicate_start_code="UNKNOWN",
    duplicate_start_text=(
        "failed to create orchestration instance: "
        "an active workflow with ID '{instance_id}' already exists"
    ),
    partial_history_loss="truncated",
    expired_status="nameless_pending",
    timer_origin_recorded=False,
    parent_execution_told=False,
    start_of_first_turn_told=False,
    workflow_calls_supported=False,
    purge_force_supported=False,
    child_noun="sub-orchestration",
    redis_tls_verified=False,
    purge_skips_missing_child=False,
)

# Recorded for the loss scenarios alone; in all else it is taken to be like 1.16.1.
V1_16_2 = replace(V1_16_1, name="1.16.2", lost_instance_result_is_retried=False)

V1_18_3 = Profile(
    name="1.18.3",
    lost_instance_result_is_retried=False,
    late_results_accepted=False,
    due_times_cut_to_second=False,
    activity_due_time="workflow_start",
    job_data_wrapped=True,
    timer_job_names_are_random=False,
    result_reminder="activity-result",
    concurrency_key_sent=True,
    list_jobs_id_is_prefix=False,
    list_jobs_empty_type_is_all=False,
    listed_metadata_has_app_id=True,
    delete_by_metadata_supported=True,
    job_name_rule="no_separators",
    workflow_noun="workflow",
    duplicate_start_code="ALREADY_EXISTS",
    duplicate_start_text=(
        "failed to create workflow instance: rpc error: code = AlreadyExists desc = "
        "an active workflow with ID '{instance_id}' already exists"
    ),
    partial_history_loss="error",
    expired_status="error",
    timer_origin_recorded=True,
    parent_execution_told=True,
    start_of_first_turn_told=True,
    workflow_calls_supported=True,
    purge_force_supported=True,
    child_noun="child workflow",
    redis_tls_verified=True,
    purge_skips_missing_child=True,
)

PROFILES = {each.name: each for each in (V1_16_1, V1_16_2, V1_18_3)}


def profile(name: str) -> Profile:
    """Return the profile of a version of Dapr; UnknownProfileError lists the known ones."""
    try:
        return PROFILES[name]
    except KeyError:
        known = ", ".join(PROFILES)
        raise UnknownProfileError(f"no profile {name!r}; the known ones are {known}") from None
