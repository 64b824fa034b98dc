"""Talks to the scheduler: schedules and deletes the reminders of workflows and activities."""

from collections.abc import Sequence
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.names import (
    ACTIVITY_JOB,
    TIMER_JOB,
    AppNames,
    activity_actor_id,
    job_suffix,
)
from sidecar.profiles import Profile
from sidecar.protos import ActivityInvocation, BackendWorkflowState, HistoryEvent
from sidecar.reminders.link import Link

_TYPE_URL = "type.googleapis.com/"
AT_ONCE = "0s"
# Dapr hard-codes this policy for all of its workflow reminders.
_RETRY_EACH_SECOND = pb.FailurePolicy(
    constant=pb.FailurePolicyConstant(interval=Duration(seconds=1))
)


def _packed(message: Any) -> AnyMessage:
    return AnyMessage(
        type_url=_TYPE_URL + message.DESCRIPTOR.full_name, value=message.SerializeToString()
    )


def due_at(at: Timestamp, *, cut_to_second: bool) -> str:
    """Return a due time in RFC 3339; cut, it lies up to a second early."""
    return Timestamp(seconds=at.seconds, nanos=0 if cut_to_second else at.nanos).ToJsonString()


class Jobs:
    """The reminders that the sidecar keeps at the scheduler."""

    def __init__(self, link: Link, names: AppNames, profile: Profile) -> None:
        self._link = link
        self._names = names
        self._profile = profile

    async def wake(
        self,
        instance_id: str,
        prefix: str,
        *,
        due: str = AT_ONCE,
        carried: HistoryEvent | None = None,
    ) -> str:
        """Schedule a turn of a workflow; `carried` joins its inbox then. Return the job's name."""
        name = f"{prefix}-{job_suffix()}"
        data = None if carried is None else _packed(carried)
        await self._schedule(name, self._workflow(instance_id), due, data)
        return name

    async def run_activity(
        self, instance_id: str, scheduled: HistoryEvent, generation: int, started: Timestamp
    ) -> None:
        """Schedule an activity; `started` is the time of the workflow's first event."""
        actor_id = activity_actor_id(instance_id, scheduled.eventId, generation)
        metadata = self._target(self._names.activity_type, actor_id)
        if self._profile.concurrency_key_sent:
            metadata.concurrency_key = scheduled.taskScheduled.name
        wrapped = self._profile.job_data_wrapped
        data = _packed(ActivityInvocation(historyEvent=scheduled) if wrapped else scheduled)
        at_start = self._profile.activity_due_time == "workflow_start"
        cut = self._profile.due_times_cut_to_second
        due = due_at(started, cut_to_second=cut) if at_start else AT_ONCE
        await self._schedule(ACTIVITY_JOB, metadata, due, data)

    async def fire_timer(self, instance_id: str, created: HistoryEvent, generation: int) -> None:
        """Schedule the firing of a timer."""
        name = f"{TIMER_JOB}-{created.eventId}"
        if self._profile.timer_job_names_are_random:
            name = f"{name}-{job_suffix()}"
        due = due_at(
            created.timerCreated.fireAt, cut_to_second=self._profile.due_times_cut_to_second
        )
        data = _packed(BackendWorkflowState(inbox=[created], generation=generation))
        await self._schedule(name, self._workflow(instance_id), due, data)

    async def forget_workflow(self, instance_id: str) -> None:
        """Delete all reminders of a workflow's own actor."""
        listed = await self._link.list_jobs(self._workflow(instance_id))
        for each in listed.jobs:
            if each.metadata.target.actor.id == instance_id:
                await self._link.delete_job(each.name, self._workflow(instance_id))

    async def listed(self) -> list[pb.NamedJob]:
        """Return the pending reminders of all workflows and activities, by type and actor id."""
        found: list[pb.NamedJob] = []
        for each in actor_types(self._names):
            found += (await self._link.list_jobs(self._target(each, ""))).jobs
        return found

    async def delete(self, actor_type: str, actor_id: str, name: str) -> None:
        """Delete one reminder; one that is not there counts as deleted."""
        target = self._target(actor_type, actor_id)
        await self._link.delete_job(name, target)

    async def get(self, actor_type: str, actor_id: str, name: str) -> pb.Job | None:
        """Return one reminder as it was scheduled; None when there is none."""
        target = self._target(actor_type, actor_id)
        listed = await self._link.list_jobs(target)
        found = (
            each.job
            for each in listed.jobs
            if each.name == name and each.metadata.target.actor.id == actor_id
        )
        return next(found, None)

    def _workflow(self, instance_id: str) -> pb.JobMetadata:
        return self._target(self._names.workflow_type, instance_id)

    def _target(self, actor_type: str, actor_id: str) -> pb.JobMetadata:
        actor = pb.TargetActorReminder(id=actor_id, type=actor_type)
        return pb.JobMetadata(
            app_id=self._names.app_id,
            namespace=self._names.namespace,
            target=pb.JobTargetMetadata(actor=actor),
        )

    async def _schedule(
        self, name: str, metadata: pb.JobMetadata, due: str, data: AnyMessage | None
    ) -> None:
        job = pb.Job(due_time=due, data=data, failure_policy=_RETRY_EACH_SECOND)
        request = pb.ScheduleJobRequest(name=name, metadata=metadata, job=job, overwrite=True)
        await self._link.schedule(request, 0 if data is None else len(data.value))


def carried_event(data: AnyMessage) -> HistoryEvent | None:
    """Return the event in a reminder's data; None when it carries none."""
    return HistoryEvent.FromString(data.value) if data.value else None


def carried_timer(data: AnyMessage) -> tuple[HistoryEvent, int]:
    """Return the `timerCreated` event and the generation in a timer reminder's data."""
    state = BackendWorkflowState.FromString(data.value)
    return state.inbox[0], state.generation


def carried_activity(data: AnyMessage) -> HistoryEvent:
    """Return the `taskScheduled` event in an activity reminder's data, wrapped or bare."""
    if data.type_url.endswith("." + ActivityInvocation.DESCRIPTOR.name):
        return ActivityInvocation.FromString(data.value).historyEvent
    return HistoryEvent.FromString(data.value)


def actor_types(names: AppNames) -> Sequence[str]:
    """Return the actor types whose reminders the sidecar takes."""
    return (names.workflow_type, names.activity_type)
