"""A job as the scheduler holds it, and how a request becomes one."""

from dataclasses import dataclass

import grpc

from scheduler_api.proto import scheduler_pb2 as pb
from sidecar.profiles import Profile
from sidecar.scheduler.due_times import due_us
from sidecar.scheduler.errors import RequestError
from sidecar.scheduler.keys import check_key, job_key, pool
from sidecar.scheduler.retry_clock import DEFAULT_POLICY, DROP_POLICY, RetryClock, RetryPolicy


@dataclass(frozen=True, slots=True)
class Job:
    """One stored job.

    Attributes:
        key: Its name within the scheduler, see sidecar.scheduler.keys.
        revision: Number of the write that made it; a later job of the same key has a higher one.
        due_us: Its due time, microseconds since the epoch.
        attempts: Failed deliveries that are on disk; kept only where `max_retries` counts them.
        name: What the sender calls it, such as `run-activity`.
        metadata: Who takes it; never changed here.
        spec: The job as it was sent; never changed here.
    """

    key: str
    revision: int
    due_us: int
    attempts: int
    name: str
    metadata: pb.JobMetadata
    spec: pb.Job

    @property
    def pool(self) -> str:
        """The group of sidecars that take it."""
        return pool(self.metadata)

    def clock(self) -> RetryClock:
        """Return its retry clock as a start of the scheduler finds it: at the due time."""
        return RetryClock(retry_policy(self.spec), self.due_us, self.attempts)


def parse_job(
    request: pb.ScheduleJobRequest, *, revision: int, now_us: int, profile: Profile
) -> Job:
    """Turn a request that arrived at `now_us` into a job; RequestError where it is none."""
    key = job_key(request.name, request.metadata)
    check_key(key, profile.job_name_rule)
    if not request.HasField("job"):
        raise RequestError(grpc.StatusCode.UNKNOWN, "job cannot be nil")
    return Job(
        key=key,
        revision=revision,
        due_us=_due_us(request.job, now_us),
        attempts=0,
        name=request.name,
        metadata=request.metadata,
        spec=request.job,
    )


def retry_policy(spec: pb.Job) -> RetryPolicy:
    """Return a job's failure policy; without one it is Dapr's default of three retries."""
    match spec.failure_policy.WhichOneof("policy"):
        case "drop":
            return DROP_POLICY
        case "constant":
            constant = spec.failure_policy.constant
            limit = constant.max_retries if constant.HasField("max_retries") else None
            return RetryPolicy(constant.interval.ToMicroseconds(), limit)
        case _:
            return DEFAULT_POLICY


def _due_us(spec: pb.Job, now_us: int) -> int:
    if spec.HasField("schedule"):
        raise RequestError(
            grpc.StatusCode.UNIMPLEMENTED,
            "jobs that repeat (a schedule) are not implemented; send a due_time alone",
        )
    if not spec.HasField("due_time"):
        raise _invalid("job must have either a due time or a schedule")
    if spec.repeats > 1:
        raise _invalid("job must have a schedule to repeat")
    if spec.HasField("repeats") and spec.repeats < 1:
        raise _invalid("defined repeats must be greater than 0")
    if spec.HasField("ttl"):
        raise _invalid("job must have a schedule to have a ttl")
    if retry_policy(spec).interval_us < 0:
        raise _invalid("the interval of a failure policy must not be negative")
    try:
        return due_us(spec.due_time, now_us)
    except ValueError as error:
        raise _invalid(str(error)) from error


def _invalid(text: str) -> RequestError:
    return RequestError(grpc.StatusCode.UNKNOWN, f"job failed validation: {text}")
