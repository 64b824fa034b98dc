"""The record of one version's behaviours."""

from dataclasses import dataclass
from typing import Literal

Origin = Literal["recorded", "partly recorded", "from source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    r"""The behaviours of one version of Dapr.

    What is said of 1.16.1 and 1.18.3 was recorded on real binaries, but where a field says
    otherwise; what is said of 1.15, 1.16.0 and 1.17 was read in the sources of v1.15.14, v1.16.0
    and v1.17.0 and was not recorded.

    Attributes:
        name: The version of Dapr, such as `1.16.1`.
        origin: `recorded`: its behaviour was watched on real binaries. `partly recorded`: that of
            the loss scenarios was, the rest is taken to be like its neighbour. `from source`: none
            of it was watched.
        lost_instance_result_is_retried: What the activity's `run-activity` job answers when its
            result can't be delivered because the workflow's state is gone. True: failed, so the
            scheduler executes the activity again, for ever (1.16.1, loops of 1/s recorded). False:
            acknowledged, so it was executed once more and never again (1.16.2, 1.17, 1.18.3).
        late_result: `Complete*Task` for something not pending. `waits`: the call blocks and retries
            until something with that key is pending, so that the late result of an earlier
            execution answers a later one (1.16.x, "unknown instance ID/task ID combo … retrying").
            `ignored`: OK at once (1.17, 1.18.3, "Ignoring complete task which no longer exists").
            `refused`: UNKNOWN at once (1.15).
        due_times_cut_to_second: The *sidecar* writes the due time of a timer without a fraction of
            a second, so a timer fires up to 1 s early (before 1.18; a 2-s timer after 1.66 s on
            1.16.1). The scheduler takes due times as they come.
        activity_due_time: Due time of a `run-activity` job: `receipt` is `"0s"` (1.15, 1.16.x),
            `workflow_start` is the absolute time of the workflow's first history event (1.17,
            1.18.3).
        job_data_wrapped: Data of a `run-activity` job: a bare `HistoryEvent` (before 1.18) or one
            in field 1 of `durabletask.protos.backend.v1.ActivityInvocation` (True, 1.18.3).
        timer_job_names_are_random: `timer-<id>-<random>` (before 1.18) or `timer-<id>` (1.18.3).
        result_reminder: Prefix, before `-<8 random characters>`, of the workflow actor's reminder
            that carries an activity's result: `new-event` (1.15, 1.16.x), `activity-result`
            (1.17, 1.18.3).
        concurrency_key_sent: A `run-activity` job's metadata has `concurrency_key` = the activity's
            name (1.18.3).
        list_jobs_id_is_prefix: `ListJobs` takes the actor id as a prefix (1.15, 1.16.x) or as the
            whole id (1.17, 1.18.3); empty means every actor of the type on both. So without an
            actor type as well it answers all actor reminders of the namespace, or none.
        listed_metadata_has_app_id: The metadata that `ListJobs` answers names the app (1.18.3).
            Without it (before 1.18) a caller fills it in before it sends the metadata back.
        delete_by_metadata_supported: The scheduler has `DeleteByMetadata` and `DeleteByNamePrefix`
            (1.17, 1.18.3); older ones answer UNIMPLEMENTED.
        job_name_rule: Which job names the scheduler takes: `subdomain` (before 1.18: each segment a
            lower-case RFC 1123 subdomain of at most 253 characters, once `_`, `:`, `-` and blanks
            are dropped) or `no_separators` (1.18.3: anything without `/`, `\`, `#` and `?`).
        workflow_noun: The word for a workflow in error texts, as in `failed to create orchestration
            instance: …` (before 1.18) and `failed to create workflow instance: …` (1.18.3).
        start_refusal_prefix: What a refused `StartInstance` says before the reason (1.15: nothing).
        duplicate_start_code: gRPC status name that answers a start whose id is active.
        duplicate_start_text: Its details; `{instance_id}` is to be filled in.
        partial_history_loss: A history row is gone while the metadata is there. `truncated`: a
            warning, and the workflow goes on with what is left (1.16.x, 1.17). `not_found`: as if
            there were no such instance, so that 1.15 runs away then too. `error`: every call fails
            with `history key … missing from state store` and an `activity-result-…` reminder
            refires each second (1.18.3). So `GetInstance` answers that a workflow that a live
            sidecar has saved again, after its keys had expired, is PENDING and has no name, that
            there is none, or the error.
        timer_origin_recorded: `timerCreated` says what the timer is for, and from which app
            (1.18.3); older versions keep the time alone.
        parent_execution_told: A child's start names the execution of its parent, besides the
            parent's instance (1.18.3).
        start_of_first_turn_told: `GetInstance` answers field 17, `startedAt` (1.18.3).
        listing_exists: `ListInstanceIDs` and `GetInstanceHistory` exist (1.17, 1.18.3); before,
            they are UNKNOWN `failed to proxy request: required metadata dapr-callee-app-id or
            dapr-app-id not found`, like any method that daprd does not have.
        complete_workflow_task_exists: `CompleteWorkflowTask` exists (1.18.3).
        rerun_exists: `RerunWorkflowFromEvent` exists (1.16.x and later, from the source).
        versions_kept: A turn's `workflowStarted` keeps the workflow's version and the patches that
            the app named, and a turn whose app lacks the version or disagrees on the patches
            stalls (1.17, 1.18.3, from the source); older versions ignore what the app named.
        propagation_exists: A workflow can pass its history on to activities and children (1.18.3);
            before, what asks for it is ignored (from the source). The sidecar refuses it.
        reminder_api_reserved: The actor API refuses the reminders of workflows
            (1.18.3: `ERR_ACTOR_TYPE_RESERVED`) or serves them while an app is connected.
        stack_trace_told: `GET /v1.0/workflows/…` tells a failure's stack trace (1.17 and 1.18.3,
            from the source).
        purge_force_supported: `PurgeInstances{force: true}` purges what still runs (1.17, 1.18.3),
            or the flag is ignored (1.15, 1.16.x).
        recursive_purge_forced: A forced purge that is recursive as well purges what still runs
            (1.18.3) or refuses it (1.17). Read in the source, not recorded.
        child_of_taken_id_fails: A child whose id another instance has, which still runs, fails in
            its parent (1.18.3); before, the parent's turn is tried again each second. Read in the
            source, not recorded. The sidecar tries the child's start again, and not the turn.
        child_noun: The word for a child in the text of a recursive purge: `sub-orchestration`
            (1.16.x) or `child workflow` (1.18.3). Read in the source, not recorded.
        redis_tls_verified: With `enableTLS` the certificate of the Redis server is verified, unless
            `insecureSkipTLSVerify` is set (1.18.3); older versions take any certificate (from
            Dapr's source, components-contrib 1.16 and 1.18, not recorded).
        purge_skips_missing_child: A recursive purge passes over a child without state (1.18.3) or
            stops there and spares the parent (1.16.x). Read in the source, not recorded.
        terminated_counted_apart: In the metrics a terminated workflow is `terminated` (1.18.3) or
            `failed` (1.16.x, 1.17). Read in the source, not recorded.
        running_execution_joined: A `run-activity` job that comes again while its execution runs,
            or a minute after its success, takes that outcome (1.18.3), or executes the activity
            once more (1.16.x, 1.17.0). Read in the source, not recorded.
    """

    name: str
    origin: Origin
    lost_instance_result_is_retried: bool
    late_result: Literal["waits", "ignored", "refused"]
    due_times_cut_to_second: bool
    activity_due_time: Literal["receipt", "workflow_start"]
    job_data_wrapped: bool
    timer_job_names_are_random: bool
    result_reminder: Literal["new-event", "activity-result"]
    concurrency_key_sent: bool
    list_jobs_id_is_prefix: bool
    listed_metadata_has_app_id: bool
    delete_by_metadata_supported: bool
    job_name_rule: Literal["subdomain", "no_separators"]
    workflow_noun: Literal["orchestration", "workflow"]
    start_refusal_prefix: str
    duplicate_start_code: Literal["UNKNOWN", "ALREADY_EXISTS"]
    duplicate_start_text: str
    partial_history_loss: Literal["truncated", "not_found", "error"]
    timer_origin_recorded: bool
    parent_execution_told: bool
    start_of_first_turn_told: bool
    listing_exists: bool
    complete_workflow_task_exists: bool
    rerun_exists: bool
    versions_kept: bool
    propagation_exists: bool
    reminder_api_reserved: bool
    stack_trace_told: bool
    purge_force_supported: bool
    recursive_purge_forced: bool
    child_of_taken_id_fails: bool
    child_noun: Literal["sub-orchestration", "child workflow"]
    redis_tls_verified: bool
    purge_skips_missing_child: bool
    terminated_counted_apart: bool
    running_execution_joined: bool

    @property
    def label(self) -> str:
        """Return name and origin, such as `1.16.1` or `1.15, from source, not recorded`."""
        remark = "from source, not recorded" if self.origin == "from source" else self.origin
        return self.name if self.origin == "recorded" else f"{self.name}, {remark}"
